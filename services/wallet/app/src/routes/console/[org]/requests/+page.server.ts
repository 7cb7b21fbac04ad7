import { organizationApi, wordIn } from "#lib/console/server.ts";
import { must, viewsOf } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";
import { filterIn } from "./filter.ts";

export const load: PageServerLoad = async (event) => {
  const { url } = event;
  const filter = filterIn(url);
  const query = { ...filter, cursor: wordIn(url, "cursor"), limit: "50" };
  const [found, views] = await Promise.all([
    must(event, organizationApi(event).requests({ query })),
    viewsOf(event),
  ]);
  return {
    rows: found.data,
    next: found.next_cursor,
    views,
    filter: { ...filter, from: wordIn(url, "from"), before: wordIn(url, "to") },
  };
};
