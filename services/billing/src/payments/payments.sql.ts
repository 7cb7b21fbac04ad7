import { assetOf, type Id, type Instant, invariant, type Money, money } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import {
  type CaptureFee,
  type OpenState,
  openStates,
  type Payment,
  type PaymentState,
  type Refund,
} from "./payment.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"payment">;
  readonly charge_id: Id<"charge">;
  readonly generation: number;
  readonly payee_id: Id<"tenant">;
  readonly merchant_id: Id<"merchant">;
  readonly rail: Payment["rail"];
  readonly customer: string | null;
  readonly method: string | null;
  readonly transfer: Payment["transfer"];
  readonly settled_by: string | null;
  readonly destination: string | null;
  readonly currency: string;
  readonly amount_minor: bigint;
  readonly state: PaymentState;
  readonly attempt: number;
  readonly reference: string | null;
  readonly release_wanted: boolean;
  readonly capture_minor: bigint | null;
  readonly fee_minor: bigint | null;
  readonly fee_schedule: string | null;
  readonly fee_from_minor: bigint | null;
  readonly fee_collection: "withheld" | "invoiced" | null;
  readonly captured_minor: bigint;
  readonly refunded_minor: bigint;
  readonly decline_code: string | null;
  readonly leased_until: Instant;
  readonly state_since: Instant;
};

function moneyIn(currency: string, minor: bigint): Money {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a stored currency is one we know");
  return money(asset, minor);
}

function feeOf(row: Row): CaptureFee | null {
  const {
    fee_minor: minor,
    fee_schedule: schedule,
    fee_from_minor: fromVolume,
    fee_collection: collection,
  } = row;
  // All four or none, by a check of the table.
  if (minor === null || schedule === null || fromVolume === null || collection === null) return null;
  return { amount: moneyIn(row.currency, minor), terms: { schedule, fromVolume, collection } };
}

const paymentOf = (row: Row): Payment => ({
  id: row.id,
  tenant: row.tenant_id,
  charge: row.charge_id,
  generation: row.generation,
  payee: row.payee_id,
  merchant: row.merchant_id,
  rail: row.rail,
  customer: row.customer,
  method: row.method,
  transfer: row.transfer,
  settledBy: row.settled_by,
  amount: moneyIn(row.currency, row.amount_minor),
  destination: row.destination,
  state: row.state,
  attempt: row.attempt,
  reference: row.reference,
  releaseWanted: row.release_wanted,
  capture: row.capture_minor === null ? null : moneyIn(row.currency, row.capture_minor),
  fee: feeOf(row),
  captured: moneyIn(row.currency, row.captured_minor),
  refunded: moneyIn(row.currency, row.refunded_minor),
  declineCode: row.decline_code,
  leasedUntil: row.leased_until,
  stateSince: row.state_since,
});

const maybe = (row: Row | undefined): Payment | undefined => (row === undefined ? undefined : paymentOf(row));

/** False when the charge has a payment of this generation already. */
export async function insertPayment(tx: Sql, payment: Payment): Promise<boolean> {
  const written = await tx.run(sql`
    insert into payments (tenant_id, id, charge_id, generation, payee_id, merchant_id, rail, customer, method, transfer, destination,
      currency, amount_minor, state, leased_until, state_since, created_at)
    values (${payment.tenant}, ${payment.id}, ${payment.charge}, ${payment.generation}, ${payment.payee},
      ${payment.merchant}, ${payment.rail}, ${payment.customer}, ${payment.method},
      ${payment.transfer === null ? null : JSON.stringify(payment.transfer)}::jsonb, ${payment.destination}, ${payment.amount.asset.code},
      ${payment.amount.units}, ${payment.state}, ${sqlTime(payment.leasedUntil)}, ${sqlTime(payment.stateSince)},
      ${sqlTime(payment.stateSince)})
    on conflict (charge_id, generation) do nothing`);
  return written.count === 1;
}

export const paymentOfCharge = async (
  tx: Sql,
  of: { charge: Id<"charge">; generation: number },
): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(
      sql`select * from payments where charge_id = ${of.charge} and generation = ${of.generation}`,
    ),
  );

export const paymentsOfCharge = async (tx: Sql, charge: Id<"charge">): Promise<Payment[]> =>
  (
    await tx.many<Row>(sql`select * from payments where charge_id = ${charge} order by generation limit 100`)
  ).map(paymentOf);

export const paymentById = async (tx: Sql, id: Id<"payment">): Promise<Payment | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from payments where id = ${id}`));

export const paymentByReference = async (tx: Sql, reference: string): Promise<Payment | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from payments where reference = ${reference}`));

/** The payer's tenant, by a function that tells nothing else. */
export const tenantOfPayment = async (tx: Sql, id: Id<"payment">): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_payment(${id}) as tenant`)).tenant;

export const tenantOfCharge = async (tx: Sql, charge: Id<"charge">): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_charge(${charge}) as tenant`)).tenant;

export const tenantOfReference = async (tx: Sql, reference: string): Promise<Id<"tenant"> | null> =>
  (
    await tx.one<{ tenant: Id<"tenant"> | null }>(
      sql`select tenant_of_payment_reference(${reference}) as tenant`,
    )
  ).tenant;

/** Takes an open payment whose former holder is late; nobody else has it until the lease ends. */
export const takeLease = async (
  tx: Sql,
  of: { id: Id<"payment">; now: Instant; until: Instant },
): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set leased_until = ${sqlTime(of.until)}
      where id = ${of.id} and state = any(${[...openStates]}) and leased_until <= ${sqlTime(of.now)} returning *`),
  );

/** Writes down the provider's id before anything is asked of it. Undefined when the payment has moved on meanwhile. */
export const keepReference = async (
  tx: Sql,
  payment: Payment,
  reference: string,
): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set reference = ${reference}
      where id = ${payment.id} and state = 'authorizing' and attempt = ${payment.attempt}
        and leased_until = ${sqlTime(payment.leasedUntil)} and (reference is null or reference = ${reference})
      returning *`),
  );

export type Begin = {
  readonly id: Id<"payment">;
  readonly from: readonly PaymentState[];
  readonly to: OpenState;
  readonly capture?: { readonly amount: Money; readonly fee: CaptureFee };
  /** Where what is asked for now is called otherwise: kept before it is asked. */
  readonly reference?: string;
  readonly now: Instant;
  readonly until: Instant;
};

/** Enters an open state and takes its lease; the loser of a race gets undefined. */
export const begin = async (
  tx: Sql,
  { id, from, to, capture, reference, now, until }: Begin,
): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set state = ${to}, attempt = 1, capture_minor = coalesce(${capture?.amount.units ?? null}::bigint, capture_minor),
        fee_minor = coalesce(${capture?.fee.amount.units ?? null}::bigint, fee_minor),
        fee_schedule = coalesce(${capture?.fee.terms.schedule ?? null}, fee_schedule),
        fee_from_minor = coalesce(${capture?.fee.terms.fromVolume ?? null}::bigint, fee_from_minor),
        fee_collection = coalesce(${capture?.fee.terms.collection ?? null}, fee_collection),
        reference = coalesce(${reference ?? null}, reference), leased_until = ${sqlTime(until)}, state_since = ${sqlTime(now)}
      where id = ${id} and state = any(${[...from]}) returning *`),
  );

export const wantRelease = async (tx: Sql, id: Id<"payment">): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(
      sql`update payments set release_wanted = true where id = ${id} and state = 'authorizing' returning *`,
    ),
  );

export type Become = {
  readonly state: PaymentState;
  readonly declineCode: string | null;
  readonly captured: Money | null;
  readonly settledBy: string | null;
  readonly now: Instant;
  readonly until: Instant;
};

/**
 * One transition: only from the very state, attempt and lease that were decided upon. Without a release that was asked
 * for meanwhile: an authorised payment that nobody would release is the one thing this must not write.
 */
export const become = async (tx: Sql, payment: Payment, to: Become): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set state = ${to.state}, attempt = 1,
        decline_code = case when ${to.state === "authorized"} then null else coalesce(${to.declineCode}, decline_code) end,
        captured_minor = coalesce(${to.captured?.units ?? null}::bigint, captured_minor),
        settled_by = coalesce(${to.settledBy}, settled_by),
        leased_until = ${sqlTime(to.until)}, state_since = ${sqlTime(to.now)}
      where id = ${payment.id} and state = ${payment.state} and attempt = ${payment.attempt}
        and leased_until = ${sqlTime(payment.leasedUntil)} and release_wanted = ${payment.releaseWanted}
      returning *`),
  );

export const nextAttempt = async (tx: Sql, payment: Payment, until: Instant): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set attempt = attempt + 1, leased_until = ${sqlTime(until)}
      where id = ${payment.id} and state = ${payment.state} and attempt = ${payment.attempt}
        and leased_until = ${sqlTime(payment.leasedUntil)} returning *`),
  );

/** Gives the lease back, to be taken again at a time. */
export const postpone = async (tx: Sql, payment: Payment, until: Instant): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set leased_until = ${sqlTime(until)}
      where id = ${payment.id} and state = ${payment.state} and attempt = ${payment.attempt}
        and leased_until = ${sqlTime(payment.leasedUntil)} returning *`),
  );

type RefundRow = {
  readonly id: Id<"refund">;
  readonly payment_id: Id<"payment">;
  readonly amount_minor: bigint;
  readonly state: Refund["state"];
  readonly reference: string | null;
  readonly transaction: string | null;
  readonly because: string | null;
  readonly takes_back: boolean;
};

/**
 * Stripe takes back its own transfer alone. Of that one may be gone on again since, by ours, or is to: of a refund that gave the payer
 * nothing after all, the job that has it go on may not have come to it yet.
 */
export async function insertRefund(
  tx: Sql,
  payment: Payment,
  refund: Omit<Refund, "reference" | "because" | "takesBack"> & { at: Instant },
): Promise<boolean> {
  const written = await tx.run(sql`
    insert into refunds (tenant_id, id, payment_id, amount_minor, state, transaction, created_at, takes_back)
    values (${payment.tenant}, ${refund.id}, ${payment.id}, ${refund.amount.units}, ${refund.state}, ${refund.transaction},
      ${sqlTime(refund.at)}, ${payment.destination !== null} and tenant_of_transfers_of_payment(${payment.id}) is null
        and not exists (select from refunds f where f.payment_id = ${payment.id} and f.state in ('refused', 'failed')
          and f.takes_back and f.reference is not null))
    on conflict (id) do nothing`);
  return written.count === 1;
}

const refundOf = (payment: Payment, row: RefundRow): Refund => ({
  id: row.id,
  payment: row.payment_id,
  amount: money(payment.amount.asset, row.amount_minor),
  state: row.state,
  reference: row.reference,
  transaction: row.transaction,
  because: row.because,
  takesBack: payment.destination !== null && row.takes_back,
});

export async function refundById(tx: Sql, payment: Payment, id: Id<"refund">): Promise<Refund | undefined> {
  const row = await tx.maybe<RefundRow>(
    sql`select id, payment_id, amount_minor, state, reference, transaction, because, takes_back from refunds where id = ${id} and payment_id = ${payment.id}`,
  );
  return row === undefined ? undefined : refundOf(payment, row);
}

/** The refunds of a payment, the newest first. */
export const refundsOf = async (tx: Sql, payment: Payment): Promise<Refund[]> =>
  (
    await tx.many<RefundRow>(sql`
      select id, payment_id, amount_minor, state, reference, transaction, because, takes_back from refunds where payment_id = ${payment.id}
      order by created_at desc, id desc limit 100`)
  ).map((row) => refundOf(payment, row));

/** The refund that a refunding payment is busy with: there is one at a time. */
export async function runningRefund(tx: Sql, payment: Payment): Promise<Refund> {
  const row = await tx.one<RefundRow>(
    sql`select id, payment_id, amount_minor, state, reference, transaction, because, takes_back from refunds where payment_id = ${payment.id} and state = 'refunding'`,
  );
  return refundOf(payment, row);
}

export type BeginRefund = {
  readonly id: Id<"payment">;
  readonly refund: Id<"refund">;
  readonly amount: Money;
  readonly now: Instant;
  readonly until: Instant;
};

/** Starts a refund if it is new and fits into what is left. */
export const beginRefund = async (tx: Sql, of: BeginRefund): Promise<Payment | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update payments set state = 'refunding', attempt = 1, leased_until = ${sqlTime(of.until)}, state_since = ${sqlTime(of.now)}
      where id = ${of.id} and state = 'captured' and refunded_minor + ${of.amount.units} <= captured_minor
        and not exists (select from refunds r where r.id = ${of.refund})
      returning *`),
  );

export type EndRefund = {
  readonly refund: Id<"refund">;
  readonly state: "refunded" | "refused";
  readonly reference: string | null;
  readonly refunded: Money;
  readonly because: string | null;
  readonly now: Instant;
};

/** Ends a refund: what came back is added, and the payment is refunded once all of it is. */
export async function endRefund(tx: Sql, payment: Payment, end: EndRefund): Promise<Payment | undefined> {
  const row = await tx.maybe<Row>(sql`
    update payments set refunded_minor = refunded_minor + ${end.refunded.units},
      state = case when refunded_minor + ${end.refunded.units} = captured_minor then 'refunded' else 'captured' end,
      attempt = 1, leased_until = ${sqlTime(end.now)}, state_since = ${sqlTime(end.now)}
    where id = ${payment.id} and state = 'refunding' and attempt = ${payment.attempt}
      and leased_until = ${sqlTime(payment.leasedUntil)} returning *`);
  if (row === undefined) return undefined;
  const written = await tx.run(sql`
    update refunds set state = ${end.state}, reference = ${end.reference}, because = ${end.because}
    where id = ${end.refund} and payment_id = ${payment.id} and state = 'refunding'`);
  invariant(written.count === 1, "a refunding payment has a refund that is running");
  return paymentOf(row);
}
