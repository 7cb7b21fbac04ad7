import { type Clock, invariant, secondMs } from "@remit/kernel";
import type { Database } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { jobsChannel } from "./enqueue.ts";
import { withoutSync } from "./jobs.sql.ts";
import { createSchedules, type Every, type Schedules } from "./schedules.ts";
import { createWorker, type QueueOptions, type Worker } from "./worker.ts";

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
  /** The same in each process, for what a process keeps in its memory. Before `start`. */
  everywhere(name: string, ms: number, work: Every): Jobs;
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
  const worker = createWorker({ ...settings, queues, ended: () => jobs.ask() });
  const schedules = createSchedules(settings);
  const warn = (text: string) => (error: unknown) => log.warn({ error }, text);
  const jobs = oneAfterTheOther(() => worker.look(), warn("jobs could not be taken"));
  const turns = oneAfterTheOther(() => schedules.look(), warn("schedules could not be taken"));
  const beats = oneAfterTheOther(
    () => renewLeases(db, worker, schedules),
    warn("leases could not be renewed"),
  );
  const startBeating = (): NodeJS.Timeout => setInterval(beats.ask, settings.leaseMs / 3).unref();
  let stopListening: (() => void) | undefined;
  let timers: NodeJS.Timeout[] = [];
  const self: Jobs = {
    on(queue, handling) {
      invariant(!queues.has(queue), "a queue has one handler");
      queues.set(queue, handling);
      return self;
    },
    every(name, ms, work) {
      schedules.add({ name, ms, work, by: "one" });
      return self;
    },
    everywhere(name, ms, work) {
      schedules.add({ name, ms, work, by: "each" });
      return self;
    },
    async start() {
      invariant(timers.length === 0, "jobs are started once");
      if (queues.size > 0) stopListening = db.listen(jobsChannel, jobs.ask);
      timers = [
        setInterval(jobs.ask, pollMs).unref(),
        setInterval(turns.ask, Math.min(pollMs, schedules.shortestMs() ?? pollMs)).unref(),
        startBeating(),
      ];
      jobs.ask();
      turns.ask();
      await Promise.all([jobs.done(), turns.done()]);
    },
    async stop() {
      stopListening?.();
      await Promise.all([jobs.close(), turns.close()]);
      // What still runs keeps its leases to the end.
      await Promise.all([worker.drained(), schedules.drained()]);
      for (const timer of timers) clearInterval(timer);
      await beats.close();
      await schedules.release().catch(warn("leases were not given back"));
    },
  };
  return self;
}

async function renewLeases(db: Database, worker: Worker, schedules: Schedules): Promise<void> {
  if (!worker.holdsAny() && !schedules.holdsAny()) return;
  await db.relay.transaction(async (tx) => {
    await withoutSync(tx);
    await worker.renew(tx);
    await schedules.renew(tx);
  });
}

type Asked = {
  readonly ask: () => void;
  readonly done: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Runs `work` when asked; asked while it runs, once more after it. Never fails. */
function oneAfterTheOther(work: () => Promise<void>, failed: (error: unknown) => void): Asked {
  const state: { running: Promise<void> | undefined; more: boolean; closed: boolean } = {
    running: undefined,
    more: false,
    closed: false,
  };
  const run = async (): Promise<void> => {
    do {
      state.more = false;
      await work().catch(failed);
    } while (state.more && !state.closed);
    state.running = undefined;
  };
  return {
    ask: () => {
      if (state.closed) return;
      if (state.running === undefined) state.running = run();
      else state.more = true;
    },
    done: async () => await state.running,
    close: async () => {
      state.closed = true;
      await state.running;
    },
  };
}
