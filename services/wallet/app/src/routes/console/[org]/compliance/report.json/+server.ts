import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

export const GET: RequestHandler = async (event) => {
  const report = await must(event, organizationApi(event).report());
  return new Response(`${JSON.stringify(report, null, 2)}\n`, {
    headers: {
      "content-type": "application/json",
      "content-disposition": `attachment; filename="remit-compliance-${report.generatedAt.slice(0, 10)}.json"`,
    },
  });
};
