import type { Asset, Id, Instant, Rounding } from "@remit/kernel";
import { type Sql, sql, sqlTime, type Tenant } from "@remit/platform/sql";
import type { Collection, TermsInForce } from "./fees.ts";
import type { FeeSchedule, Subject, Tier } from "./schedules.ts";

export async function termsInForce(
  tx: Sql,
  of: { rail: string; subject: Subject; asset: Asset; at: Instant },
): Promise<TermsInForce | undefined> {
  type Row = {
    readonly schedule: string;
    readonly collection: Collection;
    readonly rounding: Rounding;
    readonly from_minor: bigint;
    readonly basis_points: number;
    readonly fixed_minor: bigint;
    readonly minimum_minor: bigint;
  };
  const found = await tx.maybe<Row>(sql`
    select schedule, collection, rounding, from_minor, basis_points, fixed_minor, minimum_minor
    from fee_terms(${of.rail}, ${of.subject.merchant}, ${of.subject.tenant}, ${of.asset.code}, ${sqlTime(of.at)}::timestamptz)`);
  if (found === undefined) return undefined;
  const { schedule, collection, rounding } = found;
  return {
    schedule,
    collection,
    rounding,
    fromVolume: found.from_minor,
    basisPoints: BigInt(found.basis_points),
    fixed: found.fixed_minor,
    minimum: found.minimum_minor,
  };
}

export async function insertSchedule(tx: Sql, schedule: FeeSchedule, tenant: Tenant): Promise<void> {
  const { tiers, effectiveUntil } = schedule;
  await tx.run(sql`
    insert into fee_schedules (tenant_id, id, rail, merchant_id, currency, collection, rounding, effective_from, effective_until,
      set_by, set_at)
    values (${tenant}, ${schedule.id}, ${schedule.rail}, ${schedule.subject?.merchant ?? null}, ${schedule.currency},
      ${schedule.collection}, ${schedule.rounding}, ${sqlTime(schedule.effectiveFrom)},
      ${effectiveUntil === null ? null : sqlTime(effectiveUntil)}, ${schedule.setBy}, ${sqlTime(schedule.setAt)})`);
  await tx.run(sql`
    insert into fee_tiers (tenant_id, schedule_id, from_minor, basis_points, fixed_minor, minimum_minor)
    select ${tenant}, ${schedule.id}, t.from_minor, t.basis_points, t.fixed_minor, t.minimum_minor
    from unnest(${tiers.map(({ from }) => from)}::bigint[], ${tiers.map(({ basisPoints }) => basisPoints)}::integer[],
      ${tiers.map(({ fixed }) => fixed)}::bigint[], ${tiers.map(({ minimum }) => minimum)}::bigint[])
      as t (from_minor, basis_points, fixed_minor, minimum_minor)`);
}

/** Of the tenant of the transaction. */
export async function schedules(tx: Sql): Promise<FeeSchedule[]> {
  type Row = {
    readonly tenant_id: Id<"tenant"> | "platform";
    readonly id: Id<"schedule">;
    readonly rail: string;
    readonly merchant_id: Id<"merchant"> | null;
    readonly currency: string | null;
    readonly collection: Collection;
    readonly rounding: Rounding;
    readonly effective_from: Instant;
    readonly effective_until: Instant | null;
    readonly set_by: string;
    readonly set_at: Instant;
    readonly tiers: readonly { from: string; points: number; fixed: string; minimum: string }[];
  };
  const found = await tx.many<Row>(sql`
    select s.*, (select jsonb_agg(jsonb_build_object('from', t.from_minor::text, 'points', t.basis_points, 'fixed', t.fixed_minor::text,
      'minimum', t.minimum_minor::text) order by t.from_minor) from fee_tiers t where t.schedule_id = s.id) as tiers
    from fee_schedules s order by s.effective_from desc, s.set_at desc, s.id desc limit 500`);
  return found.map((row) => ({
    id: row.id,
    rail: row.rail,
    subject: subjectOf(row),
    currency: row.currency,
    collection: row.collection,
    rounding: row.rounding,
    effectiveFrom: row.effective_from,
    effectiveUntil: row.effective_until,
    tiers: row.tiers.map(
      (tier): Tier => ({
        from: BigInt(tier.from),
        basisPoints: tier.points,
        fixed: BigInt(tier.fixed),
        minimum: BigInt(tier.minimum),
      }),
    ),
    setBy: row.set_by,
    setAt: row.set_at,
  }));
}

const subjectOf = (row: {
  tenant_id: Id<"tenant"> | "platform";
  merchant_id: Id<"merchant"> | null;
}): Subject | null =>
  row.merchant_id === null || row.tenant_id === "platform"
    ? null
    : { tenant: row.tenant_id, merchant: row.merchant_id };
