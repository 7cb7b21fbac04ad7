import { type Clock, invariant, secondMs } from "@remit/kernel";
import type { Database } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { jobsChannel } from "./enqueue.ts";
import { withoutSync } from "./jobs.sql.ts";
import { createSchedules, type Every } from "./schedules.ts";
import { createWorker, type QueueOptions } from "./worker.ts";

export type JobsOptions = {
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  /** How long a dead worker's jobs wait for another; 6 s by default. */
  readonly leaseMs?: number;
  /** How often we look when no notification comes; 1 s by default. */
  readonly pollMs?: number;
};

export type Jobs = {
  /** Handles the jobs of a queue. Before `start`. */
  on(queue: string, options: QueueOptions): Jobs;
  /** Runs `work` every `ms` milliseconds (real time at least, by the clock given) in one process of all. Before `start`. */
  every(name: string, ms: number, work: Every): Jobs;
  start(): Promise<void>;
  /** Takes no more, lets what runs end. */
  stop(): Promise<void>;
};

const leaseMsDefault = 6 * secondMs;
const pollMsDefault = secondMs;

/** The background work of one process of a service. */
export function createJobs(options: JobsOptions): Jobs {
  const { db, log } = options;
  const settings = { ...options, leaseMs: options.leaseMs ?? leaseMsDefault };
  const pollMs = options.pollMs ?? pollMsDefault;
  const queues = new Map<string, QueueOptions>();
  const worker = createWorker({ ...settings, queues, ended: () => void jobs.ask() });
  const schedules = createSchedules(settings);
  const jobs = oneAfterTheOther(
    () => worker.look(),
    (error) => log.warn({ error }, "jobs could not be taken"),
  );
  const turns = oneAfterTheOther(
    () => schedules.look(),
    (error) => log.warn({ error }, "schedules could not be read"),
  );
  const beats = oneAfterTheOther(
    async () => {
      if (!worker.holdsAny() && !schedules.holdsAny()) return;
      await db.relay.transaction(async (tx) => {
        await withoutSync(tx);
        await worker.renew(tx);
        await schedules.renew(tx);
      });
    },
    (error) => log.warn({ error }, "leases could not be renewed"),
  );
  let stopListening: (() => void) | undefined;
  let timers: NodeJS.Timeout[] = [];
  const self: Jobs = {
    on(queue, handling) {
      invariant(!queues.has(queue), "a queue has one handler");
      queues.set(queue, handling);
      return self;
    },
    every(name, ms, work) {
      schedules.add(name, ms, work);
      return self;
    },
    async start() {
      invariant(timers.length === 0, "jobs are started once");
      if (queues.size > 0) stopListening = db.listen(jobsChannel, jobs.ask);
      timers = [
        setInterval(jobs.ask, pollMs),
        setInterval(turns.ask, Math.min(pollMs, schedules.shortestMs() ?? pollMs)),
        setInterval(beats.ask, settings.leaseMs / 3),
      ];
      for (const timer of timers) timer.unref();
      await Promise.all([jobs.ask(), turns.ask()]);
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      stopListening?.();
      await Promise.all([jobs.close(), turns.close()]);
      const heart = setInterval(beats.ask, settings.leaseMs / 3);
      await Promise.all([worker.drained(), schedules.drained()]);
      clearInterval(heart);
      await beats.close();
      await schedules.release().catch((error: unknown) => log.warn({ error }, "leases were not given back"));
    },
  };
  return self;
}

type Asked = { ask(): Promise<void>; close(): Promise<void> };

/** Runs `work` when asked; asked while it runs, once more after it. Never fails. */
function oneAfterTheOther(work: () => Promise<void>, failed: (error: unknown) => void): Asked {
  let running: Promise<void> | undefined;
  let more = false;
  let closed = false;
  const run = async (): Promise<void> => {
    do {
      more = false;
      await work().catch(failed);
    } while (more && !closed);
    running = undefined;
  };
  return {
    ask() {
      if (closed) return Promise.resolve();
      if (running === undefined) running = run();
      else more = true;
      return running;
    },
    async close() {
      closed = true;
      await running;
    },
  };
}
