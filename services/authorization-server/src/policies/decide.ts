import type { Id } from "@remit/kernel";
import { parseId } from "@remit/kernel";
import type { Call, Caller, Decide } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { agentById } from "../agents/index.ts";
import { isFreshlyProven } from "../assurance/index.ts";
import { type Action, type Actions, resourceOf } from "./actions.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { InForce, PoliciesInForce } from "./in-force.ts";
import {
  type AgentFacts,
  decideBy,
  type PolicyAnswer,
  type PolicyEngine,
  type PolicyRequest,
} from "./port.ts";

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
    const engines = enginesFor(await deps.inForce.of(call.caller.tenant), { call, action });
    if (engines.length === 0) return;
    const request = await withAgents(deps.db, engines, requestOf(call, { action, params }));
    const answer = await decideBy(engines, request);
    deps.decided(answer.decision);
    await deps.log.note(request, { call, answer });
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
  /^\/api\/v1\/policies(?:\/|$)/.test(action.path) &&
  call.caller.scopes.has("admin:orgs") &&
  isFreshlyProven(call);

const enginesFor = (
  { own, operated }: InForce,
  { call, action }: { readonly call: Calling; readonly action: Action },
): readonly PolicyEngine[] => (mendsPolicies(action, call) ? operated : own);

function requestOf(
  { caller, ip, now }: Calling,
  { action, params }: { readonly action: Action; readonly params: Readonly<Record<string, string>> },
): PolicyRequest {
  const { tenant, actor, scopes, thumbprint, claims } = caller;
  return {
    tenant,
    principal: {
      ...actor,
      scopes: [...scopes].toSorted(),
      bound: thumbprint !== undefined,
      ...(typeof claims.acr === "string" ? { acr: claims.acr } : {}),
    },
    action: action.name,
    resource: resourceOf(action, params, tenant),
    ip,
    at: now,
  };
}

/** Reads what policies may ask about agents, where one does. An agent of another tenant is one of which nothing is known. */
export async function withAgents(
  db: Database,
  engines: readonly PolicyEngine[],
  request: PolicyRequest,
): Promise<PolicyRequest> {
  if (!engines.some(({ looksAt }) => looksAt.agent)) return request;
  const { principal, resource, tenant } = request;
  const who = principal.type === "agent" ? parseId("agent", principal.id) : undefined;
  const what = resource.type === "Agent" ? parseId("agent", resource.id) : undefined;
  if (who === undefined && what === undefined) return request;
  const { ofWho, ofWhat } = await db.of(tenant).transaction(async (tx) => {
    const facts = async (id: Id<"agent"> | undefined): Promise<AgentFacts | undefined> => {
      const agent = id === undefined ? undefined : await agentById(tx, id);
      if (agent === undefined) return undefined;
      const { agentType, deploymentEnv, owner, status, isPublic, capabilities } = agent;
      return { agentType, deploymentEnv, owner, status, isPublic, capabilities };
    };
    return { ofWho: await facts(who), ofWhat: await facts(what) };
  });
  return {
    ...request,
    principal: { ...principal, ...(ofWho === undefined ? {} : { agent: ofWho }) },
    resource: { ...resource, ...(ofWhat === undefined ? {} : { agent: ofWhat }) },
  };
}
