import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type PendingRow = {
  readonly stateDigest: string;
  readonly browserDigest: string;
  readonly sealed: Uint8Array;
  readonly until: Instant;
};

export async function insertPending(db: Sql, row: PendingRow): Promise<void> {
  await db.run(sql`
    insert into sign_ins (state_digest, browser_digest, sealed, until)
    values (${row.stateDigest}, ${row.browserDigest}, ${row.sealed}, ${sqlTime(row.until)})`);
}

/** Takes it away: an answer of the issuer's is for one use, and for the browser that asked. */
export async function takePending(
  db: Sql,
  of: { readonly stateDigest: string; readonly browserDigest: string; readonly now: Instant },
): Promise<Uint8Array | undefined> {
  const row = await db.maybe<{ sealed: Uint8Array }>(sql`
    delete from sign_ins
    where state_digest = ${of.stateDigest} and browser_digest = ${of.browserDigest} and until > ${sqlTime(of.now)}
    returning sealed`);
  return row?.sealed;
}

export async function sweepPending(db: Sql, now: Instant): Promise<void> {
  await db.run(sql`delete from sign_ins where until <= ${sqlTime(now)}`);
}
