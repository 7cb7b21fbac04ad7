import type { Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import * as rows from "./freezes.sql.ts";

/** A principal's brake on one agent, or on all of them. */
export type Brake = { readonly agent: Id<"agent"> | undefined };

const nameOf = ({ agent }: Brake): string => agent ?? rows.everyAgent;

/**
 * Before an agent is given a mandate: its row is there from now on, and nobody freezes it until the transaction ends.
 * Throws `agent_frozen` while it, or everything, is.
 */
export async function meetAgent(tx: TenantTx, agent: Id<"agent">, now: Instant): Promise<void> {
  const brakes = [rows.everyAgent, agent];
  await rows.insertAgents(tx, brakes, now);
  if (await rows.keepBrakes(tx, brakes)) throw new Problem("agent_frozen");
}

/** The agent is one of the tenant's from now on, mandates or not: it is shown, and there is a brake for it. */
export const knowAgent = (tx: TenantTx, agent: Id<"agent">, now: Instant): Promise<void> =>
  rows.insertAgents(tx, [rows.everyAgent, agent], now);

/**
 * Puts a brake on or takes it off; false when it is as asked already. An agent that the tenant has never given a mandate
 * to is `not_found`.
 */
export async function setBrake(
  tx: TenantTx,
  brake: Brake,
  { frozen, now }: { readonly frozen: boolean; readonly now: Instant },
): Promise<boolean> {
  await rows.insertAgents(tx, [rows.everyAgent], now);
  // What a brake reaches depends on the others: of two that are moved at once the later sees the earlier.
  await rows.lockBrakes(tx);
  if (brake.agent !== undefined && (await rows.findBrake(tx, brake.agent)) === undefined)
    throw new Problem("not_found", { detail: "There is no such agent." });
  return rows.saveBrake(tx, nameOf(brake), frozen ? now : undefined);
}

/** Since when it is on. */
export const brakeOf = async (tx: TenantTx, brake: Brake): Promise<Instant | undefined> =>
  (await rows.findBrake(tx, nameOf(brake)))?.frozenAt;

/** No agent is given a mandate until the transaction ends. */
export async function lockGiving(tx: TenantTx, now: Instant): Promise<void> {
  await rows.insertAgents(tx, [rows.everyAgent], now);
  await rows.lockBrakes(tx);
}
