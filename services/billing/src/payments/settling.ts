import { after, type Instant, invariant } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import type { Booking, Standing } from "@remit/rails";
import { feeOf, termsOf } from "../fees/index.ts";
import {
  bookingEntry,
  captureEntry,
  type Entry,
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
import { isOpen, isResting, type OpenPayment, type Payment } from "./payment.ts";
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
  if (decision.kind !== "become") return putOff(deps, payment, decision);
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
  return engine.capture({ key, attempt, reference, amount: payment.capture, source: sourceOf(payment) });
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
    startedAt: payment.stateSince,
    labels: { charge: payment.charge, generation: String(payment.generation) },
  };
  return engine.hold(order, async (reference) => {
    const kept = await db.of(payment.tenant).transaction((tx) => rows.keepReference(tx, payment, reference));
    // Released, or taken over, while the provider made it: it stays unconfirmed and costs nobody anything.
    return kept !== undefined && !kept.releaseWanted;
  });
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
  const { rail, merchant, payee, charge } = payment;
  const { captured, booking } = to;
  const owner = { tenant: payee, merchant };
  const terms = await termsOf(tx, { rail, subject: owner, asset: captured.asset, at: now });
  const paid = { charge, owner, at: now };
  await tx.record(eventOf("ledger.posted", payment, { now, payload: { charge } }));
  if (booking === undefined) await bookLater(tx, payment, { now });
  const capture = { ...paid, payment: payment.id, rail, captured, fee: feeOf(captured, terms), terms };
  await post(tx, [
    rail === "x402" ? transferEntry(capture) : captureEntry(capture),
    ...(booking === undefined ? [] : [bookedEntry(payment, booking, now)]),
  ]);
}

/** What Stripe, or a chain, has booked of a capture. */
function bookedEntry({ rail, charge, payee, merchant }: Payment, booking: Booking, at: Instant): Entry {
  const paid = { charge, owner: { tenant: payee, merchant }, at };
  return rail === "x402" ? seenOnChainEntry(paid, booking, "into") : bookingEntry(paid, booking, "into");
}

/** Posts what has been booked of a captured payment; false as long as it has not. */
export async function book(deps: SettlingDeps, payment: Payment): Promise<boolean> {
  invariant(payment.reference !== null, "a captured payment has a reference");
  const standing = await deps.engine.readBack(payment.reference);
  if (standing.kind !== "captured" || standing.booking === undefined) return false;
  const entry = bookedEntry(payment, standing.booking, deps.clock.now());
  await deps.db.of(payment.tenant).transaction((tx) => post(tx, [entry]));
  return true;
}

/** A hint about a payment that nobody is working on: a hold that ran out at the provider, or was captured there. */
export async function observe(deps: SettlingDeps, payment: Payment): Promise<Payment> {
  if (payment.reference === null || !isResting(payment)) return payment;
  const decision = decide(payment, await deps.engine.readBack(payment.reference));
  return decision.kind === "become" ? (await become(deps, payment, decision)).payment : payment;
}
