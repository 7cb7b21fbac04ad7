import type { MandateBody } from "@remit/protocol/contracts";
import { everyOf } from "#lib/lists.ts";
import { apiOf, maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [mandates, agents, charges, approvals, forecast] = await Promise.all([
    // What may be spent is the sum of all that stand, however many came after them.
    everyOf<MandateBody>((cursor) => must(event, api.mandates({ query: { limit: "100", cursor } }))),
    must(event, api.agents({ query: { limit: "100" } })),
    must(event, api.charges({ query: { limit: "6" } })),
    must(event, api.approvals({ query: { status: "pending", limit: "3" } })),
    maybe(event, api.forecast()),
  ]);
  const open = mandates.filter(({ status }) => status === "active" || status === "suspended");
  return {
    mandates: open,
    agents: agents.data,
    allFrozen: agents.all_frozen,
    charges: charges.data,
    approvals: approvals.data,
    totals: totalsOf(open),
    forecast: forecast?.data ?? [],
  };
};

export type Total = { currency: string; allowed: number; spent: number; held: number; left: number };

/** One line a currency: sums of different ones say nothing. What is paused or frozen cannot be spent now. */
function totalsOf(mandates: readonly MandateBody[]): Total[] {
  const totals = new Map<string, Total>();
  for (const {
    currency,
    amount_minor,
    spent_minor,
    held_minor,
    remaining_minor,
    status,
    frozen,
  } of mandates) {
    const before = totals.get(currency) ?? { currency, allowed: 0, spent: 0, held: 0, left: 0 };
    totals.set(currency, {
      currency,
      allowed: before.allowed + amount_minor,
      spent: before.spent + spent_minor,
      held: before.held + held_minor,
      left: before.left + (status === "active" && !frozen ? remaining_minor : 0),
    });
  }
  return [...totals.values()].sort((a, b) => b.allowed - a.allowed);
}
