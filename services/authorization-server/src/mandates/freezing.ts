import type { Clock, Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { setBrake } from "../freezes/index.ts";
import type { StatusLists } from "../status-lists/index.ts";
import { carryDown } from "./below.ts";
import * as rows from "./mandates.sql.ts";
import { type Mandate, stateOfMandate } from "./mandates.ts";

type Deps = { readonly clock: Clock; readonly statusLists: Pick<StatusLists, "tell"> };

export type Freezing = {
  /** Undefined for all of them. */
  readonly agent: Id<"agent"> | undefined;
  readonly frozen: boolean;
  readonly actor: Actor;
  readonly now: Instant;
};

/**
 * Puts the principal's brake on an agent, or on all, or takes it off: from this commit on nothing that has not passed its
 * commit point is charged. What was suspended for another reason stays so. Locks go brake, mandates from the roots down.
 */
export async function freezeWithin(deps: Deps, tx: TenantTx, freezing: Freezing): Promise<void> {
  const { agent, frozen, actor, now } = freezing;
  if (!(await setBrake(tx, { agent }, { frozen, now }))) return;
  const type = frozen ? "wallet.frozen" : "wallet.unfrozen";
  const reached = await rows.lockFor(tx, { agent, frozen, now });
  const ids = reached.map(({ id }) => id);
  await rows.saveFrozen(tx, ids, frozen ? now : undefined);
  const payload = { agent: agent ?? null, mandates: ids.length };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: agent ?? tx.tenant, payload }, now));
  for (const mandate of reached) await tell(deps, tx, { mandate, freezing });
}

async function tell(
  deps: Deps,
  tx: TenantTx,
  { mandate, freezing }: { mandate: Mandate; freezing: Freezing },
): Promise<void> {
  const { frozen, actor, now } = freezing;
  const frozenAt = frozen ? now : undefined;
  const state = stateOfMandate({ ...mandate, frozenAt });
  if (state === mandate.state) return;
  await deps.statusLists.tell(tx, mandate.status, state === "suspended" ? "suspended" : "valid");
  const type = frozen ? "mandate.suspended" : "mandate.resumed";
  const because = frozen ? "frozen_by_principal" : "unfrozen_by_principal";
  const payload = { agent: mandate.agent, from: mandate.state, because };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: mandate.id, payload }, now));
  await carryDown(deps, tx, { from: { ...mandate, frozenAt, state }, actor });
}
