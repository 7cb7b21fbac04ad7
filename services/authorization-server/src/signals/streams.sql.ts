import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { StreamStatus } from "@remit/protocol/contracts";
import type { Stream } from "./streams.ts";

type Row = {
  readonly id: Id<"stream">;
  readonly tenant_id: Id<"tenant">;
  readonly client_id: string;
  readonly wide: boolean;
  readonly audience: string;
  readonly events_requested: readonly string[] | null;
  readonly endpoint_url: string | null;
  readonly description: string | null;
  readonly status: StreamStatus;
  readonly reason: string | null;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

const streamOf = (row: Row): Stream => ({
  id: row.id,
  tenant: row.tenant_id,
  client: row.client_id,
  wide: row.wide,
  audience: row.audience,
  requested: row.events_requested ?? undefined,
  endpoint: row.endpoint_url ?? undefined,
  description: row.description ?? undefined,
  status: row.status,
  reason: row.reason ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

const methodOf = ({ endpoint }: Stream): "push" | "poll" => (endpoint === undefined ? "poll" : "push");

/** Writes it with its lane unless there are `max` already; false then. Those of one tenant wait for each other. */
export async function insertStream(
  tx: TenantTx,
  stream: Stream & { readonly header: Uint8Array | undefined },
  max: number,
): Promise<boolean> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`signal streams ${tx.tenant}`}, 0))`);
  const requested = stream.requested === undefined ? null : [...stream.requested];
  const { count } = await tx.run(sql`
    insert into signal_streams (tenant_id, id, client_id, wide, audience, events_requested, method, endpoint_url, push_header,
      description, status, created_at, updated_at)
    select ${tx.tenant}, ${stream.id}, ${stream.client}, ${stream.wide}, ${stream.audience}, ${requested}::text[],
      ${methodOf(stream)}, ${stream.endpoint ?? null}, ${stream.header ?? null}::bytea, ${stream.description ?? null},
      ${stream.status}, ${sqlTime(stream.createdAt)}::timestamptz, ${sqlTime(stream.createdAt)}::timestamptz
    where (select count(*) from signal_streams) < ${max}`);
  if (count === 0) return false;
  await tx.run(sql`insert into signal_lanes (stream_id, tenant_id) values (${stream.id}, ${tx.tenant})`);
  return true;
}

/** Of the tenant; of the platform's only those of the client. */
export async function findStream(
  tx: TenantTx,
  { id, client }: { readonly id: Id<"stream">; readonly client: string | undefined },
  lock: "none" | "update" = "none",
): Promise<Stream | undefined> {
  const mine = client ?? null;
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from signal_streams where id = ${id} and (${mine}::text is null or client_id = ${mine})`
      : sql`select * from signal_streams where id = ${id} and (${mine}::text is null or client_id = ${mine})
          for no key update`,
  );
  return row && streamOf(row);
}

export async function listStreams(tx: TenantTx, client: string | undefined): Promise<Stream[]> {
  const mine = client ?? null;
  const rows = await tx.many<Row>(sql`
    select * from signal_streams where ${mine}::text is null or client_id = ${mine} order by id`);
  return rows.map(streamOf);
}

/** `header` is left as it is when undefined. A stream that is pushed elsewhere has failed never. */
export async function saveStream(
  tx: TenantTx,
  stream: Stream,
  { header }: { readonly header: Uint8Array | null | undefined },
): Promise<void> {
  const requested = stream.requested === undefined ? null : [...stream.requested];
  await tx.run(sql`
    update signal_streams set events_requested = ${requested}::text[], method = ${methodOf(stream)},
      endpoint_url = ${stream.endpoint ?? null}, description = ${stream.description ?? null},
      push_header = case when ${header !== undefined}::boolean then ${header ?? null}::bytea else push_header end,
      status = ${stream.status}, reason = ${stream.reason ?? null}, failures = 0, failing_since = null,
      updated_at = ${sqlTime(stream.updatedAt)}
    where id = ${stream.id}`);
}

/** With all that it was still to hear. */
export async function deleteStream(tx: TenantTx, id: Id<"stream">): Promise<void> {
  await tx.run(sql`delete from signal_lanes where stream_id = ${id} and tenant_id = ${tx.tenant}`);
  await dropSignals(tx, id);
  await tx.run(sql`delete from signal_silences where stream_id = ${id}`);
  await tx.run(sql`delete from signal_streams where id = ${id}`);
}

export async function dropSignals(tx: TenantTx, id: Id<"stream">): Promise<void> {
  await tx.run(sql`delete from signals where stream_id = ${id}`);
}

/** Has whoever pushes look at it. */
export async function setDue(tx: TenantTx, id: Id<"stream">, at: Instant): Promise<void> {
  await tx.run(sql`update signal_lanes set due_at = least(due_at, ${sqlTime(at)}::timestamptz)
    where stream_id = ${id} and tenant_id = ${tx.tenant}`);
}

/** Notes that it is verified now, unless it was since `before`; false then. */
export async function markVerified(
  tx: TenantTx,
  id: Id<"stream">,
  { now, before }: { readonly now: Instant; readonly before: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`update signal_streams set verified_at = ${sqlTime(now)}
    where id = ${id} and (verified_at is null or verified_at <= ${sqlTime(before)}::timestamptz)`);
  return count === 1;
}

/** False when there are `max` already. */
export async function addSilence(
  tx: TenantTx,
  { stream, subject }: { readonly stream: Id<"stream">; readonly subject: string },
  max: number,
): Promise<boolean> {
  const { many } = await tx.one<{ many: boolean }>(
    sql`select count(*) >= ${max} as many from signal_silences where stream_id = ${stream}`,
  );
  if (many) return false;
  await tx.run(sql`insert into signal_silences (tenant_id, stream_id, subject)
    values (${tx.tenant}, ${stream}, ${subject}) on conflict do nothing`);
  return true;
}

export async function removeSilence(
  tx: TenantTx,
  { stream, subject }: { readonly stream: Id<"stream">; readonly subject: string },
): Promise<void> {
  await tx.run(sql`delete from signal_silences where stream_id = ${stream} and subject = ${subject}`);
}
