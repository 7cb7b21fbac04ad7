import { type Clock, invariant, secondMs } from "@remit/kernel";
import type { Database, RelayTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { jobsChannel } from "./enqueue.ts";
import { type Asking, createFollowers, type Follower } from "./followers.ts";
import { withoutSync } from "./jobs.sql.ts";
import { oneAfterTheOther } from "./one-after-the-other.ts";
import { createSchedules, type Every } from "./schedules.ts";
import { createWorker, type QueueOptions } from "./worker.ts";

export type JobsOptions = {
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  /** Throws while this process must take no job: its clock is wrong, and what is due would be judged by it. */
  readonly check?: (() => void) | undefined;
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
  /** Looks whenever `channel` is notified, when it asks itself, and every `pollMs` anyway; in each process. Before `start`. */
  follow(channel: string, make: (asking: Asking) => Follower): Jobs;
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
  const followers = createFollowers({ ...settings, pollMs });
  const warn = (text: string) => (error: unknown) => log.warn({ error }, text);
  const jobs = oneAfterTheOther(() => worker.look(), warn("jobs could not be taken"));
  const turns = oneAfterTheOther(() => schedules.look(), warn("schedules could not be taken"));
  const beats = oneAfterTheOther(
    () => renewLeases(db, [worker, schedules, followers]),
    warn("leases could not be renewed"),
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
      schedules.add({ name, ms, work, by: "one" });
      return self;
    },
    everywhere(name, ms, work) {
      schedules.add({ name, ms, work, by: "each" });
      return self;
    },
    follow(channel, make) {
      followers.add(channel, make);
      return self;
    },
    async start() {
      invariant(timers.length === 0, "jobs are started once");
      if (queues.size > 0) stopListening = db.listen(jobsChannel, jobs.ask);
      timers = [
        setInterval(jobs.ask, pollMs).unref(),
        setInterval(turns.ask, Math.min(pollMs, schedules.shortestMs() ?? pollMs)).unref(),
        setInterval(beats.ask, settings.leaseMs / 3).unref(),
      ];
      followers.start();
      jobs.ask();
      turns.ask();
      await Promise.all([jobs.done(), turns.done()]);
    },
    async stop() {
      stopListening?.();
      await Promise.all([jobs.close(), turns.close(), followers.close()]);
      // What still runs keeps its leases to the end.
      await Promise.all([worker.drained(), schedules.drained(), followers.drained()]);
      for (const timer of timers) clearInterval(timer);
      await beats.close();
      await schedules.release().catch(warn("leases were not given back"));
    },
  };
  return self;
}

type Holder = { holdsAny(): boolean; renew(tx: RelayTx): Promise<void> };

async function renewLeases(db: Database, holders: readonly Holder[]): Promise<void> {
  const holding = holders.filter((holder) => holder.holdsAny());
  if (holding.length === 0) return;
  await db.relay.transaction(async (tx) => {
    await withoutSync(tx);
    for (const holder of holding) await holder.renew(tx);
  });
}
