import { after, dayMs, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import { isProblemCode, Problem } from "@remit/protocol";
import { cross, refundable } from "../charges/index.ts";
import { actOn, type DisputesDeps, noteBoth } from "./disputes.operations.ts";
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
  return giveBack(deps, due);
}

/**
 * Gives back what a merchant has lost, once: the amount is written before it is asked for, and the key of the request is one that
 * no caller can send. When to look again: never once it is through, or was refused for good. As long as the card network has the
 * money nothing is given back; what it took for good counts as given back, and its word has the dispute looked at at once.
 */
async function giveBack(deps: DisputesDeps, dispute: Dispute): Promise<Instant | undefined> {
  const soon = after(deps.clock.now(), againMs);
  if (dispute.refundMinor !== undefined) return pay(deps, dispute);
  const network = await atNetwork(deps, dispute);
  if (network.open > 0n) return after(deps.clock.now(), dayMs);
  const refundMinor = await owedOf(deps, dispute, network);
  if (refundMinor === undefined) return soon;
  if (refundMinor === 0n) return (await note(deps, dispute, { refund: "done" })) ? undefined : soon;
  if (!(await note(deps, dispute, { refund: "due", refundMinor }))) return soon;
  return pay(deps, { ...dispute, version: dispute.version + 1, refundMinor });
}

const atNetwork = ({ db }: DisputesDeps, { payer, charge }: Dispute): Promise<rows.AtNetwork> =>
  db.of(payer).transaction((tx) => rows.atNetwork(tx, charge));

/**
 * What is lost and not given back: what its merchant has refunded since the dispute was opened counts towards it, and what the card
 * network has taken. Undefined while a refund is under way.
 */
async function owedOf(
  { charges }: DisputesDeps,
  dispute: Dispute,
  network: rows.AtNetwork,
): Promise<bigint | undefined> {
  const side = { side: "payer", tenant: dispute.payer, agent: undefined } as const;
  const charge = await charges.whole(side, dispute.charge);
  if (charge === undefined) return 0n;
  if (charge.state === "refunding") return undefined;
  const given = await charges.refundedSince(charge, dispute.openedAt, ownKeys);
  const owed = dispute.amountMinor - given - network.lost;
  const left = refundable(charge) - network.lost;
  const most = owed < left ? owed : left;
  return most < 0n ? 0n : most;
}

// A space never stands in an Idempotency-Key.
const ownKeys = "dispute ";
const keyOf = ({ id, refundAttempt }: Dispute): string =>
  refundAttempt === 1 ? `${ownKeys}${id}` : `${ownKeys}${id} ${refundAttempt}`;

async function pay(deps: DisputesDeps, dispute: Dispute): Promise<Instant | undefined> {
  const { payer, charge: id, refundMinor } = dispute;
  const soon = after(deps.clock.now(), againMs);
  try {
    const order = { key: keyOf(dispute), amountMinor: Number(refundMinor) };
    const charge = await deps.charges.giveBack({ payer, id }, order);
    if (charge.state === "refunding") return soon;
    return (await note(deps, dispute, { refund: "done", refundMinor })) ? undefined : soon;
  } catch (error) {
    if (!(error instanceof Problem) || !isProblemCode(error.code)) throw error;
    // Somebody gave some or all of it back meanwhile: no request was written, and the amount is found anew.
    if (error.code === "charge_refund_exceeds_captured" || error.code === "charge_state_conflict") {
      await note(deps, dispute, { refund: "due" });
      return soon;
    }
    if (error.code !== "refund_refused" || !(await noteRefused(deps, dispute))) return soon;
    deps.log.error(
      { dispute: dispute.id, code: error.code },
      "what a dispute was lost over is not given back",
    );
    return undefined;
  }
}

/**
 * Refused for good: false when the card network has the money, or had it at any time since it was asked for. Then it is asked for
 * anew, once the network has let go. The network's word either is found here, or finds what is noted here (`giveWay`).
 */
async function noteRefused(deps: DisputesDeps, dispute: Dispute): Promise<boolean> {
  const { payer, charge: id, refundMinor } = dispute;
  const asked = await deps.charges.askedRefund({ payer, id }, keyOf(dispute));
  invariant(asked !== undefined, "what was refused was asked for");
  return cross(deps.db, dispute, async (crossing) => {
    const tx = await crossing.payer();
    await rows.lockDisputesOf(tx, id);
    const { open, decidedAt } = await rows.atNetwork(tx, id);
    if (open === 0n && (decidedAt === null || decidedAt < asked.askedAt))
      return noteBoth(crossing, dispute, { refund: "refused", refundMinor });
    await noteBoth(crossing, dispute, { refund: "due", refundMinor: undefined, anew: true });
    return false;
  });
}

type Noting = Omit<rows.RefundNote, "refundMinor"> & { readonly refundMinor?: bigint | undefined };

/** False when the dispute has moved on meanwhile. */
const note = (deps: DisputesDeps, dispute: Dispute, to: Noting): Promise<boolean> =>
  cross(deps.db, dispute, (crossing) => noteBoth(crossing, dispute, { refundMinor: undefined, ...to }));
