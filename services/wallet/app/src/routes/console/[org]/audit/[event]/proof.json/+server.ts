import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

/** The entry with its proof of inclusion: what somebody needs who trusts nobody here. */
export const GET: RequestHandler = async (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.event };
  const [{ entry, leaf, checkpoint }, proof] = await Promise.all([
    must(event, api.auditEntry({ params })),
    must(event, api.auditProof({ params })),
  ]);
  return new Response(`${JSON.stringify({ entry, leaf, signed_checkpoint: checkpoint, proof }, null, 2)}\n`, {
    headers: {
      "content-type": "application/json",
      "content-disposition": `attachment; filename="${event.params.event}.proof.json"`,
    },
  });
};
