import { after, type Instant, invariant, type Money, money } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx, Tx } from "@remit/platform/sql";
import type { PassOn, Standing } from "@remit/rails";
import { feeOf, termsOf } from "../fees/index.ts";
import {
  type Booked,
  bookingEntry,
  captureEntry,
  type Entry,
  passedOnEntries,
  post,
  seenOnChainEntry,
  transferEntry,
} from "../ledger/index.ts";
import { type Decision, decide } from "./decisions.ts";
import type { PaymentSource } from "./engine.ts";
import {
  bookLater,
  comeBack,
  eventOf,
  type Next,
  putOff,
  record,
  reread,
  type SettlingDeps,
  stillOurs,
} from "./journal.ts";
import { type CaptureFee, isOpen, isResting, type OpenPayment, type Payment } from "./payment.ts";
import * as rows from "./payments.sql.ts";
import { settleRefund } from "./refunds.ts";

const roundsMax = 5;

/**
 * Brings an open payment, leased by us, to the end of its step: asks the provider, or after a crash reads it first, and
 * writes what came of it. Gives up for now when the provider does not say; the job in the queue comes back to it.
 */
export async function settle(
  deps: SettlingDeps,
  payment: OpenPayment,
  from: "fresh" | "recovered",
): Promise<Payment> {
  let current: Payment = payment;
  for (let round = 0; round < roundsMax && isOpen(current); round++) {
    const next = await step(deps, current, from === "recovered" && round === 0);
    current = next.payment;
    if (!next.goOn) break;
  }
  return current;
}

async function step(deps: SettlingDeps, payment: OpenPayment, recovered: boolean): Promise<Next> {
  if (payment.state === "refunding") return settleRefund(deps, payment, recovered);
  const standing = await ask(deps, payment, recovered);
  await failpoint(`payment.${payment.state}.sent`);
  const decision = decide(payment, standing);
  if (decision.kind !== "become") return putOff(deps, payment, { ...decision, recovered });
  const next = await become(deps, payment, decision);
  await failpoint(`payment.${next.payment.state}`);
  return next;
}

function ask({ engine, db }: SettlingDeps, payment: OpenPayment, recovered: boolean): Promise<Standing> {
  const { id: key, attempt, reference, releaseWanted, state } = payment;
  // Read before asking: after a crash, and when a hold is no longer wanted, so that it is never asked for again.
  if (reference !== null && (recovered || (releaseWanted && state === "authorizing")))
    return engine.readBack(reference);
  if (state === "authorizing") return askToHold({ engine, db }, payment);
  invariant(reference !== null, "what is captured or released has a reference");
  if (state === "releasing") return engine.release({ key, attempt, reference });
  invariant(state === "capturing" && payment.capture !== null, "a capture has its amount");
  return engine.capture({
    key,
    attempt,
    reference,
    amount: payment.capture,
    source: sourceOf(payment),
    ...passOnOf(payment),
  });
}

function askToHold(
  { engine, db }: Pick<SettlingDeps, "engine" | "db">,
  payment: OpenPayment,
): Promise<Standing> {
  const order = {
    key: payment.id,
    attempt: payment.attempt,
    amount: payment.amount,
    source: sourceOf(payment),
    reference: payment.reference,
    ...(payment.destination === null ? {} : { destination: payment.destination }),
    startedAt: payment.stateSince,
    labels: { charge: payment.charge, generation: String(payment.generation) },
  };
  return engine.hold(order, async (reference) => {
    const kept = await db.of(payment.tenant).transaction((tx) => rows.keepReference(tx, payment, reference));
    // Released, or taken over, while the provider made it: it stays unconfirmed and costs nobody anything.
    return kept !== undefined && !kept.releaseWanted;
  });
}

/** Where it goes on to another account, our fee is what the row says: it was decided before anything was asked. */
function passOnOf({ destination, fee }: OpenPayment): { passOn?: PassOn } {
  if (destination === null || fee === null) return {};
  const withheld = fee.terms.collection === "withheld" ? fee.amount : money(fee.amount.asset, 0n);
  return { passOn: { destination, fee: withheld } };
}

function sourceOf({ customer, method, transfer, tenant: payer }: OpenPayment): PaymentSource {
  if (transfer !== null) return { payer, ...transfer };
  invariant(customer !== null && method !== null, "a payment that was made has payer and instrument");
  return { payer: customer, instrument: method };
}

type Becoming = Extract<Decision, { kind: "become" }>;

/** Writes a transition with its event and its postings. The loser of a race writes nothing and re-reads. */
const become = (deps: SettlingDeps, payment: Payment, to: Becoming): Promise<Next> =>
  deps.db.of(payment.tenant).transaction(async (tx) => {
    const now = deps.clock.now();
    const next = await rows.become(tx, payment, {
      state: to.state,
      declineCode: "declineCode" in to ? (to.declineCode ?? null) : null,
      captured: to.state === "captured" ? to.captured : null,
      settledBy: payment.rail === "x402" && to.state === "captured" ? (to.booking?.id ?? null) : null,
      now,
      until: to.state === "releasing" ? after(now, deps.leaseMs) : now,
    });
    if (next === undefined) {
      const found = await reread(tx, payment);
      return isOpen(payment) ? stillOurs(payment, found) : { payment: found, goOn: false };
    }
    if (isOpen(next)) await comeBack(tx, next);
    await record(tx, next, now);
    // The books in the transaction of the change, and last: their rows are everybody's.
    if (to.state === "captured") await postCapture(tx, next, { to, now });
    return { payment: next, goOn: true };
  });

type ToCaptured = Extract<Becoming, { state: "captured" }>;

async function postCapture(
  tx: TenantTx,
  payment: Payment,
  { to, now }: { to: ToCaptured; now: Instant },
): Promise<void> {
  const { rail, merchant, payee, charge, destination } = payment;
  const { captured } = to;
  // What was asked for had its fee with it; what somebody captured by another way gets it now.
  const decided = payment.capture?.units === captured.units ? payment.fee : null;
  const { amount: fee, terms } = decided ?? (await captureFeeOf(tx, payment, { captured, at: now }));
  const paid = { charge, owner: { tenant: payee, merchant }, at: now };
  await tx.record(eventOf("ledger.posted", payment, { now, payload: { charge } }));
  const bookings = bookingsOf(payment, { ...to, at: now });
  if (bookings === undefined) await bookLater(tx, payment, { now });
  const capture = { ...paid, payment: payment.id, rail, captured, fee, terms };
  const entry = rail === "x402" ? transferEntry(capture) : captureEntry(capture);
  await post(tx, [
    entry,
    ...(destination === null ? [] : passedOnEntries({ ...paid, payment: payment.id }, entry)),
    ...(bookings ?? []),
  ]);
}

/** The fee of a capture by the terms of its moment. Where Stripe keeps it for us, it is one that Stripe can keep. */
export async function captureFeeOf(
  tx: Tx,
  { rail, payee, merchant, destination }: Payment,
  { captured, at }: { captured: Money; at: Instant },
): Promise<CaptureFee> {
  const subject = { tenant: payee, merchant };
  const { asset } = captured;
  const { schedule, fromVolume, collection, ...terms } = await termsOf(tx, { rail, subject, asset, at });
  const { units } = feeOf(captured, terms);
  // Stripe takes amounts of three places in steps of ten: what lies between stays with the merchant.
  const kept = destination !== null && asset.places === 3 ? units - (units % 10n) : units;
  return { amount: money(asset, kept), terms: { schedule, fromVolume, collection } };
}

/** Everything that Stripe, or a chain, has booked of a capture; undefined as long as a part of it is missing. */
function bookingsOf(
  { rail, charge, payee, merchant, destination, captured: nominal, ...payment }: Payment,
  { booking, passedOn, at }: Pick<ToCaptured, "booking" | "passedOn"> & { readonly at: Instant },
): Entry[] | undefined {
  if (booking === undefined) return undefined;
  const paid = { charge, owner: { tenant: payee, merchant }, at };
  if (rail === "x402") return [seenOnChainEntry(paid, booking, "into")];
  const taken: Booked = { ...booking, nominal, direction: "into", clears: "card_clearing" };
  if (destination === null) return [bookingEntry(paid, taken)];
  if (passedOn === undefined) return undefined;
  const clears = "transfer_clearing";
  const sent: Booked = { ...passedOn.transfer, nominal, direction: "out_of", clears };
  const { fee } = passedOn;
  // Where we have asked for none, what came waits in its own currency until somebody has looked.
  const asked = payment.fee?.amount ?? fee?.amount;
  const kept: Booked[] =
    fee === undefined || asked === undefined ? [] : [{ ...fee, nominal: asked, direction: "into", clears }];
  return [taken, sent, ...kept].map((booked) => bookingEntry(paid, booked));
}

/** Posts what has been booked of a captured payment; false as long as it has not. */
export async function book(deps: SettlingDeps, payment: Payment): Promise<boolean> {
  invariant(payment.reference !== null, "a captured payment has a reference");
  const standing = await deps.engine.readBack(payment.reference);
  const bookings =
    standing.kind === "captured" ? bookingsOf(payment, { ...standing, at: deps.clock.now() }) : undefined;
  if (bookings === undefined) return false;
  await deps.db.of(payment.tenant).transaction((tx) => post(tx, bookings));
  return true;
}

/** A hint about a payment that nobody is working on: a hold that ran out at the provider, or was captured there. */
export async function observe(deps: SettlingDeps, payment: Payment): Promise<Payment> {
  if (payment.reference === null || !isResting(payment)) return payment;
  const decision = decide(payment, await deps.engine.readBack(payment.reference));
  return decision.kind === "become" ? (await become(deps, payment, decision)).payment : payment;
}
