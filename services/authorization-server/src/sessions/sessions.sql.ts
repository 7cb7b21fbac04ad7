import { after, type Id, type Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Ending, Session } from "./sessions.ts";
import { idleMs, touchMs } from "./sessions.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"session">;
  readonly sid: string;
  readonly account_id: Id<"account">;
  readonly cookie_digest: string;
  readonly acr: string | null;
  readonly amr: readonly string[];
  readonly sealed: Uint8Array;
  readonly created_at: Instant;
  readonly authenticated_at: Instant;
  readonly last_seen_at: Instant;
  readonly absolute_expires_at: Instant;
  readonly ended_at: Instant | null;
};

/** With what only the room itself uses. */
export type SessionRow = Session & { readonly cookieDigest: string; readonly sealed: Uint8Array };

const sessionOf = (row: Row): SessionRow => ({
  id: row.id,
  sid: row.sid,
  account: row.account_id,
  tenant: row.tenant_id,
  cookieDigest: row.cookie_digest,
  acr: row.acr ?? undefined,
  amr: row.amr,
  sealed: row.sealed,
  createdAt: row.created_at,
  authenticatedAt: row.authenticated_at,
  lastSeenAt: row.last_seen_at,
  absoluteExpiresAt: row.absolute_expires_at,
  endedAt: row.ended_at ?? undefined,
});

export async function tenantOfSession(tx: Sql, sid: string): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(
    sql`select tenant_of_session(${sid}) as tenant`,
  );
  return row?.tenant ?? undefined;
}

/** One sign-in of a person at a time counts and adds: the number of sessions stays bounded under a race. */
export async function lockSignIns(tx: TenantTx, account: Id<"account">): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`sign-ins of ${account}`}, 0))`);
}

/**
 * False when a session of that name is there, or its person got back in after this sign-in began, or in the same second: the
 * core knows no less, and whoever came after that is a second later by then (`secondOf`). To be asked under the lock of sign-ins, which a recovery holds too.
 */
export async function insertSession(tx: TenantTx, row: SessionRow): Promise<boolean> {
  const { count } =
    await tx.run(sql`insert into sessions (tenant_id, id, sid, account_id, cookie_digest, acr, amr, sealed,
      created_at, authenticated_at, last_seen_at, absolute_expires_at)
    select ${tx.tenant}, ${row.id}, ${row.sid}, ${row.account}, ${row.cookieDigest}, ${row.acr ?? null}, ${row.amr}::text[],
      ${row.sealed}::bytea, ${sqlTime(row.createdAt)}::timestamptz, ${sqlTime(row.authenticatedAt)}::timestamptz,
      ${sqlTime(row.lastSeenAt)}::timestamptz, ${sqlTime(row.absoluteExpiresAt)}::timestamptz
    where not exists (select from accounts where id = ${row.account}
      and sign_ins_from >= ${sqlTime(row.authenticatedAt)}::timestamptz)
    on conflict (sid) do nothing`);
  return count === 1;
}

export async function findSession(tx: TenantTx, sid: string): Promise<SessionRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select tenant_id, id, sid, account_id, cookie_digest, acr, amr, sealed, created_at,
      authenticated_at, last_seen_at, absolute_expires_at, ended_at
    from sessions where sid = ${sid}`);
  return row && sessionOf(row);
}

/** As it stands, until the transaction ends: whoever wants to end or change it waits. */
export async function keepSession(tx: TenantTx, sid: string): Promise<SessionRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select tenant_id, id, sid, account_id, cookie_digest, acr, amr, sealed, created_at,
      authenticated_at, last_seen_at, absolute_expires_at, ended_at
    from sessions where sid = ${sid} for share`);
  return row && sessionOf(row);
}

export async function lockSession(tx: TenantTx, sid: string): Promise<SessionRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select tenant_id, id, sid, account_id, cookie_digest, acr, amr, sealed, created_at,
      authenticated_at, last_seen_at, absolute_expires_at, ended_at
    from sessions where sid = ${sid} for update`);
  return row && sessionOf(row);
}

export async function saveSeen(tx: TenantTx, row: SessionRow): Promise<void> {
  await tx.run(sql`update sessions set cookie_digest = ${row.cookieDigest}, acr = ${row.acr ?? null}, amr = ${row.amr},
      sealed = ${row.sealed}, authenticated_at = ${sqlTime(row.authenticatedAt)}, last_seen_at = ${sqlTime(row.lastSeenAt)}
    where sid = ${row.sid} and ended_at is null`);
}

/** Use of a live session; written at most once in a while. */
export async function touchSession(tx: TenantTx, sid: string, now: Instant): Promise<void> {
  await tx.run(sql`update sessions set last_seen_at = ${sqlTime(now)}
    where sid = ${sid} and ended_at is null and last_seen_at <= ${sqlTime(after(now, -touchMs))}
      and last_seen_at > ${sqlTime(after(now, -idleMs))} and absolute_expires_at > ${sqlTime(now)}`);
}

/** What has not ended by its times, most recently seen first. */
export async function liveSessionsOf(
  tx: TenantTx,
  account: Id<"account">,
  now: Instant,
): Promise<SessionRow[]> {
  const found =
    await tx.many<Row>(sql`select tenant_id, id, sid, account_id, cookie_digest, acr, amr, sealed, created_at,
      authenticated_at, last_seen_at, absolute_expires_at, ended_at
    from sessions where account_id = ${account} and ended_at is null
      and last_seen_at > ${sqlTime(after(now, -idleMs))} and absolute_expires_at > ${sqlTime(now)}
    order by last_seen_at desc, id desc`);
  return found.map(sessionOf);
}

/** Of those that have not ended, all but the `kept` most recently seen. */
export async function surplusOf(tx: TenantTx, account: Id<"account">, kept: number): Promise<string[]> {
  const found = await tx.many<Pick<Row, "sid">>(sql`select sid from sessions
    where account_id = ${account} and ended_at is null
    order by last_seen_at desc, id desc offset ${kept}`);
  return found.map(({ sid }) => sid);
}

/** Those that have not ended, kept from others until the transaction ends. */
export async function lockOpenSidsOf(tx: TenantTx, account: Id<"account">): Promise<string[]> {
  const found = await tx.many<Pick<Row, "sid">>(sql`select sid from sessions
    where account_id = ${account} and ended_at is null order by sid for update`);
  return found.map(({ sid }) => sid);
}

/** The one conditional UPDATE that ends a session; undefined when it had ended before, or is nobody's here. */
export async function markEnded(
  tx: TenantTx,
  { sid, because, now }: { sid: string; because: Ending; now: Instant },
): Promise<{ id: Id<"session">; account: Id<"account"> } | undefined> {
  const row = await tx.maybe<Pick<Row, "id" | "account_id">>(sql`update sessions
    set ended_at = ${sqlTime(now)}, ended_because = ${because}
    where sid = ${sid} and ended_at is null returning id, account_id`);
  return row && { id: row.id, account: row.account_id };
}

export async function sidOfSession(
  tx: TenantTx,
  { id, account }: { id: Id<"session">; account: Id<"account"> },
): Promise<string | undefined> {
  const row = await tx.maybe<Pick<Row, "sid">>(sql`select sid from sessions
    where id = ${id} and account_id = ${account} and ended_at is null`);
  return row?.sid;
}

export async function forgetSession(tx: TenantTx, sid: string): Promise<void> {
  await tx.run(sql`delete from sessions where sid = ${sid} and ended_at is not null`);
}
