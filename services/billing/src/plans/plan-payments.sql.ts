import { assetOf, type Id, type Instant, invariant, type Money, money } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { PlanCharge } from "./plan-payments.ts";

export const known = async (tx: Sql, subscription: string): Promise<Set<string>> =>
  new Set(
    (
      await tx.many<{ reference: string }>(
        sql`select reference from plan_charges where subscription = ${subscription}`,
      )
    ).map(({ reference }) => reference),
  );

/** False when it was written before. */
export const insert = async (tx: Sql, tenant: Id<"tenant">, charge: PlanCharge): Promise<boolean> => {
  const { gross, tax } = charge;
  const written = await tx.run(sql`
    insert into plan_charges (tenant_id, reference, subscription, tier, asset, gross, tax, tax_basis_points, reverse_charge, posted_at)
    values (${tenant}, ${charge.reference}, ${charge.subscription}, ${charge.tier}, ${gross.asset.code}, ${gross.units}, ${tax.units},
      ${charge.taxBasisPoints}, ${charge.reverseCharge}, ${sqlTime(charge.postedAt)})
    on conflict (tenant_id, reference) do nothing`);
  return written.count === 1;
};

type Row = {
  readonly reference: string;
  readonly subscription: string;
  readonly tier: string;
  readonly asset: string;
  readonly gross: string;
  readonly tax: string;
  readonly tax_basis_points: number;
  readonly reverse_charge: boolean;
  readonly posted_at: Instant;
};

function moneyIn(code: string, units: string): Money {
  const asset = assetOf(code);
  invariant(asset !== undefined, "a plan is paid in an asset we know");
  return money(asset, BigInt(units));
}

/** Of the transaction's tenant, in the order in which they were posted. */
export const within = async (tx: Sql, of: { from: Instant; until: Instant }): Promise<PlanCharge[]> =>
  (
    await tx.many<Row>(sql`
      select * from plan_charges where posted_at >= ${sqlTime(of.from)} and posted_at < ${sqlTime(of.until)}
      order by posted_at, reference`)
  ).map((row) => ({
    reference: row.reference,
    subscription: row.subscription,
    tier: row.tier,
    gross: moneyIn(row.asset, row.gross),
    tax: moneyIn(row.asset, row.tax),
    taxBasisPoints: row.tax_basis_points,
    reverseCharge: row.reverse_charge,
    postedAt: row.posted_at,
  }));

export const payers = (
  tx: Sql,
  of: { from: Instant; until: Instant; beyond: string; most: number },
): Promise<{ readonly tenant: Id<"tenant"> }[]> =>
  tx.many(sql`
    select plan_payers as tenant from plan_payers(${sqlTime(of.from)}::timestamptz, ${sqlTime(of.until)}::timestamptz, ${of.beyond}, ${of.most})`);
