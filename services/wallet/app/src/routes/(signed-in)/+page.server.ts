import { agentsOf } from "#lib/agents.ts";
import { usableMandates } from "#lib/mandates-shown.ts";
import { apiOf, maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const shownMandates = 6;

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [totals, mandates, all, charges, approvals, forecast] = await Promise.all([
    must(event, api.totals()),
    usableMandates(event, shownMandates),
    must(event, api.agents({ query: { limit: "1" } })),
    must(event, api.charges({ query: { limit: "6" } })),
    must(event, api.approvals({ query: { status: "pending", limit: "3" } })),
    maybe(event, api.forecast()),
  ]);
  return {
    totals: totals.data,
    mandates,
    agents: await agentsOf(event, mandates, charges.data),
    allFrozen: all.all_frozen,
    charges: charges.data,
    approvals: approvals.data,
    forecast: forecast?.data ?? [],
  };
};
