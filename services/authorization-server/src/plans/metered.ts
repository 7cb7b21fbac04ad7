import type { Authenticate } from "@remit/platform/http";
import type { Quotas } from "../quotas/index.ts";
import type { Allowances } from "./allowances.ts";
import { joinedHeaders } from "./windows.ts";

/** Quotas that take from the organization's plan too, for what the plan counts: tokens in a client's own name. */
export const meteredQuotas = (quotas: Quotas, allowances: Pick<Allowances, "take">): Quotas => ({
  async take(what, client) {
    const said = await quotas.take(what, client);
    if (what !== "tokens" || client.tenant === undefined || client.consented === true) return said;
    return joinedHeaders(said, await allowances.take("token", client.tenant));
  },
});

/** What manages agents and looks at them. No plan stands in the way of money or of signals: neither is counted. */
const counted: ReadonlySet<string> = new Set([
  "admin:orgs",
  "agents:read",
  "agents:write",
  "audit:read",
  "tokens:read",
  "webhooks:read",
  "webhooks:write",
]);

/** Who calls, as before; and what they call is counted against their organization's plan. */
export function meteredCalls(authenticate: Authenticate, allowances: Pick<Allowances, "take">): Authenticate {
  const metered: Authenticate = async (credentials, needs) => {
    const known = await authenticate(credentials, needs);
    const scopes = typeof needs.scope === "string" ? [needs.scope] : needs.scope;
    if (!scopes.every((scope) => counted.has(scope))) return known;
    const said = await allowances.take("call", known.caller.tenant);
    return { ...known, headers: { ...said, ...known.headers } };
  };
  return Object.assign(metered, authenticate.issuer === undefined ? {} : { issuer: authenticate.issuer });
}
