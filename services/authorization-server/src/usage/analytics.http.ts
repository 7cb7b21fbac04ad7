import { minuteMs, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import {
  ActivityQuery,
  AgentActivity,
  AgentSummary,
  SummaryQuery,
  TimeZone,
  TokenTrend,
  TrendQuery,
} from "@remit/protocol/contracts";
import { agentActivity, agentSummary, changeZone, tokenTrend, zoneOf } from "./analytics.ts";

const reads = { scope: "agents:read", bearer: true } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const base = "/api/v1/analytics";

/** What an organization's agents use. Each address has the two names of the AgentIdP API. */
export const analyticsRoutes = (deps: { readonly db: Database }): Route[] => [
  ...["tokens", "token-trend"].map((name) => trendRoute(deps, `${base}/${name}`)),
  ...["agents/activity", "agent-activity"].map((name) => activityRoute(deps, `${base}/${name}`)),
  ...["agents", "usage-summary"].map((name) => summaryRoute(deps, `${base}/${name}`)),
  ...zoneRoutes(deps),
];

type Deps = { readonly db: Database };

const trendRoute = ({ db }: Deps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "Access tokens on each of the last days, in the organization's time zone",
    needs: reads,
    limit,
    query: TrendQuery,
    answers: { 200: TokenTrend },
    handle: async ({ caller: { tenant }, now }, { query: { days } }) => {
      const { zone, days: data } = await tokenTrend(db, { tenant, now, days });
      const of = { tenantId: tenant, organizationId: tenant, timeZone: zone };
      return { status: 200, body: { ...of, days, data: data.map((day) => ({ ...day })) } };
    },
  });

const activityRoute = ({ db }: Deps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "Access tokens by day of the week (0 is Sunday) and hour, in the organization's time zone",
    needs: reads,
    limit,
    query: ActivityQuery,
    answers: { 200: AgentActivity },
    handle: async ({ caller: { tenant }, now }, { query: { days } }) => {
      const { zone, hours } = await agentActivity(db, { tenant, now, days });
      const of = { tenantId: tenant, organizationId: tenant, timeZone: zone };
      return { status: 200, body: { ...of, days, data: hours } };
    },
  });

const summaryRoute = ({ db }: Deps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "The agents that got most access tokens in a month, in the organization's time zone",
    needs: reads,
    limit,
    query: SummaryQuery,
    answers: { 200: AgentSummary },
    handle: async ({ caller: { tenant }, now }, { query }) => {
      const found = await agentSummary(db, { tenant, now, month: query.month, limit: query.limit });
      const data = found.agents.map(({ id, name, status, tokens, last }) => ({
        agentId: id,
        name,
        status,
        tokens: Number(tokens),
        lastActiveAt: toRfc3339(last),
      }));
      const of = { tenantId: tenant, organizationId: tenant, timeZone: found.zone };
      return { status: 200, body: { ...of, month: found.month, data } };
    },
  });

const zoneRoutes = ({ db }: Deps): Route[] => [
  route({
    method: "GET",
    path: `${base}/time-zone`,
    summary: "In whose days and hours the organization looks at its use",
    needs: reads,
    answers: { 200: TimeZone },
    handle: async ({ caller }) => ({ status: 200, body: { timeZone: await zoneOf(db, caller.tenant) } }),
  }),
  route({
    method: "PUT",
    path: `${base}/time-zone`,
    summary: "Look at use in the days and hours of another time zone",
    needs: { scope: "admin:orgs" },
    limit,
    body: TimeZone,
    answers: { 200: TimeZone, 400: "invalid_request" },
    handle: async ({ caller }, { body }) => {
      await changeZone(db, caller.tenant, body.timeZone);
      return { status: 200, body };
    },
  }),
];
