import { randomInt } from "node:crypto";
import { type Clock, type Id, type Instant, minuteMs, secondMs, systemClock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Database, RelayTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import * as rows from "./jobs.sql.ts";

export type Job = {
  readonly id: Id<"job">;
  readonly queue: string;
  readonly key: string | undefined;
  readonly payload: unknown;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the lease is lost: another worker may have the job by now. */
  readonly signal: AbortSignal;
};

/** Runs it again, as a job that has not failed: at a moment that is written down somewhere, or after some time. */
export type Again = { readonly runAt: Instant } | { readonly restMs: number };

export type QueueOptions = {
  /** At least once per job. Throwing retries with backoff. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one
  handle(job: Job): Promise<void | Again>;
  /** Then the job becomes a dead letter; 10 by default. */
  readonly attemptsMax?: number;
  /** Milliseconds before attempt `attempt + 1`, before jitter; doubling from 1 s to 5 min by default. */
  readonly backoff?: (attempt: number) => number;
  /** Jobs of this queue at once in this process; 4 by default. */
  readonly concurrency?: number;
};

export type WorkerOptions = {
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly queues: ReadonlyMap<string, QueueOptions>;
  readonly check?: (() => void) | undefined;
  /** Called when a job has ended: there is room, and its work may have made the next one. */
  readonly ended: () => void;
};

export type Worker = {
  /** Takes what is due, as far as there is room. */
  look(): Promise<void>;
  /** Lengthens the leases of what runs. */
  renew(tx: RelayTx): Promise<void>;
  holdsAny(): boolean;
  /** Resolves when nothing runs any more. */
  drained(): Promise<void>;
};

const attemptsMaxDefault = 10;
const concurrencyDefault = 4;
const errorLengthMax = 500;
const doubling = (attempt: number): number => Math.min(secondMs * 2 ** (attempt - 1), 5 * minuteMs);

type Running = {
  readonly held: rows.Held;
  readonly queue: string;
  readonly lost: AbortController;
  done: Promise<void>;
};

export function createWorker(options: WorkerOptions): Worker {
  const { db, clock, leaseMs, queues } = options;
  const running = new Set<Running>();
  const room = (queue: string): number =>
    (queues.get(queue)?.concurrency ?? concurrencyDefault) -
    [...running].filter((run) => run.queue === queue).length;

  const take = async (): Promise<rows.Taken[]> => {
    if (!mayTake(options)) return [];
    const open = [...queues.keys()].filter((queue) => room(queue) > 0);
    if (open.length === 0) return [];
    const now = nowOf(clock);
    return await db.relay.transaction(async (tx) => {
      const due = await rows.dueQueues(tx, open, now);
      if (due.length > 0) await rows.withoutSync(tx);
      const taken: rows.Taken[] = [];
      for (const queue of due)
        taken.push(...(await rows.takeJobs(tx, { queue, limit: room(queue), now, leaseMs })));
      return taken;
    });
  };

  const worker: Worker = {
    async look() {
      for (const taken of await take()) {
        const lost = new AbortController();
        const run: Running = { held: taken, queue: taken.queue, lost, done: Promise.resolve() };
        running.add(run);
        run.done = runJob(options, taken, lost.signal)
          .catch((error: unknown) =>
            options.log.error({ error, job: taken.id }, "a job's outcome was not written down"),
          )
          .finally(() => {
            running.delete(run);
            options.ended();
          });
      }
    },
    async renew(tx) {
      if (running.size === 0) return;
      const ours = await rows.renewJobs(
        tx,
        [...running].map(({ held }) => held),
        leaseMs,
      );
      for (const { held, lost } of running) if (!ours.has(held.id)) lost.abort();
    },
    holdsAny: () => running.size > 0,
    async drained() {
      await Promise.all([...running].map(({ done }) => done));
    },
  };
  return worker;
}

function mayTake({ check }: WorkerOptions): boolean {
  try {
    check?.();
    return true;
  } catch {
    return false; // Whoever keeps watch has said so in the log.
  }
}

async function runJob(options: WorkerOptions, taken: rows.Taken, signal: AbortSignal): Promise<void> {
  const { db, clock, log, queues } = options;
  const queue = queues.get(taken.queue);
  if (queue === undefined) return;
  const attemptsMax = queue.attemptsMax ?? attemptsMaxDefault;
  const write = (work: (tx: RelayTx) => Promise<void>): Promise<void> =>
    db.relay.transaction(async (tx) => {
      await rows.withoutSync(tx);
      await work(tx);
    });
  try {
    // A worker that died with the job counts as an attempt, so a job that kills its worker ends as well.
    if (taken.attempts > attemptsMax)
      throw new Problem("internal_error", { private: { why: "workers died with it" } });
    const { id, key, payload, attempts: attempt } = taken;
    const again = await queue.handle({
      id,
      queue: taken.queue,
      key: key ?? undefined,
      payload,
      attempt,
      signal,
    });
    await write(async (tx) => {
      if (!again) return rows.finishJob(tx, taken);
      if ("runAt" in again) return rows.postponeJob(tx, taken, again.runAt);
      return rows.restJob(tx, taken, { restMs: again.restMs, now: nowOf(clock) });
    });
  } catch (error) {
    const fields = { queue: taken.queue, job: taken.id, attempt: taken.attempts, error };
    const failure = { ...taken, error: describe(error), now: nowOf(clock) };
    if (taken.attempts >= attemptsMax) {
      log.error(fields, "a job failed for the last time");
      return await write((tx) => rows.buryJob(tx, failure));
    }
    const backoffMs = jittered((queue.backoff ?? doubling)(taken.attempts));
    log.warn({ ...fields, backoff_ms: backoffMs }, "a job failed and will run again");
    await write((tx) => rows.retryJob(tx, { ...failure, backoffMs }));
  }
}

const nowOf = (clock: Clock): rows.JobsNow => (clock === systemClock ? undefined : clock.now());

/** A fifth up or down, so that what failed together does not come back together. */
const jittered = (ms: number): number => Math.round((ms * randomInt(800, 1201)) / 1000);

function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const why =
    error instanceof Problem && error.private !== undefined ? ` ${JSON.stringify(error.private)}` : "";
  return `${text}${why}`.slice(0, errorLengthMax);
}
