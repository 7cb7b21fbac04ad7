import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.event };
  const [found, proof] = await Promise.all([
    must(event, api.auditEntry({ params })),
    maybe(event, api.auditProof({ params })),
  ]);
  return { found, proof };
};
