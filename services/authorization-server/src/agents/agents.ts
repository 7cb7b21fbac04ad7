import { type Id, type Instant, invariant, newId } from "@remit/kernel";
import { type Sql, type TenantTx, violates } from "@remit/platform/sql";
import { type Actor, newEvent, Problem, type PublicJwk, type RemitEvent, type Scope } from "@remit/protocol";
import type { AgentType, DeploymentEnv } from "@remit/protocol/contracts";
import { thumbprint } from "@remit/protocol/node";
import { claimKeys } from "../client-keys/index.ts";
import { tellDirectory } from "../tenants/index.ts";
import * as rows from "./agents.sql.ts";

export type AgentStatus = "active" | "suspended" | "decommissioned";

/** What an operator says of an agent; nobody verified it. */
export type AgentProfile = {
  readonly name: string;
  /** Undefined for an agent that registered itself and was given none. In lower case, unique in its tenant for ever. */
  readonly email: string | undefined;
  readonly agentType: AgentType;
  readonly version: string;
  /** `resource:action`. They describe the agent and allow nothing. */
  readonly capabilities: readonly string[];
  readonly owner: string | undefined;
  readonly deploymentEnv: DeploymentEnv;
  readonly isPublic: boolean;
  /** What tokens of its own may carry. */
  readonly scopes: readonly Scope[];
};

/**
 * An agent's two keys: one proves who calls (`assertionJwk`), one binds tokens and mandates (`dpopJwk`). Who has none
 * proves itself by a secret and can have no mandate.
 */
export type AgentKeys = {
  readonly assertionJwk: PublicJwk | undefined;
  readonly dpopJwk: PublicJwk | undefined;
};

export type Agent = AgentProfile &
  AgentKeys & {
    readonly id: Id<"agent">;
    readonly tenant: Id<"tenant">;
    readonly status: AgentStatus;
    readonly dpopThumbprint: string | undefined;
    readonly createdAt: Instant;
    readonly updatedAt: Instant;
  };

/** An agent with a key that mandates can be bound to. */
export type KeyedAgent = Agent & { readonly dpopJwk: PublicJwk; readonly dpopThumbprint: string };

/** The agent, if it can have a mandate at all; else refuses (`client_not_allowed`). */
export function keyed(agent: Agent): KeyedAgent {
  const { dpopJwk, dpopThumbprint } = agent;
  if (dpopJwk === undefined || dpopThumbprint === undefined)
    throw new Problem("client_not_allowed", {
      detail: "The agent has no key that a mandate could be bound to.",
    });
  return { ...agent, dpopJwk, dpopThumbprint };
}

/** Whether an agent may act, readable in any transaction, whoever's tenant it runs under. */
export type AgentStanding = {
  readonly tenant: Id<"tenant">;
  readonly status: AgentStatus;
  /** Of the one key that its tokens are bound to; undefined while it has none, and then no bound token counts. */
  readonly dpopThumbprint: string | undefined;
};

/** Who changes an agent, for the event, and when. */
export type By = { readonly by: Actor; readonly now: Instant };

/** The agent of this tenant; undefined when it is another's or none. */
export const agentById = (tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> =>
  rows.findAgent(tx, id);

/** The agent of an e-mail address in this tenant. */
export const agentByEmail = (tx: TenantTx, email: string): Promise<Agent | undefined> =>
  rows.findAgentByEmail(tx, email);

/** The same, locked against every other change of it until the transaction ends. Throws `not_found`. */
export async function agentToChange(tx: TenantTx, id: Id<"agent">): Promise<Agent> {
  const agent = await rows.lockAgent(tx, id);
  if (agent === undefined) throw unknownAgent();
  return agent;
}

export const unknownAgent = (): Problem => new Problem("not_found", { detail: "There is no such agent." });

/**
 * The standing of any agent in any transaction. With `lock: "share"` it stays as read until the transaction ends,
 * so that a suspension and the commit point of a charge cannot both win.
 */
export const standingOfAgent = (
  tx: Sql,
  id: Id<"agent">,
  lock: "none" | "share" = "none",
): Promise<AgentStanding | undefined> =>
  lock === "share" ? rows.lockStanding(tx, id) : rows.findStanding(tx, id);

/** Of those that there are, for readers that lock nothing. */
export const standingsOfAgents = (
  db: Sql,
  ids: readonly Id<"agent">[],
): Promise<Map<Id<"agent">, AgentStanding>> => rows.findStandings(db, ids);

/** From an agent's id to its tenant, in any transaction. */
export const tenantOfAgent = (tx: Sql, id: Id<"agent">): Promise<Id<"tenant"> | undefined> =>
  rows.tenantOfAgent(tx, id);

/** What is said of an agent that says nothing of itself but its name. */
export const unsaid = {
  email: undefined,
  agentType: "custom",
  version: "0.0.0",
  capabilities: [],
  owner: undefined,
  deploymentEnv: "production",
  isPublic: false,
  scopes: ["oid4ac:payment"],
} as const satisfies Omit<AgentProfile, "name">;

/** An agent to be registered. `by` is undefined when it registers itself. */
export type AgentToRegister = AgentProfile &
  AgentKeys & { readonly by: Actor | undefined; readonly now: Instant };

/**
 * Registers agents of this tenant, all or none. The caller has checked the keys. Refuses an e-mail address that another of
 * the tenant has (`agent_exists`) and one agent more than the tenant may have.
 */
export async function registerAgents(tx: TenantTx, wanted: readonly AgentToRegister[]): Promise<Agent[]> {
  const agents = wanted.map((one) => newAgent(tx.tenant, one));
  await rows.insertAgents(tx, agents).catch(refuseAsTold);
  for (const agent of agents)
    await claimKeys(tx, { client: agent.id, keys: keysOf(agent), now: agent.createdAt });
  await tx.recordAll(agents.map((agent, index) => registeredEvent(agent, wanted[index]?.by)));
  for (const agent of agents) if (agent.isPublic) await tellDirectory(tx, agent.id);
  return agents;
}

function newAgent(tenant: Id<"tenant">, asked: AgentToRegister): Agent {
  const { by: _, now, ...wanted } = asked;
  const { dpopJwk } = wanted;
  return {
    ...wanted,
    id: newId("agent"),
    tenant,
    status: "active",
    dpopThumbprint: dpopJwk === undefined ? undefined : thumbprint(dpopJwk),
    createdAt: now,
    updatedAt: now,
  };
}

function registeredEvent(
  { id, tenant, dpopThumbprint, createdAt }: Agent,
  by: Actor | undefined,
): RemitEvent {
  const payload = { agent: id, dpop_thumbprint: dpopThumbprint ?? null };
  const actor = by ?? ({ type: "client", id } as const);
  return newEvent("agent.registered", { tenant, actor, subject: id, payload }, createdAt);
}

export async function registerAgent(tx: TenantTx, wanted: AgentToRegister): Promise<Agent> {
  const [agent] = await registerAgents(tx, [wanted]);
  invariant(agent !== undefined, "each agent that is registered is told of");
  return agent;
}

const keysOf = ({ assertionJwk, dpopJwk }: AgentKeys) =>
  [
    { purpose: "assertion", jwk: assertionJwk },
    { purpose: "dpop", jwk: dpopJwk },
  ] as const;

/** What the database said of a write, in our words. */
function refuseAsTold(error: unknown): never {
  if (violates(error, "agents_email"))
    throw new Problem("agent_exists", {
      detail: "Another agent of the organization has this e-mail address.",
    });
  if (violates(error, "agents_max"))
    throw new Problem("agent_limit_reached", { extra: { legacy_code: "FREE_TIER_LIMIT_EXCEEDED" } });
  throw error;
}

export type ProfileChange = { readonly [M in keyof AgentProfile]?: AgentProfile[M] | undefined };

/** Changes what is said of an agent that `agentToChange` has locked. A decommissioned one stays as it is (409). */
export async function changeProfile(
  tx: TenantTx,
  agent: Agent,
  { by, now, change }: By & { readonly change: ProfileChange },
): Promise<Agent> {
  refuseIfGone(agent);
  const said = Object.entries(change).filter(([, value]) => value !== undefined);
  if (said.length === 0) return agent;
  const changed: Agent = { ...agent, ...Object.fromEntries(said), updatedAt: now };
  await rows.saveProfile(tx, changed, agent.capabilities).catch(refuseAsTold);
  // Names and addresses stay out of the log, which could not forget them.
  const payload = { agent: agent.id, members: said.map(([member]) => member) };
  await tx.record(
    newEvent("agent.changed", { tenant: tx.tenant, actor: by, subject: agent.id, payload }, now),
  );
  if (agent.isPublic || changed.isPublic) await tellDirectory(tx, agent.id);
  return changed;
}

/** Gives an agent that is locked another key or both. Tokens bound to the former key count no more. */
export async function changeKeys(
  tx: TenantTx,
  agent: Agent,
  { by, now, keys }: By & { readonly keys: AgentKeys },
): Promise<Agent> {
  refuseIfGone(agent);
  const { assertionJwk, dpopJwk } = keys;
  const dpopThumbprint = dpopJwk === undefined ? undefined : thumbprint(dpopJwk);
  const changed: Agent = { ...agent, assertionJwk, dpopJwk, dpopThumbprint, updatedAt: now };
  await rows.saveKeys(tx, changed);
  await claimKeys(tx, { client: agent.id, keys: keysOf(keys), now });
  const payload = {
    agent: agent.id,
    from_thumbprint: agent.dpopThumbprint ?? null,
    dpop_thumbprint: dpopThumbprint ?? null,
    assertion_thumbprint: assertionJwk === undefined ? null : thumbprint(assertionJwk),
  };
  const facts = { tenant: tx.tenant, actor: by, subject: agent.id, payload };
  await tx.record(newEvent("agent.keys_changed", facts, now));
  if (agent.isPublic) await tellDirectory(tx, agent.id);
  return changed;
}

function refuseIfGone({ status }: Agent): void {
  if (status === "decommissioned")
    throw new Problem("agent_decommissioned", { detail: "A decommissioned agent never acts again." });
}

/**
 * Suspends, reactivates or decommissions; at once, for tokens already issued too, because every charge reads the row.
 * A decommissioned agent stays so (409). Asking for the standing it has changes nothing and is no error.
 */
export async function changeStanding(
  tx: TenantTx,
  id: Id<"agent">,
  { to, by, now }: By & { readonly to: AgentStatus },
): Promise<Agent> {
  const agent = await agentToChange(tx, id);
  if (agent.status === to) return agent;
  refuseIfGone(agent);
  await rows.saveStanding(tx, { id, status: to, now });
  const payload = { agent: id, from: agent.status, to };
  await tx.record(newEvent(eventOf[to], { tenant: tx.tenant, actor: by, subject: id, payload }, now));
  if (agent.isPublic) await tellDirectory(tx, id);
  return { ...agent, status: to };
}

const eventOf = {
  active: "agent.resumed",
  suspended: "agent.suspended",
  decommissioned: "agent.decommissioned",
} as const;

/** The tables of this room, by the kind of protection each has. */
export const agentTables = {
  agents: "tenant",
  agent_capabilities: "tenant",
  agent_standings: "global",
} as const;
