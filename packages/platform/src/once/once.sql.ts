import { hash } from "node:crypto";
import type { Instant } from "@remit/kernel";
import { type Scope, type Sql, sql, sqlTime, type Tx } from "../sql/index.ts";

const batchMax = 5_000;

/**
 * True for the first transaction that claims the key, false for every later one. The claim counts when the transaction
 * commits; one that runs at the same time waits for it. The key is stored as a digest, whatever its length.
 */
export async function claimFirstUse(tx: Sql, key: string, until: Instant): Promise<boolean> {
  const digest = Buffer.from(firstUseDigest(key), "hex");
  const written = await tx.run(
    sql`insert into first_uses (key, until) values (${digest}, ${sqlTime(until)}) on conflict do nothing`,
  );
  return written.count === 1;
}

/** As `claimFirstUse`, for many different digests in hex at once: those of them that were first. */
export async function claimFirstUses(
  db: Sql,
  wanted: readonly { readonly digest: string; readonly until: Instant }[],
): Promise<Set<string>> {
  // In one order, so that two statements with keys in common never wait for each other crosswise.
  const first = await db.many<{ digest: string }>(sql`
    with first as (
      insert into first_uses (key, until)
      select decode(w.digest, 'hex'), w.until
      from unnest(${wanted.map(({ digest }) => digest)}::text[],
        ${wanted.map(({ until }) => sqlTime(until))}::timestamptz[]) as w(digest, until)
      order by w.digest
      on conflict do nothing returning key)
    select encode(first.key, 'hex') as digest from first`);
  return new Set(first.map(({ digest }) => digest));
}

/** What a key is stored as, in hex. */
export const firstUseDigest = (key: string): string => hash("sha256", key, "hex");

/** Forgets claims that ended before `now`, at most 5,000 per call. Returns how many. */
export async function sweepFirstUses(scope: Scope<Tx>, now: Instant): Promise<number> {
  const { count } = await scope.transaction((tx) =>
    tx.run(sql`delete from first_uses where key in (
      select key from first_uses where until < ${sqlTime(now)} order by until limit ${batchMax})`),
  );
  return count;
}
