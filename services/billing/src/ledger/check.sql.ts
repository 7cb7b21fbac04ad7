import { type Sql, sql } from "@remit/platform/sql";

/** The last of so many entries after one; undefined where there are fewer. */
export const lastOfPortion = async (
  tx: Sql,
  { after, most }: { after: string; most: number },
): Promise<string | undefined> =>
  (
    await tx.maybe<{ last: string }>(sql`
      select max(id) as last from (select id from ledger_entries where id > ${after} order by id limit ${most}) as portion
      having count(*) = ${most}`)
  )?.last;

/** What was moved on one account, or how many entries are of an asset, within a portion. */
export type Moved =
  | { readonly account: bigint; readonly asset: null; readonly units: bigint; readonly postings: bigint }
  | {
      readonly account: null;
      readonly asset: string;
      readonly entries: bigint;
      readonly unbalanced: bigint;
    };

/** Of the entries after one and up to another, or to the end. */
export async function movedWithin(
  tx: Sql,
  { after, until }: { after: string; until: string | undefined },
): Promise<Moved[]> {
  type Row = {
    readonly account: bigint | null;
    readonly asset: string | null;
    readonly units: string;
    readonly postings: bigint;
    readonly entries: bigint;
    readonly unbalanced: bigint;
  };
  const found = await tx.many<Row>(sql`
    select account, asset, units, postings, entries, unbalanced from ledger_check_postings(${after}, ${until ?? null})`);
  return found.flatMap(({ account, asset, units, postings, entries, unbalanced }): Moved[] => {
    if (account !== null) return [{ account, asset: null, units: BigInt(units), postings }];
    return asset === null ? [] : [{ account, asset, entries, unbalanced }];
  });
}

export type CheckedAccount = {
  readonly account: bigint;
  readonly asset: string;
  readonly balance: bigint;
  readonly postings: bigint;
  /** The last of this portion. */
  readonly last: string;
};

export async function accountsAfter(
  tx: Sql,
  { after, most }: { after: string; most: number },
): Promise<CheckedAccount[]> {
  type Row = Omit<CheckedAccount, "balance"> & { readonly balance: string };
  const found = await tx.many<Row>(
    sql`select account, asset, balance, postings, last from ledger_check_accounts(${after}, ${most})`,
  );
  return found.map((row) => ({ ...row, balance: BigInt(row.balance) }));
}
