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
