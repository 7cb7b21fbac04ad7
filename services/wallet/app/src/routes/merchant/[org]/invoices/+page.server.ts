import { assetOf } from "@remit/kernel";
import { later, monthOf, periodOf } from "#lib/console/months.ts";
import { allPages, organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

type Event = Parameters<PageServerLoad>[0];

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [invoices, running] = await Promise.all([
    allPages((cursor) => must(event, api.invoices({ query: { limit: "500", cursor } }))),
    runningIn(event),
  ]);
  return { invoices, running };
};

/** What the month that lasts has cost so far, by shop and currency; its invoice is written when it is over. */
async function runningIn(event: Event) {
  const api = organizationApi(event);
  const [shops, fees] = await Promise.all([
    allPages((cursor) => maybe(event, api.merchants({ query: { limit: "500", cursor } }))),
    maybe(event, api.runningFees()),
  ]);
  const names = new Map(shops.map(({ id, display_name: name }) => [id as string, name]));
  const month = fees?.month ?? monthOf(event.locals.platform.nowMs);
  const costs = (fees?.data ?? []).map(({ merchant, currency, fee_minor: minor }) => ({
    merchant: merchant as string,
    name: names.get(merchant) ?? merchant,
    currency,
    minor,
    // What is paid in tokens went to the shop's own address: of that there is none.
    hasStatement: assetOf(currency)?.kind === "fiat",
  }));
  return { month, writtenAt: periodOf(later(month)).from, costs };
}
