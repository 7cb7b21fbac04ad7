import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { anyMerchant, Dispute, DisputeMove } from "./disputes.ts";

type Row = {
  readonly id: Id<"dispute">;
  readonly charge_id: Id<"charge">;
  readonly payer_id: Id<"tenant">;
  readonly payee_id: Id<"tenant">;
  readonly merchant_id: Id<"merchant">;
  readonly client_id: string;
  readonly agent_id: Id<"agent">;
  readonly origin: Dispute["origin"];
  readonly state: Dispute["state"];
  readonly reason: string;
  readonly because: string | null;
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly refund_minor: bigint | null;
  readonly refund: Dispute["refund"];
  readonly refund_attempt: number;
  readonly respond_by: Instant | null;
  readonly review_by: Instant | null;
  readonly opened_at: Instant;
  readonly answered_at: Instant | null;
  readonly decided_at: Instant | null;
  readonly version: number;
};

const disputeOf = (row: Row): Dispute => ({
  id: row.id,
  charge: row.charge_id,
  payer: row.payer_id,
  payee: row.payee_id,
  merchant: row.merchant_id,
  client: row.client_id,
  agent: row.agent_id,
  origin: row.origin,
  state: row.state,
  reason: row.reason,
  because: row.because ?? undefined,
  amountMinor: row.amount_minor,
  currency: row.currency,
  refundMinor: row.refund_minor ?? undefined,
  refund: row.refund,
  refundAttempt: row.refund_attempt,
  respondBy: row.respond_by ?? undefined,
  reviewBy: row.review_by ?? undefined,
  openedAt: row.opened_at,
  answeredAt: row.answered_at ?? undefined,
  decidedAt: row.decided_at ?? undefined,
  version: row.version,
});

const timeOf = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));

/** Writes the row of this transaction's tenant. False when it has one of this id, or an open one about the charge. */
export async function insertDispute(
  tx: TenantTx,
  dispute: Dispute,
  statement: Uint8Array | undefined,
): Promise<boolean> {
  const { count } = await tx.run(sql`
    insert into disputes (tenant_id, id, charge_id, payer_id, payee_id, merchant_id, client_id, agent_id, origin, state, reason,
      because, amount_minor, currency, respond_by, review_by, opened_at, answered_at, decided_at, statement)
    values (${tx.tenant}, ${dispute.id}, ${dispute.charge}, ${dispute.payer}, ${dispute.payee}, ${dispute.merchant},
      ${dispute.client}, ${dispute.agent}, ${dispute.origin}, ${dispute.state}, ${dispute.reason}, ${dispute.because ?? null},
      ${dispute.amountMinor}, ${dispute.currency}, ${timeOf(dispute.respondBy)}::timestamptz,
      ${timeOf(dispute.reviewBy)}::timestamptz, ${sqlTime(dispute.openedAt)}, ${timeOf(dispute.answeredAt)}::timestamptz,
      ${timeOf(dispute.decidedAt)}::timestamptz, ${statement === undefined ? null : Buffer.from(statement)}::bytea)
    on conflict do nothing`);
  return count === 1;
}

/** Of a principal and the card network, who dispute a charge at once, the second sees the first: until the transaction ends. */
export const lockDisputesOf = (tx: Sql, charge: Id<"charge">): Promise<unknown> =>
  tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`disputes of ${charge}`}, 0))`);

/** What the card network has of a charge, in minor units: what it may take yet, what it has taken for good; and when it last decided. */
export type AtNetwork = {
  readonly open: bigint;
  readonly lost: bigint;
  readonly decidedAt: Instant | null;
};

export const atNetwork = (tx: Sql, charge: Id<"charge">): Promise<AtNetwork> =>
  tx.one<AtNetwork>(sql`select
      coalesce(sum(amount_minor) filter (where state in ('needs_response', 'under_review')), 0)::bigint as open,
      coalesce(sum(amount_minor) filter (where state = 'lost'), 0)::bigint as lost,
      max(decided_at) as "decidedAt"
    from disputes where charge_id = ${charge} and origin = 'network'`);

/** Those of its principal that the card network's word may concern: the open one, and what was lost and is not given back by us. */
export const concernedBy = async (tx: TenantTx, charge: Id<"charge">): Promise<Dispute[]> =>
  (
    await tx.many<Row>(sql`select * from disputes where charge_id = ${charge} and origin = 'principal'
      and (state in ('needs_response', 'under_review')
        or state = 'lost' and (refund in ('due', 'refused') or refund_minor is null))
      order by id for update`)
  ).map(disputeOf);

/** Whether a dispute of a principal about the charge was decided for its merchant. */
export const wasWon = async (tx: Sql, charge: Id<"charge">): Promise<boolean> =>
  (
    await tx.one<{ won: boolean }>(sql`select exists (select from disputes
      where charge_id = ${charge} and origin = 'principal' and state = 'won') as won`)
  ).won;

export async function findDispute(
  tx: Sql,
  id: Id<"dispute">,
  lock: "none" | "update" = "none",
): Promise<Dispute | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from disputes where id = ${id}`
      : sql`select * from disputes where id = ${id} for update`,
  );
  return row && disputeOf(row);
}

/** What people wrote, sealed. */
export const findWords = (
  tx: Sql,
  id: Id<"dispute">,
): Promise<{ statement: Uint8Array | null; answer: Uint8Array | null } | undefined> =>
  tx.maybe(sql`select statement, answer from disputes where id = ${id}`);

export type DisputePage = {
  readonly limit: number;
  readonly before: Id<"dispute"> | undefined;
  readonly state: Dispute["state"] | undefined;
  readonly charge: Id<"charge"> | undefined;
  /** A merchant's client, or all of the tenant's merchants; the payer's side when undefined. */
  readonly client: string | typeof anyMerchant | undefined;
};

/** The disputes in which this transaction's tenant is the payer, or the payee by that client; newest first. */
export async function listDisputes(tx: TenantTx, page: DisputePage): Promise<Dispute[]> {
  const payee = page.client !== undefined;
  const client = typeof page.client === "string" ? page.client : null;
  // "~" sorts after every id, in the "C" order of the ids.
  const rows = await tx.many<Row>(sql`
    select * from disputes where id < ${page.before ?? "~"}
      and (${page.state ?? null}::text is null or state = ${page.state ?? null})
      and (${page.charge ?? null}::text is null or charge_id = ${page.charge ?? null})
      and case when ${payee} then payee_id = ${tx.tenant} else payer_id = ${tx.tenant} end
      and (${client}::text is null or client_id = ${client})
    order by id desc limit ${page.limit}`);
  return rows.map(disputeOf);
}

/** Moves the row of this transaction's tenant on from the version that was decided upon; undefined when it has moved. */
export async function moveDispute(
  tx: Sql,
  from: Dispute,
  to: DisputeMove & { readonly answer?: Uint8Array | undefined; readonly respondBy?: Instant | undefined },
): Promise<Dispute | undefined> {
  const row = await tx.maybe<Row>(sql`
    update disputes set state = ${to.state}, because = coalesce(${to.because ?? null}, because),
      refund = coalesce(${to.refund ?? null}, refund), respond_by = coalesce(${timeOf(to.respondBy)}::timestamptz, respond_by),
      review_by = coalesce(${timeOf(to.reviewBy)}::timestamptz, review_by),
      answered_at = coalesce(${timeOf(to.answeredAt)}::timestamptz, answered_at),
      decided_at = ${timeOf(to.decidedAt)}::timestamptz,
      answer = coalesce(${to.answer === undefined ? null : Buffer.from(to.answer)}::bytea, answer), version = version + 1
    where id = ${from.id} and version = ${from.version} returning *`);
  return row && disputeOf(row);
}

export type RefundNote = Pick<Dispute, "refund" | "refundMinor"> & {
  /** With a request of its own: the one before it is over. */
  readonly anew?: boolean;
};

/** Says how much is given back, or what became of that. */
export async function noteRefund(tx: Sql, from: Dispute, to: RefundNote): Promise<Dispute | undefined> {
  const row = await tx.maybe<Row>(sql`
    update disputes set refund = ${to.refund}, refund_minor = ${to.refundMinor ?? null},
      refund_attempt = refund_attempt + ${to.anew === true ? 1 : 0}, version = version + 1
    where id = ${from.id} and version = ${from.version} returning *`);
  return row && disputeOf(row);
}

/** The tenant of one of its sides. */
export const tenantOfDispute = async (tx: Sql, id: Id<"dispute">): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_dispute(${id}) as tenant`)).tenant;
