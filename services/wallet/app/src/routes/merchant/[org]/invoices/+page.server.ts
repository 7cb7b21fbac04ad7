import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const { data } = await must(event, organizationApi(event).invoices({ query: { limit: "500" } }));
  return { invoices: data };
};
