import type { Asset, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type SuspendedAsset = {
  /** CAIP-19, in small letters. */
  readonly asset: string;
  readonly because: string;
  readonly suspendedAt: Instant;
};

type Row = { readonly asset: string; readonly because: string; readonly suspended_at: Instant };

/** False when it is suspended already. */
export async function insertSuspended(tx: Sql, one: SuspendedAsset): Promise<boolean> {
  const { count } = await tx.run(sql`insert into suspended_assets (asset, because, suspended_at)
    values (${one.asset}, ${one.because}, ${sqlTime(one.suspendedAt)}) on conflict do nothing`);
  return count === 1;
}

/** False when it is not suspended. */
export async function deleteSuspended(tx: Sql, asset: string): Promise<boolean> {
  const { count } = await tx.run(sql`delete from suspended_assets where asset = ${asset}`);
  return count === 1;
}

export async function listSuspended(tx: Sql): Promise<SuspendedAsset[]> {
  const found = await tx.many<Row>(sql`select * from suspended_assets order by asset`);
  return found.map(({ asset, because, suspended_at: suspendedAt }) => ({ asset, because, suspendedAt }));
}

/** Whether the operator lets nothing be charged in it. */
export async function isSuspended(tx: Sql, { caip19 }: Pick<Asset, "caip19">): Promise<boolean> {
  if (caip19 === undefined) return false;
  const row = await tx.one<{ suspended: boolean }>(
    sql`select exists (select from suspended_assets where asset = ${caip19.toLowerCase()}) as suspended`,
  );
  return row.suspended;
}
