import { agentsOf } from "#lib/agents.ts";
import { apiOf, maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const shownMandates = 6;

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [totals, mandates, all, charges, approvals, forecast] = await Promise.all([
    must(event, api.totals()),
    // Of what was handed on from them, their own pages tell.
    must(event, api.mandates({ query: { limit: "20", parent_id: "none", standing: "true" } })),
    must(event, api.agents({ query: { limit: "1" } })),
    must(event, api.charges({ query: { limit: "6" } })),
    must(event, api.approvals({ query: { status: "pending", limit: "3" } })),
    maybe(event, api.forecast()),
  ]);
  const shown = mandates.data.filter(({ status }) => status !== "exhausted").slice(0, shownMandates);
  return {
    totals: totals.data,
    mandates: shown,
    agents: await agentsOf(event, shown, charges.data),
    allFrozen: all.all_frozen,
    charges: charges.data,
    approvals: approvals.data,
    forecast: forecast?.data ?? [],
  };
};
