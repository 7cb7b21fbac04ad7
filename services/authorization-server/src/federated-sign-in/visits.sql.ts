import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type NewVisit = {
  readonly stateDigest: Uint8Array;
  readonly provider: Id<"provider">;
  readonly browserDigest: Uint8Array;
  readonly conversationDigest: Uint8Array;
  readonly sealedQuestion: string;
  readonly expiresAt: Instant;
};

export type Said = {
  readonly provider: Id<"provider">;
  readonly sealedSaid: string;
  /** When the answer came. */
  readonly usedAt: Instant;
};
type SaidRow = {
  readonly provider_id: Id<"provider">;
  readonly sealed_said: string;
  readonly used_at: Instant;
};
const saidOf = ({ provider_id: provider, sealed_said: sealedSaid, used_at: usedAt }: SaidRow): Said => ({
  provider,
  sealedSaid,
  usedAt,
});
export type PendingVisit = Said & { readonly stateDigest: Uint8Array };

export async function insertVisit(tx: Sql, visit: NewVisit): Promise<void> {
  await tx.run(sql`insert into provider_visits
      (state_digest, provider_id, browser_digest, conversation_digest, sealed_question, expires_at)
    values (${visit.stateDigest}, ${visit.provider}, ${visit.browserDigest}, ${visit.conversationDigest},
      ${visit.sealedQuestion}, ${sqlTime(visit.expiresAt)})`);
}

/** Uses the state up: of two answers one gets it. Undefined for one that is used, expired, or of another browser. */
export async function takeVisit(
  tx: Sql,
  given: Pick<NewVisit, "stateDigest" | "provider" | "browserDigest"> & { now: Instant },
): Promise<{ sealedQuestion: string } | undefined> {
  const { stateDigest, provider, browserDigest, now } = given;
  const row = await tx.maybe<{
    sealed_question: string;
  }>(sql`update provider_visits set used_at = ${sqlTime(now)}
    where state_digest = ${stateDigest} and provider_id = ${provider} and browser_digest = ${browserDigest}
      and used_at is null and expires_at > ${sqlTime(now)}
    returning sealed_question`);
  return row && { sealedQuestion: row.sealed_question };
}

export async function saveSaid(
  tx: Sql,
  { stateDigest, sealedSaid, expiresAt }: { stateDigest: Uint8Array; sealedSaid: string; expiresAt: Instant },
): Promise<void> {
  await tx.run(sql`update provider_visits set sealed_said = ${sealedSaid}, expires_at = ${sqlTime(expiresAt)}
    where state_digest = ${stateDigest}`);
}

export async function findSaid(
  tx: Sql,
  given: Pick<NewVisit, "stateDigest" | "conversationDigest"> & { now: Instant },
): Promise<Said | undefined> {
  const row = await tx.maybe<SaidRow>(sql`
    select provider_id, sealed_said, used_at from provider_visits
    where state_digest = ${given.stateDigest} and conversation_digest = ${given.conversationDigest}
      and sealed_said is not null and expires_at > ${sqlTime(given.now)}`);
  return row && saidOf(row);
}

/** From now on whoever signs in in this conversation is asked whether to link it. */
export async function markToLink(tx: Sql, stateDigest: Uint8Array, now: Instant): Promise<void> {
  await tx.run(sql`update provider_visits set link_asked_at = ${sqlTime(now)}
    where state_digest = ${stateDigest} and settled_at is null`);
}

/** The last one that waits in this conversation. */
export async function findToLink(
  tx: Sql,
  { conversationDigest, now }: Pick<NewVisit, "conversationDigest"> & { now: Instant },
): Promise<PendingVisit | undefined> {
  const row = await tx.maybe<SaidRow & { state_digest: Uint8Array }>(sql`
    select state_digest, provider_id, sealed_said, used_at from provider_visits
    where conversation_digest = ${conversationDigest} and link_asked_at is not null and settled_at is null
      and sealed_said is not null and expires_at > ${sqlTime(now)}
    order by link_asked_at desc, state_digest limit 1`);
  return row && { stateDigest: row.state_digest, ...saidOf(row) };
}

/** False when it was answered before. */
export async function settleVisit(
  tx: Sql,
  given: Pick<NewVisit, "stateDigest" | "conversationDigest"> & { now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`update provider_visits set settled_at = ${sqlTime(given.now)}
    where state_digest = ${given.stateDigest} and conversation_digest = ${given.conversationDigest}
      and link_asked_at is not null and settled_at is null and expires_at > ${sqlTime(given.now)}`);
  return count === 1;
}

export async function deleteExpired(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from provider_visits where state_digest in
    (select state_digest from provider_visits where expires_at < ${sqlTime(now)} limit ${limit})`);
  return count;
}
