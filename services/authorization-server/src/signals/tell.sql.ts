import type { Id, Instant } from "@remit/kernel";
import type { Position } from "@remit/platform/outbox";
import { type RelayTx, type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { SignalName, SubjectId } from "@remit/protocol";

export type Listener = {
  readonly tenant: Id<"tenant">;
  readonly stream: Id<"stream">;
  readonly wide: boolean;
  readonly requested: readonly string[] | null;
  readonly since: Instant;
};

/** Who hears of these tenants: their own streams, and those that hear of all. Suspended ones do not. */
export const listenersOf = (tx: RelayTx, tenants: readonly string[]): Promise<Listener[]> =>
  tx.many<Listener>(sql`
    select s.tenant_id as tenant, s.id as stream, s.wide, s.events_requested as requested, s.created_at as since
    from signal_streams s
    where s.status <> 'disabled' and (s.wide or (s.tenant_id = any(${[...tenants]}) and exists (
      select from tenant_standings o where o.tenant_id = s.tenant_id and o.status = 'active')))
    order by s.id`);

/** How far everything has been told, at least. */
export const findTold = (tx: Sql): Promise<Position> =>
  tx.one<Position>(sql`select xid, seq from signals_told`);

/** How far everything has been told; nobody else tells until the transaction ends. */
export const lockTold = (tx: Sql): Promise<Position> =>
  tx.one<Position>(sql`select xid, seq from signals_told for update`);

export async function saveTold(tx: Sql, to: Position): Promise<void> {
  await tx.run(sql`update signals_told set xid = ${String(to.xid)}::xid8, seq = ${to.seq}`);
}

/** A signal before it has its place. */
export type NewSignal = {
  readonly tenant: Id<"tenant">;
  readonly stream: Id<"stream">;
  readonly jti: Id<"signal">;
  readonly txn: string;
  readonly name: SignalName;
  readonly subject: SubjectId;
  readonly data: { readonly [name: string]: unknown };
  /** What a receiver may have asked silence about that is this subject, as canonical JSON. */
  readonly spellings: readonly string[];
};

/** Gives each its place in its stream; returns the streams that heard something. */
export async function tellSignals(
  tx: Sql,
  signals: readonly NewSignal[],
  now: Instant,
): Promise<Id<"stream">[]> {
  const given = signals.map(({ tenant, stream, ...signal }) => ({
    ...signal,
    tenant_id: tenant,
    stream_id: stream,
  }));
  const heard = await tx.many<{ stream: Id<"stream"> }>(
    sql`select tell_signals(${JSON.stringify(given)}::jsonb, ${sqlTime(now)}::timestamptz) as stream`,
  );
  return heard.map(({ stream }) => stream);
}
