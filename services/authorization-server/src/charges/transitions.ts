import { invariant, money, toBudgetUnits, toNumericDate } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import type { Actor, EventPayload, EventType } from "@remit/protocol";
import { confirmElsewhere, withdraw } from "../approvals/index.ts";
import { captureHold, refundHold, releaseHold } from "../mandates/index.ts";
import type { SignedReceipt } from "../receipts/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import { type Charge, type ChargeState, type Payment, serveByAfter } from "./charges.ts";
import { type Crossing, cross } from "./crossing.ts";
import { keepMerchantCharge } from "./merchant-charges.sql.ts";

/** Thrown inside a transaction whose condition no longer holds, so that all of it rolls back. */
export class LostRace extends Error {
  override readonly name = "LostRace";
}

/** One change of state with all that belongs to it: budget, both sides' rows, both sides' events. */
export type Step = {
  readonly event: EventType;
  readonly change: rows.ChargeChange;
  readonly payload?: EventPayload;
  readonly actor?: Actor;
  /** Runs first, in the payer's tenant: the rows that are locked before the charge, and what of them it writes. */
  readonly before?: (tx: TenantTx) => Promise<Partial<rows.ChargeChange> | void>;
  /** Runs last: every charge of the mandate waits for its budget's row until the commit. False is a lost race. */
  readonly budget?: (tx: TenantTx) => Promise<boolean>;
  /** Runs in both tenants after the change. */
  readonly onEachSide?: (tx: TenantTx) => Promise<void>;
};

export const us: Actor = { type: "system", id: "authorization-server" };

/** Makes the step if the charge is still as `from` says; else the charge as it is now. */
export async function transit(deps: ChargesDeps, from: Charge, step: Step): Promise<Charge> {
  try {
    return await cross(deps.db, from, (crossing) => transitWithin(deps, crossing, { from, step }));
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    return chargeNow(deps, from);
  }
}

/** The step within an open crossing, whose charge is locked or will be. */
export async function transitWithin(
  deps: ChargesDeps,
  crossing: Crossing,
  { from, step }: { from: Charge; step: Step },
): Promise<Charge> {
  const tx = await crossing.payer();
  const found = await step.before?.(tx);
  const moved = await rows.moveCharge(tx, from, { ...step.change, ...found });
  if (moved === undefined) throw new LostRace();
  await step.onEachSide?.(tx);
  await keepMerchantCharge(crossing, moved);
  if (step.onEachSide !== undefined && from.payee !== from.payer)
    await step.onEachSide(await crossing.payee());
  await crossing.record({
    type: step.event,
    subject: from.id,
    actor: step.actor ?? us,
    payload: { mandate: from.mandate, generation: from.generation, ...step.payload },
    now: deps.clock.now(),
  });
  if (step.budget !== undefined && !(await step.budget(await crossing.payer()))) throw new LostRace();
  return moved;
}

export async function chargeNow(
  deps: ChargesDeps,
  { payer, id }: Pick<Charge, "payer" | "id">,
): Promise<Charge> {
  const charge = await deps.db.of(payer).transaction((tx) => rows.findCharge(tx, id));
  invariant(charge !== undefined, "a charge never disappears");
  return charge;
}

export function authorize(deps: ChargesDeps, charge: Charge, payment: Payment): Promise<Charge> {
  const now = deps.clock.now();
  const { asking } = charge;
  // The holder has confirmed at the issuer, and nobody came back to say so here.
  const confirmed = charge.state === "pending_approval" && asking !== undefined;
  return transit(deps, charge, {
    event: "charge.authorized",
    change: {
      to: "authorized",
      payment: payment.id,
      ...(payment.reference === undefined ? {} : { paymentReference: payment.reference }),
      authorizedAt: now,
      ...(confirmed ? { approvedAt: now, serveBy: serveByAfter(charge, now) } : {}),
    },
    payload: { payment: payment.id },
    ...(confirmed
      ? {
          before: unlessLost((tx) =>
            confirmElsewhere(deps, tx, { id: asking.approval, payment: payment.id }),
          ),
        }
      : {}),
  });
}

/** False is a lost race: the question has another answer. */
export const unlessLost =
  (work: (tx: TenantTx) => Promise<boolean>) =>
  async (tx: TenantTx): Promise<void> => {
    if (!(await work(tx))) throw new LostRace();
  };

/** Billing said a final no: nothing is held there, so the budget is free again at once. */
export const decline = (deps: ChargesDeps, charge: Charge, because: string): Promise<Charge> =>
  transit(deps, charge, {
    event: "charge.declined",
    change: { to: "declined", because, endedAt: deps.clock.now() },
    payload: { because },
    budget: (tx) => releaseHold(tx, charge.id),
  });

/**
 * Decides that the charge goes back; billing is told next. The budget stays held until billing has confirmed. A charge
 * that goes back already, or whose money has moved or been let go, is answered as it is.
 */
export async function startRelease(
  deps: ChargesDeps,
  charge: Charge,
  { because, actor = us }: { because: string; actor?: Actor },
): Promise<Charge> {
  if (!mayGoBack.has(charge.state)) return charge;
  const { asking } = charge;
  // Nobody is asked any more about what nobody wants: the question is locked first, as an answer does it.
  const before =
    charge.state === "pending_approval" && asking !== undefined
      ? { before: unlessLost((tx) => withdraw(deps, tx, { id: asking.approval, actor })) }
      : {};
  if (charge.state === "pending_approval" && charge.payment === undefined)
    return transit(deps, charge, { ...released(deps, charge, because), ...before, actor });
  return transit(deps, charge, {
    event: "charge.releasing",
    change: { to: "releasing", intent: "release", because },
    payload: { because },
    actor,
    ...before,
  });
}

const mayGoBack: ReadonlySet<ChargeState> = new Set([
  "pending_approval",
  "authorizing",
  "authorized",
  "committed",
  "capturing",
]);

export const finishRelease = (deps: ChargesDeps, charge: Charge): Promise<Charge> =>
  transit(deps, charge, released(deps, charge, charge.because ?? "released"));

const released = (deps: ChargesDeps, charge: Charge, because: string): Step => ({
  event: "charge.released",
  change: { to: "released", because, endedAt: deps.clock.now() },
  payload: { because, amount_minor: Number(charge.amount.units) },
  budget: (tx) => releaseHold(tx, charge.id),
});

/** Money has moved as it was told to: budget spent, receipt signed and kept for both sides, all with the state. */
export function finishCapture(deps: ChargesDeps, charge: Charge, payment: Payment): Promise<Charge> {
  invariant(payment.capturedMinor === charge.capture?.units, "billing captured what it was told to");
  return captured(deps, charge, { payment });
}

/** The same for a purchase on a tab, whose money moves with the tab's: `before` puts it there. */
export const finishOnTab = (
  deps: ChargesDeps,
  charge: Charge,
  before: NonNullable<Step["before"]>,
): Promise<Charge> => captured(deps, charge, { before });

async function captured(
  deps: ChargesDeps,
  charge: Charge,
  { payment, before }: { readonly payment?: Payment; readonly before?: NonNullable<Step["before"]> },
): Promise<Charge> {
  const { capture } = charge;
  invariant(capture !== undefined, "a capture has its amount");
  const now = deps.clock.now();
  const receipt = await deps.receipts.sign(
    receiptFacts(charge, { payment, now, amountMinor: Number(capture.units) }),
  );
  return transit(deps, charge, {
    event: "charge.captured",
    change: {
      to: "captured",
      capturedAt: now,
      receipt: receipt.id,
      ...(payment?.reference === undefined ? {} : { paymentReference: payment.reference }),
    },
    payload: {
      amount_minor: Number(capture.units),
      currency: capture.asset.code,
      receipt: receipt.id,
      receipt_leaf: receipt.leafDigest,
      ...(payment === undefined ? {} : { payment: payment.id }),
    },
    ...(before === undefined ? {} : { before }),
    budget: (tx) => captureHold(tx, charge.id, toBudgetUnits(capture)),
    onEachSide: (tx) => keepReceipt(deps, tx, { charge, receipt }),
  });
}

const keepReceipt = (
  deps: ChargesDeps,
  tx: TenantTx,
  { charge, receipt }: { charge: Charge; receipt: SignedReceipt },
): Promise<void> =>
  deps.receipts.keep(tx, receipt, {
    charge: charge.id,
    agent: charge.agent,
    client: charge.merchantClient,
    at: deps.clock.now(),
  });

type Captured = {
  readonly payment: Payment | undefined;
  readonly now: Charge["createdAt"];
  readonly amountMinor: number;
};

function receiptFacts(charge: Charge, { payment, now, amountMinor }: Captured) {
  const asserted = {
    ...(charge.requestDigest === undefined ? {} : { request_digest: charge.requestDigest }),
    ...(charge.responseDigest === undefined ? {} : { response_digest: charge.responseDigest }),
  };
  return {
    charge: charge.id,
    merchant: { id: charge.merchant, origin: charge.merchantOrigin },
    offer_digest: charge.offer.digest,
    ...(charge.amended === undefined ? {} : { amended_offer_digest: charge.amended.digest }),
    mandate_hash: charge.mandateHash,
    presentation_hash: charge.presentationHash,
    amount_minor: amountMinor,
    currency: charge.amount.asset.code,
    rail: charge.rail,
    payment_reference: payment?.reference ?? charge.paymentReference ?? null,
    held_at: toNumericDate(charge.createdAt),
    captured_at: toNumericDate(now),
    livemode: charge.livemode,
    ...(charge.commitPointAt === undefined ? {} : { commit_point_at: toNumericDate(charge.commitPointAt) }),
    ...(charge.committedAt === undefined ? {} : { committed: true as const }),
    ...(charge.tabLimit === undefined ? {} : { on_tab: true as const }),
    ...(Object.keys(asserted).length === 0 ? {} : { asserted_by_merchant: asserted }),
  };
}

/** What was refunded returns to the budget; the charge is captured still, or refunded once nothing is left. */
export function finishRefund(
  deps: ChargesDeps,
  charge: Charge,
  before?: NonNullable<Step["before"]>,
): Promise<Charge> {
  const { refunding, capture } = charge;
  invariant(refunding !== undefined && capture !== undefined, "a refund has its amount");
  const now = deps.clock.now();
  const refundedMinor = charge.refunded.units + refunding.amount.units;
  invariant(refundedMinor <= capture.units, "at most what was captured is refunded");
  const all = refundedMinor === capture.units;
  return transit(deps, charge, {
    event: "charge.refunded",
    change: {
      to: all ? "refunded" : "captured",
      refundedMinor,
      refunding: null,
      ...(all ? { endedAt: now } : {}),
    },
    payload: {
      refund: refunding.id,
      amount_minor: Number(refunding.amount.units),
      refunded_minor: Number(refundedMinor),
    },
    ...(before === undefined ? {} : { before }),
    budget: async (tx) => {
      if (!(await rows.endRefund(tx, refunding.id, { now }))) return false;
      await refundHold(tx, charge.id, toBudgetUnits(money(charge.amount.asset, refundedMinor)));
      return true;
    },
  });
}

/** Billing gave nothing back and never will: the charge is captured as before, and this request to refund is over. */
export function refuseRefund(deps: ChargesDeps, charge: Charge, because: string): Promise<Charge> {
  const { refunding } = charge;
  invariant(refunding !== undefined, "a refund has its amount");
  const now = deps.clock.now();
  return transit(deps, charge, {
    event: "charge.refund_refused",
    change: { to: "captured", refunding: null },
    payload: { refund: refunding.id, amount_minor: Number(refunding.amount.units), because },
    budget: (tx) => rows.endRefund(tx, refunding.id, { now, because }),
  });
}
