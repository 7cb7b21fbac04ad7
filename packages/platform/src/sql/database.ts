import { type Id, invariant, parseId } from "@remit/kernel";
import type { RemitEvent } from "@remit/protocol";
import { escapeIdentifier } from "pg";
import type { Log } from "../telemetry/index.ts";
import { type Heard, openListener } from "./listener.ts";
import { openPool, type PoolCounts, sessionOf } from "./pool.ts";
import { command, type Statement, sql } from "./statement.ts";
import { type Running, singleSql, transaction } from "./transaction.ts";

/**
 * Runs statements; those that are asked for at once go in one message, in their order. Columns come back as: bigint → `bigint`, timestamptz → `Instant`, json and jsonb → parsed, bytea →
 * `Uint8Array`, numeric, date and interval → string. `one` and `maybe` promise at most one row.
 */
export type Sql = {
  one<T>(statement: Statement): Promise<T>;
  maybe<T>(statement: Statement): Promise<T | undefined>;
  many<T>(statement: Statement): Promise<T[]>;
  run(statement: Statement): Promise<{ readonly count: number }>;
};

/** Statements of one transaction. Dead once the transaction has ended. */
export type Tx = Sql & {
  /**
   * Sends the statement in the message of the next one, at the latest of the commit, which is made only if it succeeds: for
   * what others wait for, such as a row that many change. Nobody reads what it finds: it refuses by failing.
   */
  defer(statement: Statement): void;
  /** Runs `work` after the commit and never after a rollback. What it throws is logged and changes nothing. */
  afterCommit(work: () => void): void;
  /** Wakes listeners of `channel` after the commit, and tells them what it is about: an id, never more. A hint that may be lost with the process: listeners poll as well. */
  notify(channel: string, about?: string): void;
};

/** Whose rows a transaction sees. `platform` has the rows of the service itself, such as events about its keys. */
export type Tenant = Id<"tenant"> | "platform";

/** Sees the rows of one tenant, and global and public tables. */
export type TenantTx<T extends Tenant = Id<"tenant">> = Tx & {
  readonly tenant: T;
  /** Writes the event in this transaction. */
  record(event: RemitEvent): Promise<void>;
  /** The same for many, in one round trip where the service knows how. */
  recordAll(events: readonly RemitEvent[]): Promise<void>;
};

/** Sees global and public tables; tenant tables look empty. An event is recorded under the tenant it is of. */
export type GlobalTx = Tx & { record(event: RemitEvent): Promise<void> };

/** Runs as the relay role: outbox, jobs and due rows of all tenants, and no tenant table. */
export type RelayTx = Tx;

/**
 * One transaction over the named tenants. A handle got from `as` is dead once `as` has switched to another tenant. Events
 * are written under the tenant each is of, with the commit at the latest where the database was opened with `recordNew`.
 */
export type CrossingTx = Tx & {
  as(tenant: Id<"tenant">): Promise<TenantTx>;
  record(events: readonly RemitEvent[]): Promise<void>;
};

/** Opens transactions. `work` may run again (at most 3 times) when PostgreSQL asks for it: 40001, 40P01. */
export type Scope<T> = { transaction<R>(work: (tx: T) => Promise<R>): Promise<R> };

export type TenantSql<T extends Tenant = Id<"tenant">> = Scope<TenantTx<T>> & { readonly tenant: T };

export type Database = {
  readonly schema: string;
  of<T extends Tenant>(tenant: T): TenantSql<T>;
  readonly global: Scope<GlobalTx>;
  /** Each statement a transaction of its own that sees what a global one sees: one round trip, and the same retries. */
  readonly single: Sql;
  readonly relay: Scope<RelayTx>;
  /** Reads what one moment looked like, in as many statements as it takes; the rows that it needs are kept that long. */
  readonly snapshot: Scope<Sql>;
  /**
   * For three rooms alone: charges (payer, payee and operator in one transaction), identities (a new person's own tenant
   * and that of the provider which vouches for them) and organizations (one and those below it). Named twice is the same
   * as once.
   */
  crossing(...tenants: readonly Id<"tenant">[]): Scope<CrossingTx>;
  /** Calls `heard` when a transaction notified `channel`, here or in another process. Returns the way to stop. */
  listen(channel: string, heard: Heard): () => void;
  /** The connections of the pool, and who waits for one. */
  counts(): PoolCounts;
  /** Answers when a query can be answered; else throws `unavailable`. */
  ping(): Promise<void>;
  /** Refuses new transactions and waits for those that run. */
  close(): Promise<void>;
};

export type DatabaseOptions = {
  readonly url: string;
  readonly schema: string;
  readonly relayRole: string;
  /** Connections at most; 10 by default. */
  readonly poolMax?: number;
  /** Transactions that may wait for a connection; 1,000 by default. */
  readonly queueMax?: number;
  /** How long each of them waits before it is refused; 1.8 s by default. */
  readonly waitMsMax?: number;
  /** A statement's limit; 10 s by default. */
  readonly statementMsMax?: number;
  /** Where `record` writes: `recordToOutbox`, or what a service does besides. */
  readonly record?: (tx: Tx, event: RemitEvent) => Promise<void>;
  /** Where a new event is written with the commit at the latest, in the tenant it is of. */
  readonly recordNew?: (tx: Tx, event: RemitEvent) => void;
  /** How many new events are written together: it enters each tenant they are of, and leaves the transaction where it was. */
  readonly recordAll?: (tx: Tx, events: readonly RemitEvent[]) => Promise<void>;
  readonly log?: Log;
};

const poolMaxDefault = 10;
const queueMaxDefault = 1_000;
const waitMsMaxDefault = 1_800;
const statementMsMaxDefault = 10_000;

/** Opens the application's pool. Nothing connects before the first transaction. */
export function openDatabase(options: DatabaseOptions): Database {
  const { schema, record = refuseToRecord, log } = options;
  const recording: Recording = { record, recordAll: options.recordAll ?? oneByOne(record) };
  const { statementMsMax = statementMsMaxDefault, waitMsMax = waitMsMaxDefault } = options;
  const session = { url: options.url, schema, statementMsMax, waitMsMax };
  const { poolMax = poolMaxDefault, queueMax = queueMaxDefault } = options;
  const pool = openPool({ ...session, poolMax, queueMax, log });
  const listener = openListener({ session: sessionOf(session), log });
  const channel = (name: string): string => `${schema}.${name}`;
  const asRelay = command(`set local role ${escapeIdentifier(options.relayRole)}`);
  const run = <R>(begin: readonly Statement[], work: (running: Running) => Promise<R>): Promise<R> =>
    transaction({ pool, begin, channel, log }, work);
  return {
    schema,
    of: (tenant) => ({
      tenant,
      transaction: async (work) =>
        await run([setTenant(tenant)], ({ tx }) => work(tenantTx(tx, tenant, recording))),
    }),
    global: {
      transaction: (work) => run([setNoTenant], (running) => work(globalTx(running, record))),
    },
    single: singleSql({ pool, log }),
    relay: {
      transaction: (work) => run([setNoTenant, asRelay], ({ tx }) => work(tx)),
    },
    snapshot: {
      transaction: (work) => run([asOfOneMoment, setNoTenant], ({ tx }) => work(tx)),
    },
    crossing: (...tenants) => ({
      transaction: (work) =>
        run([setNoTenant], (running) => work(crossingTx(running, { tenants, recording, ...options }))),
    }),
    listen: (name, heard) => listener.listen(channel(name), heard),
    counts: () => pool.counts(),
    ping: () => pool.use(async (connection) => void (await connection.send([sql`select 1`]))),
    close: async () => {
      await listener.close();
      await pool.close();
    },
  };
}

type Record = (tx: Tx, event: RemitEvent) => Promise<void>;
type Recording = {
  readonly record: Record;
  readonly recordAll: (tx: Tx, events: readonly RemitEvent[]) => Promise<void>;
};

const oneByOne =
  (record: Record): Recording["recordAll"] =>
  async (tx, events) => {
    for (const event of events) await record(tx, event);
  };

const refuseToRecord: Record = async () => {
  invariant(false, "a database that records events was opened with `record`");
};

function globalTx({ tx, first }: Running, record: Record): GlobalTx {
  return {
    ...tx,
    record: async (event) => {
      first(setTenant(event.tenant));
      await record(tx, event);
      first(setNoTenant);
    },
  };
}

/** The id has been parsed wherever it came from; parsing it again here keeps a cast from naming what is no tenant (T04). */
function setTenant(tenant: Tenant): Statement {
  invariant(
    tenant === "platform" || parseId("tenant", tenant) !== undefined,
    "a tenant is set only by its id",
  );
  return inTenant(tenant);
}

const inTenant = (tenant: Tenant | ""): Statement => sql`select set_config('remit.tenant', ${tenant}, true)`;
const setNoTenant = inTenant("");
const asOfOneMoment = command("set transaction isolation level repeatable read, read only");

function tenantTx<T extends Tenant>(tx: Tx, tenant: T, { record, recordAll }: Recording): TenantTx<T> {
  const own = (event: RemitEvent): void =>
    invariant(event.tenant === tenant, "an event is recorded under the tenant it is of");
  return {
    ...tx,
    tenant,
    record: (event) => {
      own(event);
      return record(tx, event);
    },
    recordAll: (events) => {
      for (const event of events) own(event);
      return recordAll(tx, events);
    },
  };
}

type Crossing = {
  readonly tenants: readonly Id<"tenant">[];
  readonly recording: Recording;
} & Pick<DatabaseOptions, "recordNew" | "recordAll">;

/** So many events are written one by one; more of them together. */
const fewEvents = 4;

/**
 * Begins in none of its tenants: what is asked before `as` sees no tenant's rows. A tenant is entered with the first statement
 * that needs it, so that going back and forth between two costs no more than what is done in each.
 */
function crossingTx(running: Running, crossing: Crossing): CrossingTx {
  const { tenants, recording, recordNew, recordAll } = crossing;
  let turn = 0;
  let wanted: Id<"tenant"> | undefined;
  let current: Id<"tenant"> | undefined;
  const enter = (tenant: Id<"tenant"> | undefined): void => {
    if (tenant !== undefined && tenant !== current) running.first(setTenant(tenant));
    current = tenant ?? current;
  };
  const within = (tenant: Tenant): Id<"tenant"> => {
    const one = tenants.find((each) => each === tenant);
    invariant(
      one !== undefined,
      "a crossing enters, and records events of, only the tenants it was opened for",
    );
    return one;
  };
  return {
    ...guarded(running.tx, () => enter(wanted)),
    as: async (tenant) => {
      turn += 1;
      const mine = turn;
      wanted = within(tenant);
      const enterOwn = (): void => {
        invariant(mine === turn, "a crossing's handle is used only until the next `as`");
        enter(tenant);
      };
      return tenantTx(guarded(running.tx, enterOwn), tenant, recording);
    },
    record: async (events) => {
      const placed = events.map((event) => ({ event, tenant: within(event.tenant) }));
      const isFew = recordNew !== undefined && events.length <= fewEvents;
      if (!isFew && recordAll !== undefined) return recordAll(running.tx, events);
      // Those of the tenant that is entered first: each is entered once.
      const ordered = [
        ...placed.filter(({ tenant }) => tenant === current),
        ...placed.filter(({ tenant }) => tenant !== current),
      ];
      for (const { event, tenant } of ordered) {
        enter(tenant);
        if (isFew) recordNew(running.tx, event);
        else await recording.record(running.tx, event);
      }
    },
  };
}

/** The same statements, before each of which `check` is called. */
function guarded(tx: Tx, check: () => void): Tx {
  const live = (): Tx => {
    check();
    return tx;
  };
  return {
    ...tx,
    one: async (statement) => live().one(statement),
    maybe: async (statement) => live().maybe(statement),
    many: async (statement) => live().many(statement),
    run: async (statement) => live().run(statement),
    defer: (statement) => live().defer(statement),
  };
}
