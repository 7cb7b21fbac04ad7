import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { InvariantViolation, invariant } from "@remit/kernel";
import { escapeLiteral, type QueryResult } from "pg";
import type { Log } from "../telemetry/index.ts";
import type { Sql, Tx } from "./database.ts";
import { asksForRetry, isStalePlan, isTrouble, unavailable } from "./failures.ts";
import type { Connection, Pool } from "./pool.ts";
import type { SqlValue, Statement } from "./statement.ts";

const attemptsMax = 4;
const retryMsMax = 25;
/** Each connection of the pool may have one. */
const stalePlansMax = 100;

/** A running transaction: its statements, and what is to happen after the commit. */
export type Running = {
  readonly tx: Tx;
  /** Runs one of our own statements, such as the one that sets the tenant. */
  readonly command: (text: string) => Promise<void>;
  /** Lets no further statement out and waits for the one that runs. */
  readonly end: () => Promise<void>;
  /** What listeners are told after the commit, by channel. */
  readonly news: ReadonlyMap<string, ReadonlySet<string>>;
  readonly work: readonly (() => void)[];
};

export type TransactionOptions = {
  readonly pool: Pool;
  /** `begin` and what must hold from the first statement on, sent in one message. */
  readonly begin: string;
  /** Turns a name into the channel of this schema. */
  readonly channel: (name: string) => string;
  readonly log: Log | undefined;
};

/** Runs `work` in one transaction, again when PostgreSQL asks for it. */
export async function transaction<R>(
  options: TransactionOptions,
  work: (running: Running) => Promise<R>,
): Promise<R> {
  const { result, later } = await again(options, () =>
    options.pool.use((connection) => once(options, connection, work)),
  );
  for (const each of later) runLater(each, options.log);
  return result;
}

/** Statements that are transactions of their own: they begin and end by themselves, in one round trip. */
export const singleSql = (options: Pick<TransactionOptions, "pool" | "log">): Sql =>
  sqlOver((statement) =>
    again(options, () => options.pool.use((connection) => alone(connection, statement))),
  );

// Nothing stays behind for the next user of the connection: what a function of ours sets, it sets for its transaction.
async function alone(connection: Connection, statement: Statement): Promise<QueryResult> {
  try {
    return await connection.query(toQuery(statement));
  } catch (error) {
    if (isStalePlan(error)) connection.spoil(unavailable("a prepared statement is out of date", error));
    throw error;
  }
}

async function again<R>({ log }: Pick<TransactionOptions, "log">, work: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (isStalePlan(error) && attempt < stalePlansMax) continue;
      if (!asksForRetry(error) || attempt >= attemptsMax) throw error;
      log?.debug({ attempt, error }, "a transaction is run again");
      // At once it could be first at the locks that the survivor of the deadlock has just been woken for.
      await pause(randomInt(1, retryMsMax * attempt));
    }
  }
}

async function once<R>(
  options: TransactionOptions,
  connection: Connection,
  work: (running: Running) => Promise<R>,
): Promise<{ readonly result: R; readonly later: Running["work"] }> {
  const running = start(connection);
  let result: R;
  try {
    await connection.query(options.begin);
    result = await work(running);
    await running.end();
  } catch (error) {
    await running.end();
    if (isStalePlan(error)) connection.spoil(unavailable("a prepared statement is out of date", error));
    // On a connection in trouble a rollback may hang; the pool throws the connection away, which rolls back as well.
    if (!isTrouble(error)) await finish(connection, "rollback", []);
    throw error;
  }
  const news = [...running.news].flatMap(([name, about]) =>
    [...about].map((each) => ({ channel: options.channel(name), about: each })),
  );
  await finish(connection, "commit", news);
  return { result, later: running.work };
}

// Notifying after the commit, in the same message: NOTIFY inside the transaction would hold one lock of the whole
// database during the commit's write to disk. The last statement is the check that nothing stays behind for the next
// user of this connection (T05).
async function finish(
  connection: Connection,
  verb: "commit" | "rollback",
  news: readonly { readonly channel: string; readonly about: string }[],
): Promise<void> {
  const notify = news
    .map(({ channel, about }) => `; select pg_notify(${escapeLiteral(channel)}, ${escapeLiteral(about)})`)
    .join("");
  const answer: unknown = await connection.query(
    `${verb}${notify}; select coalesce(current_setting('remit.tenant', true), '') = '' and current_user = session_user as clean`,
  );
  const results = answer as QueryResult[]; // several statements give an array, which the driver's types do not know
  const clean = results.at(-1)?.rows[0]?.clean === true;
  if (!clean) connection.spoil(new InvariantViolation("a tenant or role stayed behind on a connection"));
  invariant(clean, "a connection goes back to the pool without tenant and role");
  invariant(
    results[0]?.command === verb.toUpperCase(),
    "a transaction in which a statement failed ends with its error, not as if it were committed",
  );
}

function runLater(work: () => void, log: Log | undefined): void {
  try {
    work();
  } catch (error) {
    log?.error({ error }, "work after a commit failed");
  }
}

function start(connection: Connection): Running {
  let open = true;
  let tail: Promise<unknown> = Promise.resolve();
  const news = new Map<string, Set<string>>();
  const work: (() => void)[] = [];
  // One after the other: the protocol has one conversation per connection, and callers may use Promise.all.
  // Each is checked when its turn comes: after the end it would run on its own, outside any transaction.
  const send = <T>(query: () => Promise<T>): Promise<T> => {
    const answer = tail.then(() => {
      invariant(open, "a transaction's handle is used only inside the transaction");
      return query();
    });
    tail = answer.catch(() => undefined);
    return answer;
  };
  const query = (statement: Statement): Promise<QueryResult> =>
    send(() => connection.query(toQuery(statement)));
  return {
    tx: {
      ...sqlOver(query),
      afterCommit: (later) => void work.push(later),
      notify: (channel, about = "") => {
        const told = news.get(channel) ?? new Set();
        news.set(channel, told.add(about));
      },
    },
    command: async (text) => void (await send(() => connection.query(text))),
    end: async () => {
      open = false;
      await tail;
    },
    news,
    work,
  };
}

const toQuery = ({ name, text, values }: Statement): { name: string; text: string; values: unknown[] } => ({
  name,
  text,
  values: values.map(toDriver),
});

const toDriver = (value: SqlValue): unknown => (value instanceof Uint8Array ? Buffer.from(value) : value);

function sqlOver(query: (statement: Statement) => Promise<QueryResult>): Sql {
  const rows = async <T>(statement: Statement): Promise<T[]> => (await query(statement)).rows as T[]; // T is the caller's word
  const maybe = async <T>(statement: Statement): Promise<T | undefined> => {
    const found = await rows<T>(statement);
    invariant(found.length <= 1, "a statement that finds one row finds no more than one");
    return found[0];
  };
  return {
    many: rows,
    maybe,
    one: async <T>(statement: Statement): Promise<T> => {
      const found = await maybe<T>(statement);
      invariant(found !== undefined, "a statement that finds one row finds it");
      return found;
    },
    run: async (statement) => ({ count: (await query(statement)).rowCount ?? 0 }),
  };
}
