import { assetOf } from "@remit/kernel";
import { isMonth, later, monthOf, monthsBefore } from "#lib/console/months.ts";
import { oneOf, organizationApi, shopsOf, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const monthsAtOnce = 12;

export const load: PageServerLoad = async (event) => {
  const { shops, shop } = await shopsOf(event);
  if (shop === undefined) return { shops };
  const books = await must(event, organizationApi(event).merchantBalances());
  // A statement is of money; what is paid in tokens went to the shop's own address.
  const currencies = books.data
    .filter(({ merchant, currency }) => merchant === shop.id && assetOf(currency)?.kind === "fiat")
    .map(({ currency }) => currency);
  const asked = wordIn(event.url, "before") ?? "";
  const current = monthOf(event.locals.platform.nowMs);
  return {
    shops,
    shop,
    currencies,
    currency: oneOf(event.url, "currency", currencies) ?? currencies[0],
    current,
    months: monthsBefore(isMonth(asked) ? asked : later(current), monthsAtOnce),
  };
};
