import { after, type Clock, type Id, type Instant, invariant, minuteMs, secondMs } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database, TenantTx, Tx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type EventPayload, type EventType, newEvent, type RemitEvent } from "@remit/protocol";
import type { Returns } from "@remit/rails/x402";
import type { Engine } from "./engine.ts";
import { isOpen, type OpenPayment, type Payment } from "./payment.ts";
import * as rows from "./payments.sql.ts";

export type SettlingDeps = {
  readonly db: Database;
  readonly engine: Engine;
  /** Who finds what sellers have given back over a chain; undefined where no chain is configured. */
  readonly returns: Returns | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** How long one worker may ask the provider before another takes over. Longer than all its time limits together. */
  readonly leaseMs: number;
};

/** The queue in which every open payment waits for the end of its lease. */
export const settleQueue = "payments.settle";

/** The queue of captures and refunds whose money Stripe has not booked on our balance yet. */
export const bookQueue = "payments.book";

/** The queue of refunds of Stripe's of which something was heard, by Stripe's name of each. */
export const refundsQueue = "payments.refunds";

/** A job looks how a refund stands at Stripe. However often and in whatever order it is heard of, it is one job at a time. */
export const lookAtRefundSoon = (tx: Tx, reference: string): Promise<void> =>
  enqueue(tx, { queue: refundsQueue, key: reference, payload: { reference } });

/** A payment as it stands now, and whether it is still ours to go on with. */
export type Next = { readonly payment: Payment; readonly goOn: boolean };

/** Beyond this many attempts at one step somebody should look. */
const attemptsCalm = 5;

/**
 * Leaves an open payment as it is: with the next attempt at once when a read has shown that nothing happened, else for
 * later. Whoever has lost it meanwhile writes nothing.
 */
export async function putOff(
  deps: SettlingDeps,
  payment: OpenPayment,
  decision: { kind: "again" | "wait"; because?: string; recovered: boolean },
): Promise<Next> {
  const { attempt, state } = payment;
  const fields = { payment: payment.id, charge: payment.charge, state, attempt, because: decision.because };
  const calm = attempt <= attemptsCalm && decision.because !== "contradiction";
  if (calm) deps.log.warn(fields, "a payment is not through yet");
  else deps.log.error(fields, "a payment does not get on: somebody must look");
  const now = deps.clock.now();
  // Whoever comes back to a payment first reads, and asks once, however often it was asked before.
  const goOn = decision.kind === "again" && (calm || decision.recovered);
  const until = after(now, goOn ? deps.leaseMs : patienceMs(payment, now));
  return deps.db.of(payment.tenant).transaction(async (tx) => {
    const write = decision.kind === "again" ? rows.nextAttempt : rows.postpone;
    const written = await write(tx, payment, until);
    if (written === undefined) return stillOurs(payment, await reread(tx, payment));
    if (isOpen(written)) await comeBack(tx, written);
    return { payment: written, goOn };
  });
}

/** After a write that found another row than it expected: goes on only when no other worker has it. */
export const stillOurs = (before: OpenPayment, now: Payment): Next => ({
  payment: now,
  goOn:
    now.state === before.state && now.attempt === before.attempt && now.leasedUntil === before.leasedUntil,
});

/** The longer it has been unknown, the slower we read: half its age, between one second and five minutes. */
const patienceMs = (payment: Payment, now: Instant): number =>
  Math.min(5 * minuteMs, Math.max(secondMs, Math.floor((now - payment.stateSince) / 2)));

/** Has a job come back to an open payment when its lease has ended: if we die, that is how it goes on. */
export const comeBack = (tx: TenantTx, { id, tenant, leasedUntil }: OpenPayment): Promise<void> =>
  enqueue(tx, { queue: settleQueue, key: id, payload: { tenant, payment: id }, runAt: leasedUntil });

/** Comes back for a booking that Stripe makes later. Until then the clearing account shows what it owes us, or we it. */
export const bookLater = (
  tx: TenantTx,
  { tenant, id }: Payment,
  { now, refund }: { now: Instant; refund?: Id<"refund"> },
): Promise<void> =>
  enqueue(tx, {
    queue: bookQueue,
    key: refund ?? id,
    payload: { tenant, payment: id, ...(refund === undefined ? {} : { refund }) },
    runAt: after(now, secondMs),
  });

export async function reread(tx: TenantTx, { id }: Payment): Promise<Payment> {
  const found = await rows.paymentById(tx, id);
  invariant(found !== undefined, "payments are never deleted");
  return found;
}

/** Notes a payment's new state. Wanting the cardholder is, for the log, a way of being declined. */
export const record = (tx: TenantTx, payment: Payment, now: Instant): Promise<void> => {
  const state = payment.state === "requires_action" ? "declined" : payment.state;
  return tx.record(eventOf(`payment.${state}`, payment, { now }));
};

export const eventOf = (
  type: EventType,
  payment: Payment,
  { now, payload }: { now: Instant; payload?: EventPayload },
): RemitEvent =>
  newEvent(
    type,
    {
      tenant: payment.tenant,
      actor: { type: "system", id: "billing" },
      subject: payment.id,
      payload: payload ?? {
        charge: payment.charge,
        generation: payment.generation,
        rail: payment.rail,
        amount_minor: Number(payment.amount.units),
        captured_minor: Number(payment.captured.units),
        refunded_minor: Number(payment.refunded.units),
        currency: payment.amount.asset.code,
        reference: payment.reference,
        decline_code: payment.declineCode,
      },
    },
    now,
  );
