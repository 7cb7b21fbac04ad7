import { type Asset, assetOf, fromRfc3339, type Id, invariant } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { type Head, kindOf, type Line, type Moved, totalsOf } from "./statement.ts";
import * as rows from "./statements.sql.ts";

export type StatementDeps = { readonly db: Database };
export type Wanted = rows.Asked & { readonly tenant: Id<"tenant"> };

/** What is asked for, once it makes sense. */
export function wantedOf(
  tenant: Id<"tenant">,
  of: {
    readonly merchant: Id<"merchant">;
    readonly currency: string;
    readonly from: string;
    readonly until: string;
  },
): Wanted {
  const asset: Asset | undefined = assetOf(of.currency);
  const [from, until] = [fromRfc3339(of.from), fromRfc3339(of.until)];
  invariant(asset !== undefined && from !== undefined && until !== undefined, "a query was parsed");
  if (from >= until) throw new Problem("invalid_request", { detail: "A period ends after it begins." });
  return { tenant, merchant: of.merchant, asset, from, until };
}

/** Opening balance, what the period came to, and closing balance, as they stand together. */
async function headIn(tx: TenantTx, wanted: Wanted): Promise<Head> {
  const { merchant, asset, from, until } = wanted;
  const opening = await rows.owedBefore(tx, wanted, from);
  const totals = totalsOf(await rows.sums(tx, wanted));
  const closing = totals.reduce((sum, { net }) => sum + net, opening);
  return { merchant, asset, from, until, opening, totals, closing };
}

export const headOf = ({ db }: StatementDeps, wanted: Wanted): Promise<Head> =>
  db.of(wanted.tenant).transaction((tx) => headIn(tx, wanted));

export type Page = { readonly head: Head; readonly lines: readonly Line[]; readonly next: string | null };

/** A page of lines: where it begins, and what was owed there. */
export async function pageOf(
  { db }: StatementDeps,
  wanted: Wanted,
  { place, most }: { readonly place: Place | undefined; readonly most: number },
): Promise<Page> {
  return db.of(wanted.tenant).transaction(async (tx) => {
    const head = await headIn(tx, wanted);
    const found = await rows.moved(tx, wanted, { beyond: place?.beyond ?? "", most: most + 1 });
    const lines = running(place?.balance ?? head.opening, found.slice(0, most));
    const last = lines.at(-1);
    const more = found.length > most && last !== undefined;
    return { head, lines, next: more ? `${last.entry}.${last.balance}` : null };
  });
}

export type Place = { readonly beyond: string; readonly balance: bigint };

function running(opening: bigint, moved: readonly Moved[]): Line[] {
  let balance = opening;
  return moved.map((one) => {
    balance += one.net;
    return { ...one, kind: kindOf(one.kind), balance };
  });
}

const atOnce = 2_000;

/** All lines of a statement, page by page, each with a transaction of its own: memory holds one page. */
export async function* linesOf({ db }: StatementDeps, wanted: Wanted, opening: bigint): AsyncGenerator<Line> {
  for (let place: Place = { beyond: "", balance: opening }; ; ) {
    const { beyond } = place;
    const found = await db
      .of(wanted.tenant)
      .transaction((tx) => rows.moved(tx, wanted, { beyond, most: atOnce }));
    const lines = running(place.balance, found);
    yield* lines;
    const last = lines.at(-1);
    if (last === undefined || lines.length < atOnce) return;
    place = { beyond: last.entry, balance: last.balance };
  }
}

export const balancesOf = ({ db }: StatementDeps, tenant: Id<"tenant">): Promise<rows.Balance[]> =>
  db.of(tenant).transaction((tx) => rows.balances(tx));
