import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { InvariantViolation, invariant } from "@remit/kernel";
import type { Log } from "../telemetry/index.ts";
import type { Sql, Tx } from "./database.ts";
import { asksForRetry, isStalePlan, isTrouble, unavailable } from "./failures.ts";
import type { Answer } from "./message.ts";
import type { Connection, Pool } from "./pool.ts";
import { command, type Statement, sql } from "./statement.ts";

const attemptsMax = 4;
const retryMsMax = 25;
/** Each connection of the pool may have one. */
const stalePlansMax = 100;

/** A running transaction: its statements, and what is to happen after the commit. */
export type Running = {
  readonly tx: Tx;
  /** Sends one of our own statements, such as the one that sets the tenant, in the message of the next statement. */
  readonly first: (statement: Statement) => void;
  /** Lets no further statement out, waits for those that run, and says what is left to send with the commit. */
  readonly end: () => Promise<Ending>;
  /** What listeners are told after the commit, by channel. */
  readonly news: ReadonlyMap<string, ReadonlySet<string>>;
  readonly work: readonly (() => void)[];
};

/** Whether the transaction has begun or must, and what goes out in the message of its commit. */
type Ending = { readonly begun: boolean; readonly deferred: readonly Statement[] };

export type TransactionOptions = {
  readonly pool: Pool;
  /** What must hold from the first statement on: sent with `begin` and with it. */
  readonly begin: readonly Statement[];
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
async function alone(connection: Connection, statement: Statement): Promise<Answer> {
  try {
    return onlyOf(await connection.send([statement]));
  } catch (error) {
    if (isStalePlan(error)) connection.spoil(unavailable("a prepared statement is out of date", error));
    throw error;
  }
}

function onlyOf(answers: readonly Answer[]): Answer {
  const [answer] = answers;
  invariant(answer !== undefined && answers.length === 1, "each statement has its answer");
  return answer;
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
  const running = start(connection, [begin, ...options.begin]);
  let result: R;
  try {
    result = await work(running);
    const { begun, deferred } = await running.end();
    const news = [...running.news].flatMap(([name, about]) =>
      [...about].map((each) => ({ channel: options.channel(name), about: each })),
    );
    if (begun) await finish(connection, [...deferred, commit], news);
    else if (news.length > 0) await connection.send(news.map(notification));
  } catch (error) {
    const { begun } = await running.end();
    if (isStalePlan(error)) connection.spoil(unavailable("a prepared statement is out of date", error));
    // On a connection in trouble a rollback may hang; the pool throws the connection away, which rolls back as well.
    if (begun && !isTrouble(error) && !(error instanceof Unfinished))
      await finish(connection, [rollback], []);
    throw error;
  }
  return { result, later: running.work };
}

const begin = command("begin");
const commit = command("commit");
const rollback = command("rollback");

/** A transaction whose end was not what it should be: it has ended all the same. */
class Unfinished extends InvariantViolation {}

type News = { readonly channel: string; readonly about: string };

const notification = ({ channel, about }: News): Statement => sql`select pg_notify(${channel}, ${about})`;

// Notifying after the commit, in the same message: NOTIFY inside the transaction would hold one lock of the whole
// database during the commit's write to disk. The last statement is the check that nothing stays behind for the next
// user of this connection (T05).
async function finish(
  connection: Connection,
  ending: readonly Statement[],
  news: readonly News[],
): Promise<void> {
  const answers = await connection.send([...ending, ...news.map(notification), isClean]);
  const [row] = (answers.at(-1)?.rows ?? []) as { clean: boolean }[]; // what the statement below finds
  const clean = row?.clean === true;
  if (!clean) {
    const left = new Unfinished("a tenant or role stayed behind on a connection");
    connection.spoil(left);
    throw left;
  }
  if (answers[ending.length - 1]?.command !== ending.at(-1)?.text.toUpperCase())
    throw new Unfinished(
      "a transaction in which a statement failed ends with its error, not as if it were committed",
    );
}

const isClean = sql`select coalesce(current_setting('remit.tenant', true), '') = ''
  and current_user = session_user as clean`;

function runLater(work: () => void, log: Log | undefined): void {
  try {
    work();
  } catch (error) {
    log?.error({ error }, "work after a commit failed");
  }
}

/** A statement that is not sent yet: somebody waits for its answer, or it is sent with the next one; `own` ones are in vain without. */
type Asked = {
  readonly statement: Statement;
  readonly answer?: PromiseWithResolvers<Answer>;
  readonly own?: true;
};

function start(connection: Connection, begin: readonly Statement[]): Running {
  const { query, add, end } = lineTo(connection, begin);
  const news = new Map<string, Set<string>>();
  const work: (() => void)[] = [];
  return {
    tx: {
      ...sqlOver(query),
      defer: (statement) => add({ statement }),
      afterCommit: (later) => void work.push(later),
      notify: (channel, about = "") => {
        const told = news.get(channel) ?? new Set();
        news.set(channel, told.add(about));
      },
    },
    first: (statement) => add({ statement, own: true }),
    end,
    news,
    work,
  };
}

type Line = Pick<Running, "end"> & {
  readonly query: (statement: Statement) => Promise<Answer>;
  readonly add: (asked: Asked) => void;
};

// The protocol has one conversation per connection: what is asked for at once, or while another message is on its way,
// goes in the next one. A statement that is still waiting at the end is not sent: it would run outside any transaction.
function lineTo(connection: Connection, begin: readonly Statement[]): Line {
  let open = true;
  let begun = false;
  let sending: Promise<void> | undefined;
  let asked: Asked[] = begin.map((statement) => ({ statement, own: true }));
  const isAsked = (): boolean => open && asked.some(({ answer }) => answer !== undefined);
  const sendAll = async (): Promise<void> => {
    while (isAsked()) {
      const now = asked;
      asked = [];
      begun = true;
      try {
        const answers = await connection.send(now.map(({ statement }) => statement));
        for (const [at, answer] of answers.entries()) now[at]?.answer?.resolve(answer);
      } catch (error) {
        for (const { answer } of now) answer?.reject(error);
      }
    }
    sending = undefined;
  };
  return {
    add: (one) => {
      invariant(open, endedText);
      // Of two tenants entered one after the other, only the last is seen.
      if (one.own && isSame(asked.at(-1), one)) asked.pop();
      asked.push(one);
    },
    query: (statement) => {
      const answer = Promise.withResolvers<Answer>();
      if (!open) answer.reject(ended());
      else {
        asked.push({ statement, answer });
        sending ??= Promise.resolve().then(sendAll);
      }
      return answer.promise;
    },
    end: async () => {
      open = false;
      await sending;
      const left = asked;
      asked = [];
      for (const { answer } of left) answer?.reject(ended());
      const unasked = left.filter(({ answer }) => answer === undefined);
      if (unasked.every(({ own }) => own)) return { begun, deferred: [] };
      // Whoever asks again, since what was deferred has failed, must roll back.
      begun = true;
      return { begun, deferred: unasked.map(({ statement }) => statement) };
    },
  };
}

const isSame = (before: Asked | undefined, { statement }: Asked): boolean =>
  before?.own === true && before.statement.name === statement.name;

const endedText = "a transaction's handle is used only inside the transaction";
const ended = (): InvariantViolation => new InvariantViolation(endedText);

function sqlOver(query: (statement: Statement) => Promise<Answer>): Sql {
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
    run: async (statement) => ({ count: (await query(statement)).count }),
  };
}
