import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { PlanLimits, PlanTier } from "@remit/protocol";
import type { Plan } from "./plans.ts";

type Row = {
  readonly tier: PlanTier;
  readonly version: bigint;
  readonly own_limits: PlanLimits | null;
  readonly source: Plan["source"];
  readonly subscription: string | null;
  readonly subscription_status: string | null;
  readonly period_end: Instant | null;
  readonly ends_with_period: boolean;
  readonly read_no: bigint;
};

const free: Plan = {
  tier: "free",
  version: 0,
  ownLimits: undefined,
  source: "subscription",
  subscription: undefined,
  status: undefined,
  periodEnd: undefined,
  endsWithPeriod: false,
  readNo: 0n,
};

const planOf = (row: Row): Plan => ({
  tier: row.tier,
  version: Number(row.version),
  ownLimits: row.own_limits ?? undefined,
  source: row.source,
  subscription: row.subscription ?? undefined,
  status: row.subscription_status ?? undefined,
  periodEnd: row.period_end ?? undefined,
  endsWithPeriod: row.ends_with_period,
  readNo: row.read_no,
});

export async function findPlan(tx: Sql): Promise<Plan> {
  const row = await tx.maybe<Row>(sql`select * from plans`);
  return row === undefined ? free : planOf(row);
}

/** One change of a tenant's plan after the other, also of one that has no row yet. */
export async function lockPlan(tx: Sql, tenant: Id<"tenant">): Promise<Plan> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`plan ${tenant}`}, 0))`);
  return findPlan(tx);
}

export async function savePlan(
  tx: Sql,
  { tenant, plan, now }: { readonly tenant: Id<"tenant">; readonly plan: Plan; readonly now: Instant },
): Promise<void> {
  const limits = plan.ownLimits === undefined ? null : JSON.stringify(plan.ownLimits);
  await tx.run(sql`
    insert into plans (tenant_id, tier, version, own_limits, source, subscription, subscription_status, period_end,
      ends_with_period, read_no, changed_at)
    values (${tenant}, ${plan.tier}, ${plan.version}, ${limits}::jsonb, ${plan.source}, ${plan.subscription ?? null},
      ${plan.status ?? null}, ${plan.periodEnd === undefined ? null : sqlTime(plan.periodEnd)}, ${plan.endsWithPeriod},
      ${plan.readNo}, ${sqlTime(now)})
    on conflict (tenant_id) do update set tier = excluded.tier, version = excluded.version,
      own_limits = excluded.own_limits, source = excluded.source, subscription = excluded.subscription,
      subscription_status = excluded.subscription_status, period_end = excluded.period_end,
      ends_with_period = excluded.ends_with_period, read_no = excluded.read_no, changed_at = excluded.changed_at`);
}

/** The place of a read that begins now, after all that have begun. */
export const nextRead = async (db: Sql): Promise<bigint> =>
  (await db.one<{ no: bigint }>(sql`select nextval('plan_reads') as no`)).no;

/**
 * Notes that what is paid is about to end because the organization does not act. What was to end anyway, or is over, is left
 * as it is.
 */
export async function markEndsWithOrganization(tx: Sql): Promise<void> {
  await tx.run(sql`update plans set ends_with_organization = true where not ends_with_period`);
}

/** False where nothing was noted, or somebody has decided since. */
export async function isMarked(tx: Sql): Promise<boolean> {
  return (await tx.maybe(sql`select from plans where ends_with_organization`)) !== undefined;
}

export async function clearMark(tx: Sql): Promise<void> {
  await tx.run(sql`update plans set ends_with_organization = false where ends_with_organization`);
}

export const tenantOfCustomer = async (db: Sql, customer: string): Promise<Id<"tenant"> | null> =>
  (
    await db.one<{ tenant: Id<"tenant"> | null }>(
      sql`select tenant_of_stripe_customer(${customer}) as tenant`,
    )
  ).tenant;
