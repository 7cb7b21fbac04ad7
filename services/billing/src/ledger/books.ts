import type { Id, Instant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import * as rows from "./books.sql.ts";

type Heading = {
  readonly id: Id<"entry">;
  readonly kind: string;
  readonly object: string;
  readonly transition: string;
  readonly ordinal: number;
  readonly charge: string | null;
  readonly reverses: Id<"entry"> | null;
  readonly at: Instant;
};

/** An entry with all its postings, and where it comes from. */
export type EntryShown = Heading & {
  /** What Stripe calls the object, where it is one of ours. */
  readonly source: string | null;
  readonly reversedBy: Id<"entry"> | null;
  readonly postings: readonly {
    readonly owner: string;
    readonly account: string;
    readonly asset: string;
    readonly units: bigint;
    readonly balance: bigint;
  }[];
};

export type AccountShown = {
  readonly id: string;
  readonly code: string;
  readonly owner: string;
  readonly merchant: string | null;
  readonly asset: string;
  readonly balance: bigint;
  readonly postings: bigint;
  readonly openedAt: Instant;
  readonly newest: readonly {
    readonly entry: Id<"entry">;
    readonly units: bigint;
    readonly balance: bigint;
  }[];
};

export type Exported = Heading & {
  readonly postings: readonly {
    readonly tenant: string;
    readonly account: string;
    readonly asset: string;
    readonly units: string;
  }[];
};

/** Where a page ended: an entry, in the order of time and then of ids. */
export type Place = { readonly at: Instant; readonly id: string };

const postingsShown = 50;

export async function entryNamed(db: Database, id: Id<"entry">): Promise<EntryShown> {
  const found = await db.global.transaction((tx) => rows.entry(tx, id));
  if (found === undefined) throw new Problem("not_found");
  return found;
}

export async function accountNamed(db: Database, id: string): Promise<AccountShown> {
  const found = await db.global.transaction((tx) => rows.account(tx, id, postingsShown));
  if (found === undefined) throw new Problem("not_found");
  return found;
}

export const exportedOf = (db: Database, of: Parameters<typeof rows.exported>[1]): Promise<Exported[]> =>
  db.global.transaction((tx) => rows.exported(tx, of));
