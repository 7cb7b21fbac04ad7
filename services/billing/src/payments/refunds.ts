import { type Id, type Instant, invariant, money } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import type { EventPayload } from "@remit/protocol";
import {
  type Booked,
  bookingEntry,
  post,
  refundEntry,
  returnEntries,
  takenBackEntry,
} from "../ledger/index.ts";
import { decideRefund, type RefundDecision } from "./decisions.ts";
import {
  bookLater,
  eventOf,
  lookAtRefundSoon,
  type Next,
  putOff,
  reread,
  type SettlingDeps,
  stillOurs,
} from "./journal.ts";
import type { OpenPayment, Payment, Refund } from "./payment.ts";
import * as rows from "./payments.sql.ts";
import { readReturn } from "./returns.ts";

/** One step of a refunding payment, fresh or after a crash: the refund's key makes both the same. */
export async function settleRefund(
  deps: SettlingDeps,
  payment: OpenPayment,
  recovered: boolean,
): Promise<Next> {
  const tenant = deps.db.of(payment.tenant);
  const refund = await tenant.transaction((tx) => rows.runningRefund(tx, payment));
  invariant(payment.reference !== null, "a captured payment has a reference");
  const standing =
    payment.rail === "x402"
      ? await readReturn(deps, payment, refund)
      : await deps.engine.refund({
          key: refund.id,
          attempt: payment.attempt,
          reference: payment.reference,
          amount: refund.amount,
          startedAt: payment.stateSince,
          recovered,
          takeBack: refund.takesBack,
        });
  await failpoint("payment.refunding.sent");
  const decision = decideRefund(refund.amount, standing);
  if (decision.kind === "again" || decision.kind === "wait")
    return putOff(deps, payment, { ...decision, recovered });
  const next = await end(deps, payment, { refund, decision });
  await failpoint("payment.refunded");
  return next;
}

type Refunded = Extract<RefundDecision, { kind: "refunded" }>;
type Ended = Extract<RefundDecision, { kind: "refunded" | "refused" }>;

const end = (
  deps: SettlingDeps,
  payment: OpenPayment,
  { refund, decision }: { refund: Refund; decision: Ended },
): Promise<Next> =>
  deps.db.of(payment.tenant).transaction(async (tx) => {
    const now = deps.clock.now();
    const refunded = decision.kind === "refunded" ? decision.amount : money(refund.amount.asset, 0n);
    const reference = decision.kind === "refunded" ? decision.reference : (decision.takenBackBy ?? null);
    const ended = await rows.endRefund(tx, payment, {
      refund: refund.id,
      state: decision.kind,
      reference,
      refunded,
      because: decision.kind === "refused" ? decision.because : null,
      now,
    });
    if (ended === undefined) return stillOurs(payment, await reread(tx, payment));
    if (decision.kind === "refunded") await bookRefund(tx, ended, { refund, decision, now });
    else {
      const payload = refusedPayload(ended, refund, decision.because);
      await tx.record(eventOf("payment.refunded", ended, { now, payload }));
      // What it took back from the merchant's account is posted, and sent on there again.
      if (decision.takenBackBy !== undefined) await lookAtRefundSoon(tx, decision.takenBackBy);
    }
    return { payment: ended, goOn: false };
  });

const refusedPayload = ({ charge }: Payment, refund: Refund, because: string): EventPayload => ({
  charge,
  refund: refund.id,
  amount_minor: 0,
  refused: because,
});

async function bookRefund(
  tx: TenantTx,
  payment: Payment,
  { refund, decision, now }: { refund: Refund; decision: Refunded; now: Instant },
): Promise<void> {
  const { charge, payee, merchant } = payment;
  const paid = { charge, owner: { tenant: payee, merchant }, at: now };
  const amount = Number(refund.amount.units);
  const payload = { charge, refund: refund.id, amount_minor: amount, currency: refund.amount.asset.code };
  await tx.record(eventOf("payment.refunded", payment, { now, payload }));
  await tx.record(eventOf("ledger.posted", payment, { now, payload: { charge, refund: refund.id } }));
  const made = { ...paid, refund: refund.id, refunded: refund.amount };
  if (payment.rail === "x402") {
    await post(tx, returnEntries(made, decision.booking));
    return;
  }
  const bookings = bookingsOf(refund, decision);
  if (bookings === undefined) await bookLater(tx, payment, { now, refund: refund.id });
  const takesBackLater = payment.destination !== null && !refund.takesBack;
  if (decision.failed || takesBackLater) await lookAtRefundSoon(tx, decision.reference);
  await post(tx, [
    refundEntry(made),
    ...(refund.takesBack ? [takenBackEntry(made)] : []),
    ...(bookings ?? []).map((booking) => bookingEntry(paid, booking)),
  ]);
}

/** Everything that Stripe booked for a refund; undefined as long as a part of it is missing. */
function bookingsOf(
  { takesBack, amount: nominal }: Refund,
  { booking, takenBack }: Pick<Refunded, "booking" | "takenBack">,
): Booked[] | undefined {
  if (booking === undefined) return undefined;
  const given: Booked = { ...booking, nominal, direction: "out_of", clears: "card_clearing" };
  if (!takesBack) return [given];
  return takenBack === undefined
    ? undefined
    : [given, { ...takenBack, nominal, direction: "into", clears: "transfer_clearing" }];
}

/** Posts what Stripe has booked of a refund that it made; false as long as it has not. */
export async function bookMadeRefund(
  deps: SettlingDeps,
  payment: Payment,
  id: Id<"refund">,
): Promise<boolean> {
  const tenant = deps.db.of(payment.tenant);
  const refund = await tenant.transaction((tx) => rows.refundById(tx, payment, id));
  invariant(typeof refund?.reference === "string", "a refund that was made has a reference");
  const standing = await deps.engine.readRefund(refund.reference);
  // It has failed before it was ever booked: the payer gets nothing, and what was posted of it is taken back.
  if (standing.kind === "refused") {
    const { reference } = refund;
    await tenant.transaction((tx) => lookAtRefundSoon(tx, reference));
    return true;
  }
  const bookings = standing.kind === "refunded" ? bookingsOf(refund, standing) : undefined;
  if (bookings === undefined) return false;
  const paid = { charge: payment.charge, at: deps.clock.now() };
  const entries = bookings.map((booking) => bookingEntry(paid, booking));
  await tenant.transaction((tx) => post(tx, entries));
  return true;
}
