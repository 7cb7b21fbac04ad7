import { type Id, type Instant, newId } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem, type PublicJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import * as rows from "./agents.sql.ts";

export type AgentStatus = "active" | "suspended" | "decommissioned";

/** An agent and its two keys: one proves who calls (`assertionJwk`), one binds tokens and mandates (`dpopJwk`). */
export type Agent = {
  readonly id: Id<"agent">;
  readonly tenant: Id<"tenant">;
  /** As the operator wrote it; nobody verified it. */
  readonly name: string;
  readonly status: AgentStatus;
  readonly assertionJwk: PublicJwk;
  readonly dpopJwk: PublicJwk;
  readonly dpopThumbprint: string;
  readonly createdAt: Instant;
};

/** Whether an agent may act, readable in any transaction, whoever's tenant it runs under. */
export type AgentStanding = {
  readonly tenant: Id<"tenant">;
  readonly status: AgentStatus;
  readonly dpopThumbprint: string;
};

/** What changes a standing, for the event. */
export type StandingActor = { readonly type: "account" | "client"; readonly id: string };

/** The agent of this tenant; undefined when it is another's or none. */
export const agentById = (tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> =>
  rows.findAgent(tx, id);

/** The tenant's agents, newest first, at most `limit`, before the id `before`. */
export const agentsOf = (
  tx: TenantTx,
  page: { limit: number; before?: Id<"agent"> | undefined },
): Promise<Agent[]> => rows.listAgents(tx, page);

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

/** From an agent's id to its tenant, in any transaction. */
export const tenantOfAgent = (tx: Sql, id: Id<"agent">): Promise<Id<"tenant"> | undefined> =>
  rows.tenantOfAgent(tx, id);

/** Registers an agent of this tenant. The caller has checked the keys (`clients/metadata.ts`). */
export async function registerAgent(
  tx: TenantTx,
  input: { name: string; assertionJwk: PublicJwk; dpopJwk: PublicJwk; now: Instant },
): Promise<Agent> {
  const agent: Agent = {
    id: newId("agent"),
    tenant: tx.tenant,
    name: input.name,
    status: "active",
    assertionJwk: input.assertionJwk,
    dpopJwk: input.dpopJwk,
    dpopThumbprint: thumbprint(input.dpopJwk),
    createdAt: input.now,
  };
  await rows.insertAgent(tx, agent);
  const payload = { agent: agent.id, dpop_thumbprint: agent.dpopThumbprint };
  const actor = { type: "client", id: agent.id } as const;
  await tx.record(
    newEvent("agent.registered", { tenant: tx.tenant, actor, subject: agent.id, payload }, input.now),
  );
  return agent;
}

/**
 * Suspends, reactivates or decommissions; at once, for tokens already issued too, because every charge reads the row.
 * A decommissioned agent stays so (409). Asking for the standing it has changes nothing and is no error.
 */
export async function changeStanding(
  tx: TenantTx,
  id: Id<"agent">,
  change: { to: AgentStatus; by: StandingActor; now: Instant },
): Promise<Agent> {
  const agent = await rows.lockAgent(tx, id);
  if (agent === undefined) throw new Problem("not_found", { detail: "There is no such agent." });
  if (agent.status === change.to) return agent;
  if (agent.status === "decommissioned")
    throw new Problem("agent_decommissioned", { detail: "A decommissioned agent never acts again." });
  await rows.saveStanding(tx, { id, status: change.to, now: change.now });
  const payload = { agent: id, from: agent.status, to: change.to };
  await tx.record(
    newEvent(eventOf[change.to], { tenant: tx.tenant, actor: change.by, subject: id, payload }, change.now),
  );
  return { ...agent, status: change.to };
}

const eventOf = {
  active: "agent.resumed",
  suspended: "agent.suspended",
  decommissioned: "agent.decommissioned",
} as const;
