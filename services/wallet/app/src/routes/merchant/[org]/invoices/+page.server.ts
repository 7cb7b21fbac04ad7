import { assetOf } from "@remit/kernel";
import { later, monthOf, periodOf } from "#lib/console/months.ts";
import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

type Event = Parameters<PageServerLoad>[0];

export const load: PageServerLoad = async (event) => {
  const [{ data: invoices }, running] = await Promise.all([
    must(event, organizationApi(event).invoices({ query: { limit: "500" } })),
    runningIn(event),
  ]);
  return { invoices, running };
};

const shownMax = 6;

/** What the month that lasts has cost so far, by shop and currency; its invoice is written when it is over. */
async function runningIn(event: Event) {
  const api = organizationApi(event);
  const month = monthOf(event.locals.platform.nowMs);
  const [shops, books] = await Promise.all([
    maybe(event, api.merchants({ query: { limit: "500" } })),
    maybe(event, api.merchantBalances()),
  ]);
  const names = new Map(shops?.data.map(({ id, display_name: name }) => [id as string, name]));
  const kept = (books?.data ?? []).filter(({ currency }) => assetOf(currency)?.kind === "fiat");
  const fees = await Promise.all(
    kept.slice(0, shownMax).map(async ({ merchant, currency }) => {
      const query = { currency, ...periodOf(month) };
      const statement = await maybe(event, api.statement({ params: { merchant }, query }));
      const minor = (statement?.totals ?? []).reduce((sum, { fee_minor }) => sum + fee_minor, 0);
      return { merchant: merchant as string, name: names.get(merchant) ?? merchant, currency, minor };
    }),
  );
  const costs = fees.filter(({ minor }) => minor !== 0);
  return { month, writtenAt: periodOf(later(month)).from, costs };
}
