import type { Id } from "@remit/kernel";
import type { RemitEvent } from "@remit/protocol";
import type { Log } from "../telemetry/index.ts";
import type { Statement } from "./statement.ts";

/**
 * Runs statements. Columns come back as: bigint → `bigint`, timestamptz → `Instant`, json and jsonb → parsed, bytea →
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
  /** Runs `work` after the commit and never after a rollback. What it throws is logged and changes nothing. */
  afterCommit(work: () => void): void;
  /** Wakes listeners of `channel` after the commit. A hint that may be lost with the process: listeners poll as well. */
  notify(channel: string): void;
};

/** Sees the rows of one tenant, and global and public tables. */
export type TenantTx = Tx & {
  readonly tenant: Id<"tenant">;
  /** Writes the event in this transaction. */
  record(event: RemitEvent): Promise<void>;
};

/** Sees global and public tables; tenant tables look empty. */
export type GlobalTx = Tx & { record(event: RemitEvent): Promise<void> };

/** Runs as the relay role: outbox, jobs and due rows of all tenants, and no tenant table. */
export type RelayTx = Tx;

/** One transaction over the named tenants. A handle got from `as` is dead once `as` has switched to another tenant. */
export type CrossingTx = Tx & { as(tenant: Id<"tenant">): Promise<TenantTx> };

/** Opens transactions. `work` may run again (at most 3 times) when PostgreSQL asks for it: 40001, 40P01. */
export type Scope<T> = { transaction<R>(work: (tx: T) => Promise<R>): Promise<R> };

export type TenantSql = Scope<TenantTx> & { readonly tenant: Id<"tenant"> };

export type Database = {
  readonly schema: string;
  of(tenant: Id<"tenant">): TenantSql;
  readonly global: Scope<GlobalTx>;
  readonly relay: Scope<RelayTx>;
  /** For the room of charges alone: payer, payee and operator in one transaction. Named twice is the same as once. */
  crossing(...tenants: readonly Id<"tenant">[]): Scope<CrossingTx>;
  /** Calls `heard` when a transaction notified `channel`, here or in another process. Returns the way to stop. */
  listen(channel: string, heard: () => void): () => void;
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
  /** Transactions that may wait for a connection; 1,000 by default. Each waits 2 s at most. */
  readonly queueMax?: number;
  /** A statement's limit; 10 s by default. */
  readonly statementMsMax?: number;
  /** Where `record` writes: `recordToOutbox`, or what a service does besides. */
  readonly record?: (tx: Tx, event: RemitEvent) => Promise<void>;
  readonly log?: Log;
};

export declare function openDatabase(options: DatabaseOptions): Database;
