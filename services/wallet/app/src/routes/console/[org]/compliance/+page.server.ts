import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [report, controls] = await Promise.all([must(event, api.report()), maybe(event, api.controls())]);
  return { report, controls: controls?.controls ?? [] };
};
