import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, type SqlValue, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { RequestFilter } from "./requests.ts";

export type RequestRow = {
  readonly id: Id<"request">;
  readonly at: Instant;
  readonly client: string;
  readonly actor_type: "agent" | "client" | "account" | "service";
  readonly actor: string;
  readonly method: string;
  readonly route: string;
  readonly path: string;
  readonly status: number;
  readonly problem: string | null;
  readonly latency_us: number;
  readonly events: readonly string[];
  readonly made: readonly string[];
};

/** With when each of their clients called last. */
export async function insertRequests(tx: TenantTx, rows: readonly RequestRow[]): Promise<void> {
  const given = JSON.stringify(rows.map((row) => ({ ...row, at: sqlTime(row.at) })));
  await tx.run(sql`
    with given as (
      select * from jsonb_to_recordset(${given}::jsonb) as g(id text, at timestamptz, client text, actor_type text,
        actor text, method text, route text, path text, status smallint, problem text, latency_us integer,
        events text[], made text[])
    ), kept as (
      insert into api_requests (tenant_id, id, at, client, actor_type, actor, method, route, path, status, problem,
        latency_us, events, made)
      select ${tx.tenant}, id, at, client, actor_type, actor, method, route, path, status, problem, latency_us, events,
        made from given
    )
    insert into client_uses (tenant_id, client, last_at)
      select ${tx.tenant}, client, max(at) from given group by client order by client
    on conflict (tenant_id, client) do update set last_at = greatest(client_uses.last_at, excluded.last_at)`);
}

/** Removes all but the newest; ids follow time. */
export async function trim(tx: TenantTx, most: number): Promise<void> {
  await tx.run(sql`delete from api_requests where tenant_id = ${tx.tenant} and id < (
    select id from api_requests where tenant_id = ${tx.tenant} order by id desc offset ${most - 1} limit 1)`);
}

/** The relay sees only those whose 30 days are over. */
export async function sweepRequests(tx: RelayTx, limit: number): Promise<number> {
  const { count } = await tx.run(sql`
    delete from api_requests
    where (tenant_id, id) in (select tenant_id, id from api_requests limit ${limit})`);
  return count;
}

export type FoundRow = RequestRow;

const columns =
  "id, at, client, actor_type, actor, method, route, path, status, problem, latency_us, events, made";

/** Put together from what is asked for alone and without a name, so that each search is planned for its own values. */
export function listRequests(
  tx: TenantTx,
  { portal, ...filter }: RequestFilter & { readonly portal: string },
): Promise<FoundRow[]> {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = [`tenant_id = ${value(tx.tenant)}`];
  const { before, status, actor, problem, method, via, from, until } = filter;
  if (before !== undefined) where.push(`id < ${value(before)}`);
  if (status !== undefined) where.push(`status between ${value(status[0])} and ${value(status[1])}`);
  if (actor !== undefined) where.push(`${value(actor)} in (actor, client)`);
  if (problem !== undefined) where.push(`problem = ${value(problem)}`);
  if (method !== undefined) where.push(`method = ${value(method)}`);
  if (via !== undefined) where.push(`client ${via === "portal" ? "=" : "<>"} ${value(portal)}`);
  if (from !== undefined) where.push(`at >= ${value(sqlTime(from))}`);
  if (until !== undefined) where.push(`at < ${value(sqlTime(until))}`);
  const text = `select ${columns} from api_requests where ${where.join(" and ")}
    order by id desc limit ${value(filter.limit)}`;
  return tx.many<FoundRow>({ text, values, name: "" });
}

export const findRequest = (tx: TenantTx, id: Id<"request">): Promise<FoundRow | undefined> =>
  tx.maybe<FoundRow>(sql`select id, at, client, actor_type, actor, method, route, path, status, problem, latency_us,
      events, made
    from api_requests where tenant_id = ${tx.tenant} and id = ${id}`);

export async function lastUses(tx: TenantTx, clients: readonly string[]): Promise<Map<string, Instant>> {
  const found = await tx.many<{
    client: string;
    last_at: Instant;
  }>(sql`select client, last_at from client_uses
    where tenant_id = ${tx.tenant} and client = any(${clients})`);
  return new Map(found.map(({ client, last_at }) => [client, last_at]));
}
