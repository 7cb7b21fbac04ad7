import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Charge, ChargeState } from "./charges.ts";
import type { Crossing } from "./crossing.ts";

/** What the payee may see of a charge; amounts in minor units of `currency`. */
export type MerchantCharge = {
  readonly id: Id<"charge">;
  readonly merchant: Id<"merchant">;
  readonly client: string;
  readonly mandate: Id<"mandate">;
  readonly agent: Id<"agent">;
  readonly state: ChargeState;
  readonly generation: number;
  readonly amountMinor: bigint;
  readonly capturedMinor: bigint;
  readonly refundedMinor: bigint;
  readonly currency: string;
  readonly rail: Charge["rail"];
  readonly paymentReference: string | undefined;
  readonly because: string | undefined;
  readonly offerDigest: string;
  readonly serveBy: Instant;
  readonly captureBy: Instant;
  readonly createdAt: Instant;
  readonly receipt: Id<"receipt"> | undefined;
  /** While its principal is asked. */
  readonly asking: Charge["asking"];
  readonly livemode: boolean;
};

/** The payee's columns of a charge. */
export const viewOf = (charge: Charge): MerchantCharge => ({
  id: charge.id,
  merchant: charge.merchant,
  client: charge.merchantClient,
  mandate: charge.mandate,
  agent: charge.agent,
  state: charge.state,
  generation: charge.generation,
  amountMinor: charge.amount.units,
  capturedMinor: charge.capturedAt === undefined ? 0n : (charge.capture?.units ?? 0n),
  refundedMinor: charge.refunded.units,
  currency: charge.amount.asset.code,
  rail: charge.rail,
  paymentReference: charge.paymentReference,
  because: charge.because,
  offerDigest: charge.offer.digest,
  serveBy: charge.serveBy,
  captureBy: charge.captureBy,
  createdAt: charge.createdAt,
  receipt: charge.receipt,
  asking: charge.state === "pending_approval" ? charge.asking : undefined,
  livemode: charge.livemode,
});

/** Writes the payee's row of a charge, in the transaction that has just written the charge; with the commit at the latest. */
export async function keepMerchantCharge(crossing: Crossing, charge: Charge): Promise<void> {
  const tx = await crossing.payee();
  const { asking, ...view } = viewOf(charge);
  const capturedAt = charge.capturedAt === undefined ? null : sqlTime(charge.capturedAt);
  tx.defer(sql`insert into merchant_charges as m (tenant_id, id, merchant_id, client_id, mandate_id, agent_id, state,
      generation, amount_minor, captured_minor, refunded_minor, currency, rail, payment_reference, because, offer_id,
      offer_digest, serve_by, capture_by, created_at, captured_at, receipt_id, approval_id, approve_by, livemode)
    values (${tx.tenant}, ${view.id}, ${view.merchant}, ${view.client}, ${view.mandate}, ${view.agent}, ${view.state},
      ${view.generation}, ${view.amountMinor}, ${view.capturedMinor}, ${view.refundedMinor}, ${view.currency},
      ${view.rail}, ${view.paymentReference ?? null}, ${view.because ?? null}, ${charge.offer.id}, ${view.offerDigest},
      ${sqlTime(view.serveBy)}, ${sqlTime(view.captureBy)}, ${sqlTime(view.createdAt)}, ${capturedAt}::timestamptz,
      ${view.receipt ?? null}, ${asking?.approval ?? null},
      ${asking === undefined ? null : sqlTime(asking.until)}::timestamptz, ${view.livemode})
    on conflict (tenant_id, id) do update set state = excluded.state, generation = excluded.generation,
      captured_minor = excluded.captured_minor, refunded_minor = excluded.refunded_minor,
      payment_reference = excluded.payment_reference, because = excluded.because, serve_by = excluded.serve_by,
      captured_at = excluded.captured_at, receipt_id = excluded.receipt_id, approval_id = excluded.approval_id,
      approve_by = excluded.approve_by`);
}

type Row = {
  readonly id: Id<"charge">;
  readonly merchant_id: Id<"merchant">;
  readonly client_id: string;
  readonly mandate_id: Id<"mandate">;
  readonly agent_id: Id<"agent">;
  readonly state: ChargeState;
  readonly generation: number;
  readonly amount_minor: bigint;
  readonly captured_minor: bigint;
  readonly refunded_minor: bigint;
  readonly currency: string;
  readonly rail: Charge["rail"];
  readonly payment_reference: string | null;
  readonly because: string | null;
  readonly offer_digest: string;
  readonly serve_by: Instant;
  readonly capture_by: Instant;
  readonly created_at: Instant;
  readonly receipt_id: Id<"receipt"> | null;
  readonly approval_id: Id<"approval"> | null;
  readonly approve_by: Instant | null;
  readonly livemode: boolean;
};

const merchantChargeOf = (row: Row): MerchantCharge => ({
  id: row.id,
  merchant: row.merchant_id,
  client: row.client_id,
  mandate: row.mandate_id,
  agent: row.agent_id,
  state: row.state,
  generation: row.generation,
  amountMinor: row.amount_minor,
  capturedMinor: row.captured_minor,
  refundedMinor: row.refunded_minor,
  currency: row.currency,
  rail: row.rail,
  paymentReference: row.payment_reference ?? undefined,
  because: row.because ?? undefined,
  offerDigest: row.offer_digest,
  serveBy: row.serve_by,
  captureBy: row.capture_by,
  createdAt: row.created_at,
  receipt: row.receipt_id ?? undefined,
  asking:
    row.approval_id === null || row.approve_by === null
      ? undefined
      : { approval: row.approval_id, until: row.approve_by },
  livemode: row.livemode,
});

/** The charge that this client made, in this transaction's tenant. */
export async function findMerchantCharge(
  tx: Sql,
  id: Id<"charge">,
  client: string,
): Promise<MerchantCharge | undefined> {
  const row = await tx.maybe<Row>(
    sql`select * from merchant_charges where id = ${id} and client_id = ${client}`,
  );
  return row && merchantChargeOf(row);
}

export async function listMerchantCharges(
  tx: Sql,
  page: { limit: number; before: Id<"charge"> | undefined; client: string },
): Promise<MerchantCharge[]> {
  // "~" sorts after every id, in the "C" order of the ids.
  const found = await tx.many<Row>(sql`select * from merchant_charges where client_id = ${page.client}
      and id < ${page.before ?? "~"}
    order by id desc limit ${page.limit}`);
  return found.map(merchantChargeOf);
}
