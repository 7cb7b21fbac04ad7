import { organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";
import { filterIn } from "./filter.ts";

export const load: PageServerLoad = async (event) => {
  const { url } = event;
  const filter = filterIn(url);
  const query = { ...filter, cursor: wordIn(url, "cursor"), limit: "50" };
  const found = await must(event, organizationApi(event).requests({ query }));
  return {
    rows: found.data,
    next: found.next_cursor,
    filter: { ...filter, from: wordIn(url, "from"), before: wordIn(url, "to") },
  };
};
