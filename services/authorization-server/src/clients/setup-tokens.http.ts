import { minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { CreateSetupToken, SetupTokenBody } from "@remit/protocol/contracts";
import type { Secrets } from "./secrets.ts";
import { issueSetupToken } from "./setup-tokens.ts";

/** How an operator lets one agent or merchant register itself. */
export const setupTokenRoutes = (deps: { db: Database; secrets: Secrets }): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/setup-tokens",
    summary: "A one-shot token for one registration; shown once",
    needs: { scope: "agents:write", bearer: true },
    body: CreateSetupToken,
    answers: { 201: SetupTokenBody },
    limit: { count: 60, windowMs: minuteMs, by: "tenant" },
    handle: async (call, { body }) => {
      const { caller, now } = call;
      const wanted = { tenant: caller.tenant, kind: body.kind, name: body.name, by: actorOf(caller), now };
      const { token, expiresAt } = await issueSetupToken(deps, wanted);
      const headers = { "cache-control": "no-store" };
      return { status: 201, headers, body: { setup_token: token, expires_at: toRfc3339(expiresAt) } };
    },
  }),
];
