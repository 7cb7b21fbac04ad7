import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [{ data: schedules }, offers] = await Promise.all([
    must(event, api.fees()),
    // Whoever may not see the offers still sees what is kept.
    maybe(event, api.offers({ query: { limit: "100" } })),
  ]);
  const currencies = [...new Set((offers?.data ?? []).map(({ currency }) => currency))].toSorted();
  return { schedules, currencies };
};
