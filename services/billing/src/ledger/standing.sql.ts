import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Standing } from "./standing.ts";

export const standing = (tx: Sql): Promise<Standing> =>
  tx.one<Standing>(sql`
    select checked_at as "checkedAt", halted_since as "haltedSince", failing_since as "failingSince" from ledger_standing`);

export const noteChecked = (tx: Sql, of: { balanced: boolean; now: Instant }): Promise<unknown> =>
  tx.run(sql`
    update ledger_standing set checked_at = ${sqlTime(of.now)}::timestamptz, failing_since = null,
      halted_since = case when ${of.balanced} then null else coalesce(halted_since, ${sqlTime(of.now)}::timestamptz) end`);

export const noteFailing = (tx: Sql, now: Instant): Promise<unknown> =>
  tx.run(
    sql`update ledger_standing set failing_since = coalesce(failing_since, ${sqlTime(now)}::timestamptz)`,
  );
