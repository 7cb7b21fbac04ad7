import type { Position } from "@remit/platform/outbox";
import { type RelayTx, type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Issued } from "./metering.ts";

/** How far everything has been counted; nobody else counts until the transaction ends. */
export const lockMetered = (tx: Sql): Promise<Position> =>
  tx.one<Position>(sql`select xid, seq from usage_metered for update`);

export const findMetered = (db: Sql): Promise<Position> =>
  db.one<Position>(sql`select xid, seq from usage_metered`);

export async function saveMetered(tx: Sql, to: Position): Promise<void> {
  await tx.run(sql`update usage_metered set xid = ${String(to.xid)}::xid8, seq = ${to.seq}`);
}

/** Each tenant's into its own rows. */
export async function addUsage(tx: Sql, issued: readonly Issued[]): Promise<void> {
  const given = issued.map(({ tenant, quarter, client, tokens, lastAt }) => ({
    tenant,
    quarter: sqlTime(quarter),
    client,
    tokens,
    last_at: sqlTime(lastAt),
  }));
  await tx.run(sql`select meter_usage(${JSON.stringify(given)}::jsonb)`);
}

/** The database's time, before it is asked whether anything is left. */
export const databaseTime = async (db: Sql): Promise<string> =>
  (await db.one<{ now: string }>(sql`select clock_timestamp()::text as now`)).now;

export async function saveCaughtUp(db: Sql, at: string): Promise<void> {
  await db.run(
    sql`update usage_metered set caught_up_at = ${at}::timestamptz where caught_up_at < ${at}::timestamptz`,
  );
}

/** Forgets a window of what was used longer ago than anybody looks; returns how many rows. */
export async function trimUsage(tx: RelayTx, limit: number): Promise<number> {
  const quarters = await tx.run(sql`delete from usage_quarters where (tenant_id, quarter) in (
    select tenant_id, quarter from usage_quarters where quarter < now() - interval '400 days' limit ${limit})`);
  const agents = await tx.run(sql`delete from usage_agents where (tenant_id, day, agent_id) in (
    select tenant_id, day, agent_id from usage_agents where day < (now() - interval '400 days')::date limit ${limit})`);
  return quarters.count + agents.count;
}
