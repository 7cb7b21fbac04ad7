import { type Id, type Instant, invariant } from "@remit/kernel";
import type { Database, Tx } from "@remit/platform/sql";
import type { Entry } from "./entries.ts";
import * as rows from "./ledger.sql.ts";

/**
 * Posts entries in the caller's transaction: with the change that they record, or not at all. An entry whose news was
 * posted before is passed over; one that says something else about it breaks a promise. Call it last, since it locks
 * accounts that many share. Answers which entries were new.
 */
export async function post(tx: Tx, entries: readonly Entry[]): Promise<readonly Id<"entry">[]> {
  for (const entry of entries) invariant(isBalanced(entry), "a posting balances before it is written");
  return rows.postEntries(tx, entries);
}

/** The entry of an object's transition; undefined as long as it has none. */
export const entryNamed = (
  tx: Tx,
  of: { readonly object: string; readonly transition: string },
): Promise<Id<"entry"> | undefined> => rows.entryNamed(tx, of);

/** True when the legs sum to nothing per asset, none is nothing, and none names an account twice. */
export function isBalanced(entry: Entry): boolean {
  const { legs } = entry;
  const sums = new Map<string, bigint>();
  for (const { asset, units } of legs) sums.set(asset, (sums.get(asset) ?? 0n) + units);
  const accounts = new Set(rows.accountIdsOf(entry));
  return (
    legs.length > 1 &&
    accounts.size === legs.length &&
    legs.every(({ units }) => units !== 0n) &&
    [...sums.values()].every((sum) => sum === 0n)
  );
}

/** The books as they stand: `drifted` accounts whose balance is not the sum of their postings. */
export type Check = {
  readonly balanced: boolean;
  readonly assets: readonly { readonly asset: string; readonly imbalance: bigint }[];
  readonly accounts: number;
  readonly entries: number;
};

/** Sums every posting of every tenant and compares with the maintained balances. Reads all there is: for audits. */
export async function check(db: Database): Promise<Check> {
  const found = await db.global.transaction((tx) => rows.checkBooks(tx));
  return {
    balanced: found.every(
      (asset) => asset.imbalance === 0n && asset.drifted === 0n && asset.unbalanced === 0n,
    ),
    assets: found.map(({ asset, imbalance }) => ({ asset, imbalance })),
    accounts: Number(found.reduce((sum, { accounts }) => sum + accounts, 0n)),
    entries: Number(found.reduce((sum, { entries }) => sum + entries, 0n)),
  };
}

/** The same one at a time: whoever asks meanwhile is told what the one that runs finds. */
export function checking(read: () => Promise<Check>): () => Promise<Check> {
  let running: Promise<Check> | undefined;
  const forget = (): void => {
    running = undefined;
  };
  return () => (running ??= read().finally(forget));
}

export type Account = {
  readonly id: string;
  readonly code: string;
  readonly owner: string;
  readonly asset: string;
  readonly balance: bigint;
};

/** The accounts of one tenant; `platform` has the service's own. */
export const accountsOf = (db: Database, tenant: Id<"tenant"> | "platform"): Promise<Account[]> =>
  db.of(tenant).transaction((tx) => rows.accounts(tx));

export type PostedEntry = {
  readonly id: Id<"entry">;
  readonly kind: string;
  readonly charge: Id<"charge"> | null;
  readonly at: Instant;
  readonly postings: readonly { readonly account: string; readonly asset: string; readonly units: bigint }[];
};

export type EntriesQuery = { readonly charge?: Id<"charge">; readonly limit: number };

/** The newest entries with the postings on the tenant's own accounts, those of one charge if named. */
export const entriesOf = (
  db: Database,
  tenant: Id<"tenant"> | "platform",
  query: EntriesQuery,
): Promise<PostedEntry[]> => db.of(tenant).transaction((tx) => rows.entries(tx, query));
