import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Claim, Worker } from "../claims/index.ts";
import type { Refund, SellersTransfer } from "./refunds.ts";

type PaidRow = Pick<Claim, "id" | "rail" | "state" | "currency"> & {
  readonly merchant_id: Id<"merchant">;
  readonly amount_minor: bigint;
  readonly captured_minor: bigint | null;
  readonly refunded_minor: bigint;
  readonly payer: string;
  readonly reference: string | null;
  readonly settlement: string | null;
  readonly account: string | null;
};

/** A payment as far as refunds need it. */
export type Paid = Pick<Claim, "id" | "rail" | "state" | "currency" | "merchant" | "payer"> & {
  readonly takenMinor: number;
  readonly refundedMinor: number;
  readonly heldMinor: number;
  readonly reference: string | undefined;
  readonly settlement: string | undefined;
  readonly account: string | undefined;
};

/**
 * By the claim's id, or by what the card network or the chain calls it; locked, so that sums are of one at a time. `several`
 * where one transaction of a chain has paid more than one.
 */
export async function lockPaid(tx: TenantTx, payment: string): Promise<Paid | "several" | undefined> {
  const [row, other] = await tx.many<PaidRow>(sql`
    select * from claims
    where id = ${payment} or (state in ('captured', 'owed') and (reference = ${payment} or settlement = ${payment}))
    order by id = ${payment} desc limit 2 for update`);
  if (row === undefined) return undefined;
  return other !== undefined && row.id !== payment ? "several" : paidOf(row);
}

export async function findPaid(tx: TenantTx, id: Id<"claim">): Promise<Paid> {
  return paidOf(await tx.one<PaidRow>(sql`select * from claims where id = ${id}`));
}

const paidOf = (row: PaidRow): Paid => ({
  id: row.id,
  rail: row.rail,
  state: row.state,
  currency: row.currency,
  merchant: row.merchant_id,
  payer: row.payer,
  takenMinor: Number(row.captured_minor ?? row.amount_minor),
  refundedMinor: Number(row.refunded_minor),
  heldMinor: Number(row.amount_minor),
  reference: row.reference ?? undefined,
  settlement: row.settlement ?? undefined,
  account: row.account ?? undefined,
});

/** Books it on the payment; false when it would be more than was paid. `minor` is negative for what comes back. */
export async function book(tx: TenantTx, claim: Id<"claim">, minor: number): Promise<boolean> {
  const written = await tx.run(sql`
    update claims set refunded_minor = refunded_minor + ${minor}
    where id = ${claim} and state = 'captured'
      and refunded_minor + ${minor} between 0 and coalesce(captured_minor, amount_minor)`);
  return written.count === 1;
}

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"refund">;
  readonly claim_id: Id<"claim">;
  readonly amount_minor: bigint;
  readonly state: Refund["state"];
  readonly attempt: number;
  readonly transfer: SellersTransfer | null;
  readonly signature: string | null;
  readonly reference: string | null;
  readonly because: string | null;
  readonly generation: number;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

export const insertRefund = (
  tx: TenantTx,
  refund: Refund,
  lease: { readonly by: Worker; readonly until: Instant },
): Promise<unknown> =>
  tx.run(sql`
    insert into refunds (tenant_id, id, claim_id, amount_minor, state, transfer, worker, boot, leased_until, created_at,
      updated_at)
    values (${refund.tenant}, ${refund.id}, ${refund.claim}, ${refund.amountMinor}, ${refund.state},
      ${refund.transfer === undefined ? null : JSON.stringify(refund.transfer)}::jsonb, ${lease.by.worker},
      ${lease.by.boot}, ${sqlTime(lease.until)}, ${sqlTime(refund.createdAt)}, ${sqlTime(refund.createdAt)})`);

export async function findRefund(tx: TenantTx, id: Id<"refund">): Promise<Refund | undefined> {
  const row = await tx.maybe<Row>(sql`select * from refunds where id = ${id}`);
  return row === undefined ? undefined : refundOf(row);
}

export type Moved = {
  readonly state: Refund["state"];
  readonly reference?: string;
  readonly because?: string;
  readonly signature?: string;
  readonly attempt?: number;
  readonly now: Instant;
  readonly leasedUntil: Instant;
};

/** Moves it, if it is still where we left it and nobody has taken it over. */
export async function moveRefund(tx: TenantTx, refund: Refund, to: Moved): Promise<boolean> {
  const written = await tx.run(sql`
    update refunds set state = ${to.state}, reference = coalesce(${to.reference ?? null}::text, reference),
      because = ${to.because ?? null}, signature = coalesce(${to.signature ?? null}::text, signature),
      attempt = coalesce(${to.attempt ?? null}::integer, attempt), leased_until = ${sqlTime(to.leasedUntil)},
      updated_at = ${sqlTime(to.now)}
    where id = ${refund.id} and state = ${refund.state} and generation = ${refund.generation}`);
  return written.count === 1;
}

/** Lets somebody else take it over from `at` on. */
export const leaveRefund = (tx: TenantTx, refund: Refund, at: Instant): Promise<unknown> =>
  tx.run(sql`update refunds set leased_until = ${sqlTime(at)}
    where id = ${refund.id} and state = ${refund.state} and generation = ${refund.generation}`);

/** Takes one over whose lease has ended, or which an earlier run of this worker was sending. */
export async function takeOver(
  tx: TenantTx,
  id: Id<"refund">,
  by: Worker & { readonly now: Instant; readonly until: Instant },
): Promise<Refund | undefined> {
  const row = await tx.maybe<Row>(sql`
    update refunds set worker = ${by.worker}, boot = ${by.boot}, generation = generation + 1,
      leased_until = ${sqlTime(by.until)}
    where id = ${id} and state in ('unsigned', 'sending') and (leased_until <= ${sqlTime(by.now)}
      or (state = 'sending' and worker = ${by.worker} and boot <> ${by.boot}))
    returning *`);
  return row === undefined ? undefined : refundOf(row);
}

/** Where open ones are that nobody works on. For the relay. */
export const findDue = (
  tx: Sql,
  by: Worker & { readonly now: Instant },
): Promise<{ tenant_id: Id<"tenant">; id: Id<"refund"> }[]> =>
  tx.many(sql`
    select tenant_id, id from refunds
    where state in ('unsigned', 'sending') and (leased_until <= ${sqlTime(by.now)}
      or (state = 'sending' and worker = ${by.worker} and boot <> ${by.boot}))
    order by leased_until limit 50`);

const refundOf = (row: Row): Refund => ({
  tenant: row.tenant_id,
  id: row.id,
  claim: row.claim_id,
  amountMinor: Number(row.amount_minor),
  state: row.state,
  attempt: row.attempt,
  ...(row.transfer !== null && { transfer: row.transfer }),
  ...(row.signature !== null && { signature: row.signature }),
  ...(row.reference !== null && { reference: row.reference }),
  ...(row.because !== null && { because: row.because }),
  generation: row.generation,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
