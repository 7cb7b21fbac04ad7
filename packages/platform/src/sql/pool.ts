import { AsyncLocalStorage } from "node:async_hooks";
import { invariant } from "@remit/kernel";
import { type ClientConfig, Pool as Connections, type PoolClient } from "pg";
import type { Log } from "../telemetry/index.ts";
import { asRefusal, unavailable } from "./failures.ts";
import { type Answer, sendTogether } from "./message.ts";
import { types } from "./parsers.ts";
import type { Statement } from "./statement.ts";

const lockMsMax = 5_000;
const idleInTransactionMsMax = 15_000;
/** How much longer than PostgreSQL ends a statement itself we wait for its word. */
const silenceMsMax = 2_000;

export type PoolOptions = {
  readonly url: string;
  readonly schema: string;
  readonly poolMax: number;
  readonly queueMax: number;
  readonly statementMsMax: number;
  readonly waitMsMax: number;
  readonly log: Log | undefined;
};

/** One connection, out of the pool for one transaction. */
export type Connection = {
  /** Runs them one after the other, and none after one that fails; in one message once the connection knows them. */
  send(statements: readonly Statement[]): Promise<Answer[]>;
  /** Keeps the connection from being used again. */
  spoil(why: Error): void;
};

export type Pool = {
  /** Hands a connection to `work` alone; throws `unavailable` when none comes free in time. */
  use<R>(work: (connection: Connection) => Promise<R>): Promise<R>;
  counts(): PoolCounts;
  close(): Promise<void>;
};

/** Connections there are, those that nobody uses, and transactions that wait for one. */
export type PoolCounts = { readonly total: number; readonly idle: number; readonly waiting: number };

/** How every connection of ours behaves, whoever opens it. */
export const sessionOf = (options: Omit<PoolOptions, "poolMax" | "queueMax" | "log">): ClientConfig => ({
  connectionString: options.url,
  application_name: `remit ${options.schema}`,
  options: [
    `-c search_path=${escapeOption(options.schema)}`,
    "-c timezone=UTC",
    "-c datestyle=ISO",
    `-c statement_timeout=${options.statementMsMax}`,
    `-c lock_timeout=${lockMsMax}`,
    `-c idle_in_transaction_session_timeout=${idleInTransactionMsMax}`,
  ].join(" "),
  // A server that vanished without a word is noticed by us; a living one ends the statement itself before.
  query_timeout: options.statementMsMax + silenceMsMax,
  connectionTimeoutMillis: options.waitMsMax,
  keepAlive: true,
  types,
});

const escapeOption = (text: string): string => `"${text.replaceAll('"', '""')}"`.replace(/[\\ ]/g, "\\$&");

export function openPool(options: PoolOptions): Pool {
  const pool = new Connections({ ...sessionOf(options), max: options.poolMax, idleTimeoutMillis: 30_000 });
  // Without a listener a connection that breaks while idle would end the process.
  pool.on("error", (error) => options.log?.warn({ error }, "an idle database connection broke"));
  // Between the pool's hands and ours nobody would: a server that ends a connection in the packet that opens it.
  pool.on("connect", (client) => client.on("error", () => undefined));
  let closing: Promise<void> | undefined;
  const msMaxEach = options.statementMsMax + silenceMsMax;
  const holding = new AsyncLocalStorage<{ held: boolean }>();
  return {
    async use(work) {
      // As many of these as there are connections would wait for one another until they are refused.
      invariant(holding.getStore()?.held !== true, "a transaction is not opened inside another one");
      if (closing !== undefined) throw unavailable("the pool is closed");
      if (pool.waitingCount >= options.queueMax) throw unavailable("too many transactions wait");
      const client = await pool.connect().catch((error: unknown) => {
        throw unavailable("no connection", error);
      });
      const store = { held: true };
      try {
        return await holding.run(store, () => useOnce(client, { msMaxEach, work }));
      } finally {
        store.held = false;
      }
    },
    counts: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      closing ??= pool.end();
      await closing;
    },
  };
}

async function useOnce<R>(
  client: PoolClient,
  { msMaxEach, work }: { readonly msMaxEach: number; readonly work: (connection: Connection) => Promise<R> },
): Promise<R> {
  let spoiled: Error | undefined;
  const spoil = (why: Error): void => {
    spoiled ??= why;
  };
  client.on("error", spoil);
  try {
    return await work({ send: (statements) => sendTogether(client, statements, msMaxEach), spoil });
  } catch (error) {
    const refusal = asRefusal(error);
    // The state of a connection that failed under us is unknown: the next tenant gets another one.
    if (refusal !== error) spoil(unavailable("the connection failed"));
    throw refusal;
  } finally {
    client.off("error", spoil);
    client.release(spoiled);
  }
}
