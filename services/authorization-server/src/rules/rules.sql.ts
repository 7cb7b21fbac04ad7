import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { KeptLimit, KeptRules, Threshold } from "./rules.ts";

type Row = {
  readonly version: number;
  readonly limits: readonly KeptLimit[];
  readonly step_up: readonly Threshold[];
  readonly blocked_merchants: readonly string[];
  readonly blocked_categories: readonly string[];
  readonly changed_at: Instant;
};

export async function findRules(tx: Sql): Promise<KeptRules | undefined> {
  const row =
    await tx.maybe<Row>(sql`select version, limits, step_up, blocked_merchants, blocked_categories, changed_at
    from wallet_rules`);
  return (
    row && {
      version: row.version,
      limits: row.limits,
      stepUp: row.step_up,
      blockedMerchants: row.blocked_merchants,
      blockedCategories: row.blocked_categories,
      changedAt: row.changed_at,
    }
  );
}

/** False when the version that the change is of is not the one there is. */
export async function saveRules(
  tx: TenantTx,
  rules: KeptRules & { readonly changedAt: Instant },
): Promise<boolean> {
  const [limits, stepUp] = [JSON.stringify(rules.limits), JSON.stringify(rules.stepUp)];
  const [merchants, categories] = [[...rules.blockedMerchants], [...rules.blockedCategories]];
  const at = sqlTime(rules.changedAt);
  const { count } =
    rules.version === 1
      ? await tx.run(sql`insert into wallet_rules
          (tenant_id, version, limits, step_up, blocked_merchants, blocked_categories, changed_at)
          values (${tx.tenant}, 1, ${limits}::jsonb, ${stepUp}::jsonb, ${merchants}::text[], ${categories}::text[], ${at})
          on conflict do nothing`)
      : await tx.run(sql`update wallet_rules set version = ${rules.version}, limits = ${limits}::jsonb,
          step_up = ${stepUp}::jsonb, blocked_merchants = ${merchants}::text[],
          blocked_categories = ${categories}::text[], changed_at = ${at}
          where version = ${rules.version - 1}`);
  return count === 1;
}

/** The zones among these that the database does not know. */
export const unknownZones = async (tx: Sql, zones: readonly string[]): Promise<readonly string[]> =>
  (
    await tx.many<{ zone: string }>(sql`select zone from unnest(${[...zones]}::text[]) as zone
      where not exists (select 1 from pg_timezone_names where name = zone)`)
  ).map(({ zone }) => zone);
