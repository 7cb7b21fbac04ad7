import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Standing } from "./standing.ts";

export const standing = (tx: Sql): Promise<Standing> =>
  tx.one<Standing>(sql`
    select checked_at as "checkedAt", halted_since as "haltedSince", failing_since as "failingSince" from ledger_standing`);

/** What began before the newest one that has ended may halt, since the next look is near then; it lets nothing go on. */
export const noteChecked = (tx: Sql, of: { balanced: boolean; began: Instant }): Promise<unknown> =>
  tx.run(sql`
    update ledger_standing set checked_at = greatest(checked_at, ${sqlTime(of.began)}::timestamptz), failing_since = null,
      halted_since = case when not ${of.balanced} then coalesce(halted_since, ${sqlTime(of.began)}::timestamptz)
        when checked_at > ${sqlTime(of.began)}::timestamptz then halted_since end`);

export const noteFailing = (tx: Sql, now: Instant): Promise<unknown> =>
  tx.run(
    sql`update ledger_standing set failing_since = coalesce(failing_since, ${sqlTime(now)}::timestamptz)`,
  );
