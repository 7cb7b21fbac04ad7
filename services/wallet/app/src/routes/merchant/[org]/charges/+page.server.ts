import { soldStatuses } from "#lib/console/charges.ts";
import { merchantsOf, oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must, viewsOf } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const filter = {
    status: oneOf(event.url, "status", soldStatuses),
    merchant: wordIn(event.url, "merchant"),
  };
  const [sold, merchants, views] = await Promise.all([
    must(event, api.sold({ query: { ...filter, limit: "50", cursor: wordIn(event.url, "cursor") } })),
    merchantsOf(event),
    viewsOf(event),
  ]);
  const shops = merchants.map(({ id, display_name }) => ({ id: id as string, name: display_name }));
  return { sold: sold.data, next: sold.next_cursor, filter, shops, views };
};
