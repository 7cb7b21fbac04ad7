import type { Database, Sql } from "@remit/platform/sql";
import * as rows from "./check.sql.ts";

/** The books as they stand. */
export type Check = {
  readonly balanced: boolean;
  readonly assets: readonly { readonly asset: string; readonly imbalance: bigint }[];
  readonly accounts: number;
  readonly entries: number;
};

type Asset = { imbalance: bigint; accounts: bigint; entries: bigint; unbalanced: bigint };
/** What the postings of an account come to beyond what its row says. */
type Beyond = { readonly units: bigint; readonly postings: bigint };

/** Entries, or accounts, that one statement reads: its time does not grow with the books. */
const portionMost = 10_000;

/**
 * Sums every posting of every tenant and compares with the maintained balances: portion by portion, all of them as they were at one
 * moment, so that what is posted meanwhile is neither here nor there. It keeps in mind a sum for each account.
 */
export const check = (db: Database, most = portionMost): Promise<Check> =>
  db.snapshot.transaction(async (tx) => {
    const found: Found = { assets: new Map(), beyond: new Map() };
    await addEntries(tx, most, found);
    await takeAccounts(tx, most, found);
    const assets = [...found.assets].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const total = (of: (asset: Asset) => bigint): number =>
      Number(assets.reduce((sum, [, asset]) => sum + of(asset), 0n));
    return {
      balanced:
        found.beyond.size === 0 &&
        assets.every(([, { imbalance, unbalanced }]) => imbalance === 0n && unbalanced === 0n),
      assets: assets.map(([asset, { imbalance }]) => ({ asset, imbalance })),
      accounts: total(({ accounts }) => accounts),
      entries: total(({ entries }) => entries),
    };
  });

type Found = { readonly assets: Map<string, Asset>; readonly beyond: Map<bigint, Beyond> };

async function addEntries(tx: Sql, most: number, found: Found): Promise<void> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    const until: string | undefined = await rows.lastOfPortion(tx, { after, most });
    for (const moved of await rows.movedWithin(tx, { after, until })) {
      if (moved.account !== null) {
        add(found, moved.account, moved);
        continue;
      }
      const asset = assetIn(found, moved.asset);
      asset.entries += moved.entries;
      asset.unbalanced += moved.unbalanced;
    }
    after = until;
  }
}

async function takeAccounts(tx: Sql, most: number, found: Found): Promise<void> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    const portion: readonly rows.CheckedAccount[] = await rows.accountsAfter(tx, { after, most });
    for (const { account, asset: code, balance, postings } of portion) {
      const asset = assetIn(found, code);
      asset.accounts += 1n;
      asset.imbalance += balance;
      add(found, account, { units: -balance, postings: -postings });
    }
    after = portion.length < most ? undefined : portion[0]?.last;
  }
}

/** What comes to nothing is forgotten: at the end there is left what is wrong. */
function add({ beyond }: Found, account: bigint, more: Beyond): void {
  const before = beyond.get(account) ?? { units: 0n, postings: 0n };
  const units = before.units + more.units;
  const postings = before.postings + more.postings;
  if (units === 0n && postings === 0n) beyond.delete(account);
  else beyond.set(account, { units, postings });
}

function assetIn({ assets }: Found, code: string): Asset {
  const known = assets.get(code) ?? { imbalance: 0n, accounts: 0n, entries: 0n, unbalanced: 0n };
  assets.set(code, known);
  return known;
}

/** The same one at a time: whoever asks meanwhile is told what the one that runs finds. */
export function checking(read: () => Promise<Check>): () => Promise<Check> {
  let running: Promise<Check> | undefined;
  const forget = (): void => {
    running = undefined;
  };
  return () => (running ??= read().finally(forget));
}
