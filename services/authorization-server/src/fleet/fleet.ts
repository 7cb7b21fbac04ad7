import type { Id, Instant } from "@remit/kernel";
import { actorOf, type Caller } from "@remit/platform/http";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, isScope, mayBeBearer, Problem, type Scope } from "@remit/protocol";
import type { ChangeAgent, CreateAgent } from "@remit/protocol/contracts";
import {
  type Agent,
  type AgentKeys,
  type AgentProfile,
  type AgentStatus,
  agentToChange,
  changeKeys,
  changeProfile,
  changeStanding,
} from "../agents/index.ts";
import { keysOf } from "./agent-keys.ts";

/** Who manages agents, by a token; and when. */
export type Managing = { readonly caller: Caller; readonly now: Instant };

export const managingOf = ({ caller, now }: Managing): Managing => ({ caller, now });

export const byOf = ({ caller, now }: Managing): { by: Actor; now: Instant } => ({
  by: actorOf(caller),
  now,
});

/** An agent to be registered, checked against who registers it. */
export type NewAgent = AgentProfile & AgentKeys;

/** What a request says of a new agent; refuses keys and scopes that it cannot have. */
export function newAgentOf(body: CreateAgent, caller: Caller): NewAgent {
  const { assertionJwk, dpopJwk, scopes, name = body.email, ...rest } = body;
  return { ...rest, name, scopes: scopesOf(scopes, caller), ...keysOf({ assertionJwk, dpopJwk }) };
}

/**
 * What an agent may be allowed: to pay, and beyond that at most what whoever allows it may do. Else a token with
 * `agents:write` alone could make itself an agent that does more.
 */
function scopesOf(asked: readonly string[], { scopes }: Caller): readonly Scope[] {
  const allowed = (scope: string): scope is Scope =>
    isScope(scope) && (scope === "oid4ac:payment" || (mayBeBearer(scope) && scopes.has(scope)));
  return [...new Set(asked)].map((scope) => {
    if (allowed(scope)) return scope;
    throw new Problem("invalid_scope", {
      detail: `You cannot give an agent ${JSON.stringify(scope.slice(0, 64))}.`,
    });
  });
}

/** Changes an agent and, with it, its standing. All or nothing. */
export async function change(
  tx: TenantTx,
  id: Id<"agent">,
  { asked: { status, scopes, ...said }, ...managing }: Managing & { readonly asked: ChangeAgent },
): Promise<Agent> {
  const agent = await agentToChange(tx, id);
  const added = scopes?.filter((scope) => !agent.scopes.some((one) => one === scope)) ?? [];
  const kept = agent.scopes.filter((scope) => scopes?.includes(scope));
  const allowed = scopes && [...kept, ...scopesOf(added, managing.caller)];
  const changed = await changeProfile(tx, agent, {
    ...byOf(managing),
    change: { ...said, scopes: allowed },
  });
  return status === undefined
    ? changed
    : { ...changed, ...standing(await stand(tx, id, { ...managing, to: status })) };
}

const standing = ({ status }: Agent): Pick<Agent, "status"> => ({ status });

/** Gives an agent another standing. What ends with a decommissioned one ends by a job that is written with the change. */
export async function stand(
  tx: TenantTx,
  id: Id<"agent">,
  { to, ...managing }: Managing & { readonly to: AgentStatus },
): Promise<Agent> {
  const agent = await changeStanding(tx, id, { to, ...byOf(managing) });
  if (to === "decommissioned") await enqueueEnding(tx, { agent, because: "agent_decommissioned", managing });
  return agent;
}

/** Replaces the keys that are named, and keeps the other. Mandates are bound to the DPoP key: with it they pause. */
export async function replaceKeys(
  tx: TenantTx,
  id: Id<"agent">,
  {
    asked,
    ...managing
  }: Managing & { readonly asked: { readonly assertionJwk?: unknown; readonly dpopJwk?: unknown } },
): Promise<Agent> {
  const agent = await agentToChange(tx, id);
  const named = keysOf({ assertionJwk: agent.assertionJwk, dpopJwk: agent.dpopJwk, ...asked });
  const changed = await changeKeys(tx, agent, { ...byOf(managing), keys: named });
  if (agent.dpopThumbprint !== undefined && agent.dpopThumbprint !== changed.dpopThumbprint)
    await enqueueEnding(tx, { agent, because: "agent_key_changed", managing });
  return changed;
}

/** Jobs that carry a change of an agent to what others hold of it: grants, tokens of families, mandates. */
export const endingQueue = "agent_endings";

export type EndingCause = "agent_decommissioned" | "agent_key_changed";

const enqueueEnding = (
  tx: TenantTx,
  { agent, because, managing }: { agent: Agent; because: EndingCause; managing: Managing },
): Promise<void> =>
  enqueue(tx, {
    queue: endingQueue,
    key: `${agent.id} ${because}`,
    payload: { agent: agent.id, tenant: tx.tenant, because, by: managing.caller.client },
  });
