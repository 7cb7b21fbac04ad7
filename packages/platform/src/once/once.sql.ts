import { createHash, hash } from "node:crypto";
import type { Instant } from "@remit/kernel";
import { type Scope, sql, sqlTime, type Tx } from "../sql/index.ts";

const batchMax = 5_000;

/**
 * True for the first transaction that claims the key, false for every later one. The claim counts when the transaction
 * commits; one that runs at the same time waits for it. The key is stored as a digest, whatever its length.
 */
export async function claimFirstUse(tx: Tx, key: string, until: Instant): Promise<boolean> {
  const digest = createHash("sha256").update(key).digest();
  const written = await tx.run(
    sql`insert into first_uses (key, until) values (${digest}, ${sqlTime(until)}) on conflict do nothing`,
  );
  return written.count === 1;
}

/**
 * As `claimFirstUse` for many keys in one statement: those that this transaction is the first to claim. They are taken
 * in one order, so that two transactions with keys in common never wait for each other crosswise.
 */
export async function claimFirstUses(
  tx: Tx,
  keys: readonly string[],
  until: Instant,
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const byDigest = new Map(keys.map((key) => [hash("sha256", key, "hex"), key]));
  const claimed = await tx.many<{ digest: string }>(sql`insert into first_uses (key, until)
    select decode(digest, 'hex'), ${sqlTime(until)}::timestamptz from unnest(${[...byDigest.keys()].sort()}::text[]) as digest
    on conflict do nothing returning encode(key, 'hex') as digest`);
  return new Set(claimed.map(({ digest }) => byDigest.get(digest) ?? ""));
}

/** Forgets claims that ended before `now`, at most 5,000 per call. Returns how many. */
export async function sweepFirstUses(scope: Scope<Tx>, now: Instant): Promise<number> {
  const { count } = await scope.transaction((tx) =>
    tx.run(sql`delete from first_uses where key in (
      select key from first_uses where until < ${sqlTime(now)} order by until limit ${batchMax})`),
  );
  return count;
}
