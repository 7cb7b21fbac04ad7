import { after, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import { isProblemCode, Problem } from "@remit/protocol";
import { cross, refundable } from "../charges/index.ts";
import { actOn, type DisputesDeps, sidesOf } from "./disputes.operations.ts";
import * as rows from "./disputes.sql.ts";
import { type Dispute, deadlineOf, moveOf } from "./disputes.ts";

const system = { type: "system", id: "authorization-server" } as const;
const againMs = 30 * secondMs;

/** Looks after a dispute: ends what nobody answered, gives back what was lost. When to look again, or never. */
export async function lookAfter(
  deps: DisputesDeps,
  of: { readonly tenant: Id<"tenant">; readonly dispute: Id<"dispute"> },
): Promise<Instant | undefined> {
  const found = await deps.db.of(of.tenant).transaction((tx) => rows.findDispute(tx, of.dispute));
  if (found === undefined || found.origin === "network") return undefined;
  const now = deps.clock.now();
  const due =
    moveOf(found, "wait", now) === undefined
      ? found
      : await actOn(deps, found, { act: "wait", actor: system });
  if (due.refund !== "due") return deadlineOf(due);
  return (await giveBack(deps, due)) ? undefined : after(now, againMs);
}

/**
 * Gives back what a merchant has lost, once: the amount is written before it is asked for, and the key of the request is one that
 * no caller can send. True once it is through, or was refused for good.
 */
async function giveBack(deps: DisputesDeps, dispute: Dispute): Promise<boolean> {
  if (dispute.refundMinor !== undefined) return pay(deps, dispute);
  const refundMinor = await owedOf(deps, dispute);
  if (refundMinor === undefined) return false;
  if (refundMinor === 0n) return note(deps, dispute, { refund: "done" });
  if (!(await note(deps, dispute, { refund: "due", refundMinor }))) return false;
  return pay(deps, { ...dispute, version: dispute.version + 1, refundMinor });
}

/**
 * What is lost and not given back: what its merchant has refunded since the dispute was opened counts towards it. Undefined while
 * a refund is under way.
 */
async function owedOf({ charges }: DisputesDeps, dispute: Dispute): Promise<bigint | undefined> {
  const side = { side: "payer", tenant: dispute.payer, agent: undefined } as const;
  const charge = await charges.whole(side, dispute.charge);
  if (charge === undefined) return 0n;
  if (charge.state === "refunding") return undefined;
  const owed = dispute.amountMinor - (await charges.refundedSince(charge, dispute.openedAt, ownKeys));
  const left = refundable(charge);
  return owed < 0n ? 0n : owed < left ? owed : left;
}

// A space never stands in an Idempotency-Key.
const ownKeys = "dispute ";

async function pay(deps: DisputesDeps, dispute: Dispute): Promise<boolean> {
  const { payer, charge: id, refundMinor } = dispute;
  try {
    const order = { key: `${ownKeys}${dispute.id}`, amountMinor: Number(refundMinor) };
    const charge = await deps.charges.giveBack({ payer, id }, order);
    return charge.state === "refunding" ? false : note(deps, dispute, { refund: "done", refundMinor });
  } catch (error) {
    if (!(error instanceof Problem) || !isProblemCode(error.code)) throw error;
    // Somebody gave some or all of it back meanwhile: no request was written, and the amount is found anew.
    if (error.code === "charge_refund_exceeds_captured" || error.code === "charge_state_conflict") {
      await note(deps, dispute, { refund: "due" });
      return false;
    }
    if (error.code !== "refund_refused") return false;
    deps.log.error(
      { dispute: dispute.id, code: error.code },
      "what a dispute was lost over is not given back",
    );
    return note(deps, dispute, { refund: "refused", refundMinor });
  }
}

/** False when the dispute has moved on meanwhile. */
const note = (
  deps: DisputesDeps,
  dispute: Dispute,
  to: { readonly refund: Dispute["refund"]; readonly refundMinor?: bigint | undefined },
): Promise<boolean> =>
  cross(deps.db, dispute, async (crossing) => {
    const change = { refund: to.refund, refundMinor: to.refundMinor };
    const [payer, ...others] = sidesOf(dispute);
    if (payer === undefined || (await rows.noteRefund(await payer(crossing), dispute, change)) === undefined)
      return false;
    for (const side of others) {
      const noted = await rows.noteRefund(await side(crossing), dispute, change);
      invariant(noted !== undefined, "both sides of a dispute are written together");
    }
    return true;
  });
