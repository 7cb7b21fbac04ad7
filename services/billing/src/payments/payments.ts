import { after, type Id, type Instant, money, newId } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { signedReference, type Wallets } from "@remit/rails/x402";
import type { InstrumentAtProvider } from "../instruments/index.ts";
import { type MerchantOwner, refuseWhileHalted } from "../ledger/index.ts";
import type { InstructionDeps, Order } from "./instructions.ts";
import { comeBack, record, reread, type SettlingDeps } from "./journal.ts";
import { isOpen, type Payment, type Refund } from "./payment.ts";
import * as rows from "./payments.sql.ts";
import { bookMadeRefund } from "./refunds.ts";
import { book, captureFeeOf, observe, settle } from "./settling.ts";
import { termsToSign } from "./transfers.ts";

export type PaymentDeps = SettlingDeps & {
  readonly instructions: InstructionDeps;
  /** The provider's name of the account at which the merchant is paid; undefined while its money stays with us. */
  readonly destinationOf: (of: MerchantOwner) => Promise<string | undefined>;
  /** Stripe's secret of a payment with which a browser asks its holder; undefined where it asks nobody any more. */
  readonly secretOf: (reference: string) => Promise<string | undefined>;
  /** A page where the holder confirms with that secret, where there is one. */
  readonly confirmAt: (clientSecret: string) => string | null;
  /** The payer's instrument of an id, or the default one; undefined when there is none. */
  readonly instrumentOf: (
    tx: TenantTx,
    id: Id<"instrument"> | null,
  ) => Promise<InstrumentAtProvider | undefined>;
  /** Who signs for a payer over the x402 rail; undefined where nobody does. */
  readonly wallets: Wallets | undefined;
};

/** A payment, and whether this call has made it. */
export type Held = { readonly payment: Payment; readonly made: boolean };

/** Holds a charge's money, once per (charge, generation): the same order again answers with the payment as it stands. */
export async function hold(deps: PaymentDeps, order: Order): Promise<Held> {
  const transfer = (await termsToSign(deps.wallets, order)) ?? null;
  const destination = transfer === null ? await destinationFor(deps, order) : null;
  const opened = await deps.db
    .of(order.payer)
    .transaction((tx) => open(deps, tx, { order, transfer, destination }));
  if (!opened.made) return { ...opened, payment: await resume(deps, matching(opened.payment, order)) };
  await failpoint("payment.authorizing");
  return {
    ...opened,
    payment: isOpen(opened.payment) ? await settle(deps, opened.payment, "fresh") : opened.payment,
  };
}

type Opening = { readonly order: Order } & Pick<Payment, "transfer" | "destination">;

/** Only what is taken by card is passed on by Stripe. */
const destinationFor = async (deps: PaymentDeps, order: Order): Promise<string | null> =>
  (await deps.destinationOf({ tenant: order.payee, merchant: order.merchant })) ?? null;

async function open(
  deps: PaymentDeps,
  tx: TenantTx,
  { order, transfer, destination }: Opening,
): Promise<Held> {
  const before = await rows.paymentOfCharge(tx, order);
  if (before !== undefined) return { payment: before, made: false };
  if (destination !== null) await refuseWhileHalted(tx);
  const instrument = transfer === null ? await deps.instrumentOf(tx, order.instrument) : {};
  if (instrument === undefined) throw new Problem("instrument_missing");
  const now = deps.clock.now();
  return write(tx, order, {
    ...blank(order, now),
    ...instrument,
    transfer,
    destination,
    state: "authorizing",
    leasedUntil: after(now, deps.leaseMs),
  });
}

const blank = (order: Order, now: Instant): Payment => ({
  id: newId("payment"),
  tenant: order.payer,
  charge: order.charge,
  generation: order.generation,
  payee: order.payee,
  merchant: order.merchant,
  rail: order.transfer === undefined ? "card" : "x402",
  customer: null,
  method: null,
  transfer: null,
  settledBy: null,
  amount: order.amount,
  destination: null,
  state: "released",
  attempt: 1,
  reference: null,
  releaseWanted: false,
  capture: null,
  fee: null,
  captured: money(order.amount.asset, 0n),
  refunded: money(order.amount.asset, 0n),
  declineCode: null,
  leasedUntil: now,
  stateSince: now,
});

/** Writes a new payment with its event, or finds the one that another call has written meanwhile. */
async function write(tx: TenantTx, order: Order, payment: Payment): Promise<Held> {
  if (await rows.insertPayment(tx, payment)) {
    if (isOpen(payment)) await comeBack(tx, payment);
    await record(tx, payment, payment.stateSince);
    return { payment, made: true };
  }
  const other = await rows.paymentOfCharge(tx, order);
  // Taken, and not ours to see: the charge has another payer.
  if (other === undefined)
    throw new Problem("instruction_invalid", { detail: "the charge belongs to another payer" });
  return { payment: other, made: false };
}

/** Takes an authorised payment's money, all or part of it, once. */
export async function capture(deps: PaymentDeps, id: Id<"payment">, order: Order): Promise<Payment> {
  const begun = await deps.db.of(order.payer).transaction(async (tx) => {
    const before = await findFor(tx, id, order);
    if (order.amount.units > before.amount.units)
      throw new Problem("instruction_invalid", { detail: "it captures more than was authorised" });
    if (before.rail === "x402" && order.amount.units !== before.amount.units)
      throw new Problem("instruction_invalid", { detail: "a transfer is captured whole" });
    const fee = await captureFeeOf(tx, before, { captured: order.amount, at: deps.clock.now() });
    const capture = { amount: order.amount, fee };
    return enter(deps, tx, { before, from: ["authorized"], to: "capturing", capture });
  });
  if (begun.won) return settleOpen(deps, begun.payment);
  const sameAmount = begun.payment.capture?.units === order.amount.units;
  if (sameAmount && ["capturing", "captured", "refunding", "refunded"].includes(begun.payment.state))
    return resume(deps, begun.payment);
  throw conflict(begun.payment);
}

/** Gives the hold back. A payment that is still being authorised is released as soon as it can be. */
export async function release(deps: PaymentDeps, id: Id<"payment">, order: Order): Promise<Payment> {
  const begun = await deps.db
    .of(order.payer)
    .transaction(async (tx) => enterRelease(deps, tx, await findFor(tx, id, order)));
  return finishRelease(deps, begun);
}

/**
 * Releases by charge, when the authorization server does not know whether its order to hold has arrived. If it has not, the
 * released payment that is written here is what a late order to hold will find.
 */
export async function releaseByCharge(deps: PaymentDeps, order: Order): Promise<Held> {
  const found = await deps.db.of(order.payer).transaction(async (tx) => {
    const before = await rows.paymentOfCharge(tx, order);
    if (before !== undefined) return { begun: await enterRelease(deps, tx, matching(before, order)) };
    return { held: await write(tx, order, blank(order, deps.clock.now())) };
  });
  if (found.begun !== undefined) return { payment: await finishRelease(deps, found.begun), made: false };
  // Another call has written the payment in the same moment: it is there to be released now.
  return found.held.made ? found.held : releaseByCharge(deps, order);
}

async function enterRelease(deps: PaymentDeps, tx: TenantTx, before: Payment): Promise<Entered> {
  const wanted = before.state === "authorizing" ? await rows.wantRelease(tx, before.id) : undefined;
  if (wanted !== undefined) return { won: false, payment: wanted };
  return enter(deps, tx, { before, from: ["authorized", "requires_action"], to: "releasing" });
}

async function finishRelease(deps: PaymentDeps, { won, payment }: Entered): Promise<Payment> {
  if (won) return settleOpen(deps, payment);
  if (["authorizing", "releasing", "released", "declined"].includes(payment.state))
    return resume(deps, payment);
  throw conflict(payment);
}

/** Gives back a part of what was captured, once per refund id. One refund of a payment runs at a time. */
export async function refund(deps: PaymentDeps, id: Id<"payment">, order: Order): Promise<Payment> {
  const { refund: refundId, amount } = order;
  if (refundId === undefined) throw new Problem("instruction_invalid", { detail: "a refund has its id" });
  const now = deps.clock.now();
  const until = after(now, deps.leaseMs);
  const begun = await deps.db.of(order.payer).transaction(async (tx): Promise<Entered> => {
    const before = await findFor(tx, id, order);
    if (before.rail !== "x402" && order.transaction !== undefined)
      throw new Problem("instruction_invalid", { detail: "a card's refund is no transfer" });
    const payment = await rows.beginRefund(tx, { id, refund: refundId, amount, now, until });
    if (payment === undefined) {
      const found = await reread(tx, before);
      // Looked for after the row was locked: this very refund may have been begun in the same moment.
      if ((await rows.refundById(tx, found, refundId)) === undefined) throw refundRefused(found, order);
      return { won: false, payment: found };
    }
    const transaction = order.transaction ?? null;
    const made = { id: refundId, payment: id, amount, state: "refunding", transaction, at: now } as const;
    if (!(await rows.insertRefund(tx, payment, made)))
      throw new Problem("instruction_invalid", { detail: "the refund's id belongs to another payment" });
    if (isOpen(payment)) await comeBack(tx, payment);
    await record(tx, payment, now);
    return { won: true, payment };
  });
  return begun.won ? settleOpen(deps, begun.payment) : resume(deps, begun.payment);
}

const refundRefused = (payment: Payment, { amount }: Order): Problem =>
  payment.captured.units > 0n && payment.refunded.units + amount.units > payment.captured.units
    ? new Problem("charge_refund_exceeds_captured")
    : conflict(payment);

type Entering = {
  readonly before: Payment;
  readonly from: readonly Payment["state"][];
  readonly to: "capturing" | "releasing";
  readonly capture?: NonNullable<rows.Begin["capture"]>;
};
type Entered = { readonly won: boolean; readonly payment: Payment };

/** One conditional UPDATE into an open state; the loser of a race gets the row as it stands. */
async function enter(
  { clock, leaseMs }: PaymentDeps,
  tx: TenantTx,
  { before, ...entering }: Entering,
): Promise<Entered> {
  const now = clock.now();
  // Until when a signature will be good is durable before there is one.
  const signed = before.transfer !== null && before.reference !== null && entering.to === "capturing";
  const reference = signed ? { reference: signedReference(before.reference, now) } : {};
  const until = after(now, leaseMs);
  const begun = await rows.begin(tx, { id: before.id, ...entering, ...reference, now, until });
  if (begun === undefined) return { won: false, payment: await reread(tx, before) };
  if (isOpen(begun)) await comeBack(tx, begun);
  await record(tx, begun, now);
  return { won: true, payment: begun };
}

async function settleOpen(deps: PaymentDeps, payment: Payment): Promise<Payment> {
  await failpoint(`payment.${payment.state}`);
  return isOpen(payment) ? settle(deps, payment, "fresh") : payment;
}

/** Goes on with an open payment whose worker is late; leaves it to its worker otherwise. */
export async function resume(deps: SettlingDeps, payment: Payment): Promise<Payment> {
  if (!isOpen(payment)) return payment;
  const now = deps.clock.now();
  const taken = await deps.db
    .of(payment.tenant)
    .transaction((tx) => rows.takeLease(tx, { id: payment.id, now, until: after(now, deps.leaseMs) }));
  return taken !== undefined && isOpen(taken) ? settle(deps, taken, "recovered") : payment;
}

/** The payment that an order is about: found in the payer's rows, and of the same charge in every respect. */
async function findFor(tx: TenantTx, id: Id<"payment">, order: Order): Promise<Payment> {
  const found = await rows.paymentById(tx, id);
  if (found === undefined) throw new Problem("not_found");
  if (found.charge !== order.charge || found.generation !== order.generation)
    throw new Problem("instruction_invalid", { detail: "it is about another charge" });
  return matching(found, { ...order, amount: money(order.amount.asset, found.amount.units) });
}

/** An order that says something else than the one before is no repetition of it. */
function matching(payment: Payment, order: Order): Payment {
  const same =
    payment.payee === order.payee &&
    payment.merchant === order.merchant &&
    payment.amount.asset.code === order.amount.asset.code &&
    payment.amount.units === order.amount.units;
  if (!same)
    throw new Problem("instruction_invalid", { detail: "it contradicts the payment of this charge" });
  return payment;
}

const conflict = (payment: Payment): Problem =>
  new Problem("payment_state_conflict", { extra: { payment: payment.id, payment_status: payment.state } });

/** All generations of a charge; none when billing has never heard of it. */
export async function paymentsOf(deps: SettlingDeps, charge: Id<"charge">): Promise<Payment[]> {
  const tenant = await deps.db.global.transaction((tx) => rows.tenantOfCharge(tx, charge));
  return tenant === null ? [] : deps.db.of(tenant).transaction((tx) => rows.paymentsOfCharge(tx, charge));
}

/** The refunds of a payment, the newest first: a refused one is to be seen, not to be sent again. */
export const refundsOf = async (deps: SettlingDeps, payment: Payment): Promise<Refund[]> =>
  payment.captured.units === 0n
    ? []
    : deps.db.of(payment.tenant).transaction((tx) => rows.refundsOf(tx, payment));

export async function paymentOf(deps: SettlingDeps, id: Id<"payment">): Promise<Payment> {
  const tenant = await deps.db.global.transaction((tx) => rows.tenantOfPayment(tx, id));
  const found =
    tenant === null ? undefined : await deps.db.of(tenant).transaction((tx) => rows.paymentById(tx, id));
  if (found === undefined) throw new Problem("not_found");
  return found;
}

/** What a job or a webhook names: goes on if it is open, looks at the provider if it is not. */
export async function lookAfter(
  deps: SettlingDeps,
  of: { tenant: Id<"tenant">; payment: Id<"payment"> },
): Promise<Payment> {
  const found = await deps.db.of(of.tenant).transaction((tx) => rows.paymentById(tx, of.payment));
  if (found === undefined) throw new Problem("not_found");
  return isOpen(found) ? resume(deps, found) : observe(deps, found);
}

/** Books a capture or a refund of which Stripe had told no booking; false as long as there is none. */
export async function bookOne(
  deps: SettlingDeps,
  of: { tenant: Id<"tenant">; payment: Id<"payment">; refund?: Id<"refund"> | undefined },
): Promise<boolean> {
  const found = await deps.db.of(of.tenant).transaction((tx) => rows.paymentById(tx, of.payment));
  if (found === undefined) return true;
  return of.refund === undefined ? book(deps, found) : bookMadeRefund(deps, found, of.refund);
}

/** The payment behind a provider's reference; undefined when it is none of ours. */
export async function findBehind(
  deps: Pick<SettlingDeps, "db">,
  reference: string,
): Promise<Payment | undefined> {
  const tenant = await deps.db.global.transaction((tx) => rows.tenantOfReference(tx, reference));
  return tenant === null
    ? undefined
    : deps.db.of(tenant).transaction((tx) => rows.paymentByReference(tx, reference));
}
