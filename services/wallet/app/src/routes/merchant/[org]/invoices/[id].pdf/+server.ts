import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

export const GET: RequestHandler = async (event) => {
  const document = await must(event, organizationApi(event).invoicePdf({ params: { id: event.params.id } }));
  return new Response(document, {
    headers: {
      "content-type": "application/pdf",
      "content-disposition": `attachment; filename="${event.params.id}.pdf"`,
    },
  });
};
