import type { Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { setBrake } from "../freezes/index.ts";
import type { StatusLists } from "../status-lists/index.ts";
import * as rows from "./mandates.sql.ts";
import { type Mandate, stateOfMandate } from "./mandates.ts";

export type Freezing = {
  /** Undefined for all of them. */
  readonly agent: Id<"agent"> | undefined;
  readonly frozen: boolean;
  readonly actor: Actor;
  readonly now: Instant;
};

/**
 * Puts the principal's brake on an agent, or on all, or takes it off: from this commit on nothing that has not passed its
 * commit point is charged. What was suspended for another reason stays so. Locks go brake, mandates in the order of ids.
 */
export async function freezeWithin(
  statusLists: Pick<StatusLists, "tell">,
  tx: TenantTx,
  freezing: Freezing,
): Promise<void> {
  const { agent, frozen, actor, now } = freezing;
  if (!(await setBrake(tx, { agent }, { frozen, now }))) return;
  const type = frozen ? "wallet.frozen" : "wallet.unfrozen";
  const reached = await rows.lockFor(tx, { agent, frozen, now });
  const ids = reached.map(({ id }) => id);
  await rows.saveFrozen(tx, ids, frozen ? now : undefined);
  const payload = { agent: agent ?? null, mandates: ids.length };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: agent ?? tx.tenant, payload }, now));
  for (const mandate of reached) await tell(statusLists, tx, { mandate, freezing });
}

async function tell(
  statusLists: Pick<StatusLists, "tell">,
  tx: TenantTx,
  { mandate, freezing }: { mandate: Mandate; freezing: Freezing },
): Promise<void> {
  const { frozen, actor, now } = freezing;
  const state = stateOfMandate(mandate.ownState, frozen ? now : undefined);
  if (state === mandate.state) return;
  await statusLists.tell(tx, mandate.status, state === "suspended" ? "suspended" : "valid");
  const type = frozen ? "mandate.suspended" : "mandate.resumed";
  const because = frozen ? "frozen_by_principal" : "unfrozen_by_principal";
  const payload = { agent: mandate.agent, from: mandate.state, because };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: mandate.id, payload }, now));
}
