import { after, type Id, type Instant, secondMs, unreachable } from "@remit/kernel";
import { captureOrRelease } from "./capture-charge.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import type { Charge } from "./charges.ts";
import { drive, release } from "./drive.ts";
import { isUnderWay, lookAgainAt, type Recovery, recover } from "./recovery.ts";

/** How often billing is asked whether the holder of a card has confirmed. */
const askHolderMs = 3 * secondMs;

/** Moves on a charge that nobody drives; when to look again, or undefined when it is over. */
export async function recoverCharge(
  deps: ChargesDeps,
  tenant: Id<"tenant">,
  id: Id<"charge">,
): Promise<Instant | undefined> {
  const now = deps.clock.now();
  const charge = await deps.db.of(tenant).transaction(async (tx) => {
    await rows.forgetClaims(tx, now);
    return rows.findCharge(tx, id);
  });
  if (charge === undefined) return undefined;
  const decision = recover(charge, now);
  if (decision.kind === "over") return undefined;
  if (decision.kind === "later") return decision.at;
  const moved = await follow(deps, charge, decision);
  if (isUnderWay(moved)) return lookAgainAt(charge.createdAt, now);
  if (moved.state === "pending_approval") return after(deps.clock.now(), askHolderMs);
  const next = recover(moved, deps.clock.now());
  return next.kind === "over" ? undefined : next.kind === "later" ? next.at : now;
}

type Acting = Exclude<Recovery, { readonly kind: "over" | "later" }>;

function follow(deps: ChargesDeps, charge: Charge, decision: Acting): Promise<Charge> {
  switch (decision.kind) {
    case "release":
      return release(deps, charge, { because: decision.because });
    case "capture":
      return captureOrRelease(deps, charge);
    case "read":
      // After a yes it goes on, whoever drives it: the principal wants it. Without one nobody does any more.
      return drive(deps, charge, {
        driver: charge.approvedAt === undefined ? "recovery" : "caller",
        ask: "read",
      });
    default:
      return unreachable(decision);
  }
}
