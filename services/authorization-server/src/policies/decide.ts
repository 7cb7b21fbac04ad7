import type { Call, Caller, Decide } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { isFreshlyProven } from "../assurance/index.ts";
import { actorsOf, decideForAll } from "./acting.ts";
import { type Action, type Actions, resourceOf } from "./actions.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { PoliciesInForce } from "./in-force.ts";
import type { PolicyAnswer, PolicyRequest } from "./port.ts";

export type DecideDeps = {
  readonly db: Database;
  readonly actions: () => Actions;
  readonly inForce: PoliciesInForce;
  readonly log: DecisionLog;
  readonly decided: (decision: PolicyAnswer["decision"]) => void;
};

type Calling = Call & { readonly caller: Caller };

/** Asks the policies about every management call, after its scope was checked and before its body is read. */
export const createDecide =
  (deps: DecideDeps): Decide =>
  async (call, { method, path, params }) => {
    const action = deps.actions().get(`${method}:${path}`);
    if (action?.managed !== true) return;
    const inForce = await deps.inForce.of(call.caller.tenant);
    const mends = mendsPolicies(action, call);
    const engines = mends ? inForce.operated : inForce.own;
    const because = mends && inForce.hasOwn ? "break_glass" : "policy";
    // Also where nobody is left to ask: that somebody went past an organization's policies is written down.
    if (engines.length === 0 && because === "policy") return;
    const request = requestOf(call, { action, params });
    const answer = await decideForAll(deps.db, engines, request);
    deps.decided(answer.decision);
    await deps.log.note(request, { call, answer, because });
    if (answer.decision === "allow") return;
    // Nobody decided, so nobody allowed: whoever calls may come again.
    if (answer.determining.length === 0 && answer.errors.length > 0)
      throw new Problem("policy_unavailable", { private: { errors: answer.errors } });
    throw new Problem("policy_denied", {
      private: { determining: answer.determining, errors: answer.errors },
    });
  };

/** Whoever manages the organization, and has just proven it, can always mend its policies: none can lock everybody out. */
export const mendsPolicies = (action: Action, call: Pick<Calling, "caller" | "now">): boolean =>
  isMending(action, call.caller.scopes) && isFreshlyProven(call);

/** Whether a call is one by which policies are mended, for whoever has just proven it. */
export const isMending = ({ path }: Pick<Action, "path">, scopes: ReadonlySet<string>): boolean =>
  /^\/api\/v1\/policies(?:\/|$)/.test(path) && scopes.has("admin:orgs");

function requestOf(
  { caller, ip, now }: Calling,
  { action, params }: { readonly action: Action; readonly params: Readonly<Record<string, string>> },
): PolicyRequest {
  const { tenant, client, actor, scopes, thumbprint, claims } = caller;
  return {
    tenant,
    principal: {
      ...actor,
      scopes: [...scopes].toSorted(),
      bound: thumbprint !== undefined,
      ...(typeof claims.acr === "string" ? { acr: claims.acr } : {}),
    },
    client,
    actors: actorsOf(claims.act),
    action: action.name,
    resource: resourceOf(action, params, tenant),
    ip,
    at: now,
  };
}
