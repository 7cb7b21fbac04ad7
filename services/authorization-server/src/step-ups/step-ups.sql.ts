import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Aal } from "../assurance/index.ts";

export type StepUpRow = {
  readonly id: Id<"challenge">;
  readonly account: Id<"account">;
  readonly sessionDigest: Uint8Array;
  readonly action: string;
  readonly challenge: Uint8Array;
  readonly requiredAal: Aal;
  readonly expiresAt: Instant;
};

export async function insertStepUp(tx: Sql, row: StepUpRow): Promise<void> {
  await tx.run(sql`insert into step_ups
      (id, account_id, session_digest, action, challenge, required_aal, expires_at)
    values (${row.id}, ${row.account}, ${row.sessionDigest}, ${row.action}, ${row.challenge}, ${row.requiredAal},
      ${sqlTime(row.expiresAt)})`);
}

type Found = {
  readonly id: Id<"challenge">;
  readonly account_id: Id<"account">;
  readonly session_digest: Uint8Array;
  readonly action: string;
  readonly challenge: Uint8Array;
  readonly required_aal: Aal;
  readonly expires_at: Instant;
};

/** One that may still be answered. */
export async function findOpen(
  tx: Sql,
  { id, now }: { id: string; now: Instant },
): Promise<StepUpRow | undefined> {
  const row =
    await tx.maybe<Found>(sql`select id, account_id, session_digest, action, challenge, required_aal, expires_at
    from step_ups where id = ${id} and consumed_at is null and expires_at > ${sqlTime(now)}`);
  return (
    row && {
      id: row.id,
      account: row.account_id,
      sessionDigest: row.session_digest,
      action: row.action,
      challenge: row.challenge,
      requiredAal: row.required_aal,
      expiresAt: row.expires_at,
    }
  );
}

/** True for the first answer alone. */
export async function consume(tx: Sql, { id, now }: { id: string; now: Instant }): Promise<boolean> {
  const { count } = await tx.run(sql`update step_ups set consumed_at = ${sqlTime(now)}
    where id = ${id} and consumed_at is null and expires_at > ${sqlTime(now)}`);
  return count === 1;
}

/** False when the very same thing was confirmed before. */
export async function insertAnswer(
  tx: Sql,
  answer: {
    row: StepUpRow;
    whatDigest: Uint8Array;
    method: "password" | "code" | "passkey";
    aal: Aal;
    sealed: Uint8Array;
    now: Instant;
  },
): Promise<boolean> {
  const { row, whatDigest, method, aal, sealed, now } = answer;
  const { count } = await tx.run(sql`insert into step_up_answers
      (challenge, what_digest, step_up_id, account_id, action, method, aal, sealed, answered_at)
    values (${row.challenge}, ${whatDigest}, ${row.id}, ${row.account}, ${row.action}, ${method}, ${aal}, ${sealed},
      ${sqlTime(now)})
    on conflict do nothing`);
  return count === 1;
}

/** Forgets questions that nobody can answer any more; returns how many. */
export async function deleteExpired(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from step_ups where id in
    (select id from step_ups where expires_at < ${sqlTime(now)} limit ${limit})`);
  return count;
}
