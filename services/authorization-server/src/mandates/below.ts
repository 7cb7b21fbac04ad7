import type { Clock, Id } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { endGrantsOf } from "../grants/index.ts";
import type { StatusLists } from "../status-lists/index.ts";
import * as rows from "./mandates.sql.ts";
import { endedQueue, type Mandate, type MandateState, stateOfMandate } from "./mandates.ts";

type Deps = { readonly clock: Clock; readonly statusLists: Pick<StatusLists, "tell"> };

/**
 * What a change of a mandate means for all that was handed on from it, in the transaction of that change: what is below a
 * revoked one is revoked, and what is below one that is suspended counts as suspended until every one above it is active
 * again. A charge would see the change itself, by the chain that it locks; this is for its holder and the status lists.
 */
export async function carryDown(
  deps: Deps,
  tx: TenantTx,
  { from, actor }: { readonly from: Mandate; readonly actor: Actor },
): Promise<void> {
  const below = await rows.lockBelow(tx, from);
  if (below.length === 0) return;
  if (from.state === "revoked") for (const mandate of below) await revokeOne(deps, tx, { mandate, actor });
  else await settle(deps, tx, { from, below, actor });
}

async function revokeOne(
  { clock, statusLists }: Deps,
  tx: TenantTx,
  { mandate, actor }: { mandate: Mandate; actor: Actor },
): Promise<void> {
  const now = clock.now();
  const because = "ancestor_revoked";
  await rows.saveState(tx, mandate.id, { state: "revoked", because, now });
  await statusLists.tell(tx, mandate.status, "invalid");
  const payload = { agent: mandate.agent, from: mandate.ownState, because };
  await tx.record(
    newEvent("mandate.revoked", { tenant: tx.tenant, actor, subject: mandate.id, payload }, now),
  );
  await endGrantsOf(tx, { mandate: mandate.id, actor, now });
  await enqueue(tx, {
    queue: endedQueue,
    key: mandate.id,
    payload: { tenant: tx.tenant, mandate: mandate.id },
  });
}

async function settle(
  deps: Deps,
  tx: TenantTx,
  { from, below, actor }: { from: Mandate; below: readonly Mandate[]; actor: Actor },
): Promise<void> {
  const states = new Map<Id<"mandate">, MandateState>([[from.id, from.state]]);
  const changed = { back: [] as Id<"mandate">[], free: [] as Id<"mandate">[] };
  for (const mandate of below) {
    // One whose parent is not here was handed on from a revoked one, and would be revoked.
    const heldBack = states.get(mandate.ancestors.at(-1) ?? mandate.id) !== "active";
    const state = stateOfMandate({ ...mandate, heldBack });
    states.set(mandate.id, state);
    if (heldBack !== mandate.heldBack) changed[heldBack ? "back" : "free"].push(mandate.id);
    if (state !== mandate.state) await tellOne(deps, tx, { mandate, state, actor });
  }
  await rows.saveHeldBack(tx, changed.back, true);
  await rows.saveHeldBack(tx, changed.free, false);
}

async function tellOne(
  { clock, statusLists }: Deps,
  tx: TenantTx,
  { mandate, state, actor }: { mandate: Mandate; state: MandateState; actor: Actor },
): Promise<void> {
  const suspended = state === "suspended";
  await statusLists.tell(tx, mandate.status, suspended ? "suspended" : "valid");
  const because = suspended ? "ancestor_suspended" : "ancestors_active";
  const payload = { agent: mandate.agent, from: mandate.state, because };
  const facts = { tenant: tx.tenant, actor, subject: mandate.id, payload };
  const type = suspended ? "mandate.suspended" : "mandate.resumed";
  await tx.record(newEvent(type, facts, clock.now()));
}
