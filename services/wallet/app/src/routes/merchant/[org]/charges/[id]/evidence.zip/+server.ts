import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

/** The signed archive that proves a charge; `remit evidence verify` checks it offline. */
export const GET: RequestHandler = async (event) => {
  const { id } = event.params;
  const archive = await must(event, organizationApi(event).evidence({ params: { id } }));
  return new Response(archive, {
    headers: {
      "content-type": "application/zip",
      "content-disposition": `attachment; filename="${id}-evidence.zip"`,
    },
  });
};
