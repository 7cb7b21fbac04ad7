import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [active, suspended, trend, plan, log, revenue, webhooks, forwarding] = await Promise.all([
    must(event, api.agents({ query: { limit: "6", page: "1", status: "active" } })),
    must(event, api.agents({ query: { limit: "1", page: "1", status: "suspended" } })),
    must(event, api.tokenTrend({ query: { days: "30" } })),
    must(event, api.plan()),
    maybe(event, api.audit({ query: { page: "1", limit: "8" } })),
    maybe(event, api.soldDays({ query: { days: "30" } })),
    maybe(event, api.webhooks({ query: { limit: "100" } })),
    maybe(event, api.forwarding()),
  ]);
  return {
    active: active.total ?? 0,
    suspended: suspended.total ?? 0,
    newest: active.data.map(({ agentId, name, agentType, createdAt }) => ({
      id: agentId,
      name,
      agentType,
      createdAt,
    })),
    trend: trend.data,
    plan,
    log: log?.data.map((entry) => ({
      id: String(entry["id"]),
      seq: entry.seq,
      at: entry.ts,
      name: entry.event,
      by: entry.actor.type,
    })),
    revenue,
    lateS: forwarding?.status === "late" ? forwarding.oldest_unsent_s : 0,
    failing: (webhooks?.data ?? []).filter(
      ({ failing_since, disabled_at }) => failing_since !== null || disabled_at !== null,
    ).length,
  };
};
