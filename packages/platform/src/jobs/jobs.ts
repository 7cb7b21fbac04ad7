import type { Clock, Id, Instant } from "@remit/kernel";
import type { Database } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";

export type Job = {
  readonly id: Id<"job">;
  readonly queue: string;
  readonly key: string | undefined;
  readonly payload: unknown;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the lease is lost or the worker stops. */
  readonly signal: AbortSignal;
};

export type QueueOptions = {
  /** At least once per job. Returning `runAt` runs it again then, as a new job; throwing retries with backoff. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one
  handle(job: Job): Promise<void | { readonly runAt: Instant }>;
  /** Then the job becomes a dead letter; 10 by default. */
  readonly attemptsMax?: number;
  /** Milliseconds before attempt `attempt + 1`, before jitter; doubling from 1 s to 5 min by default. */
  readonly backoff?: (attempt: number) => number;
  /** Jobs of this queue at once in this process; 4 by default. */
  readonly concurrency?: number;
};

export type Every = (signal: AbortSignal) => Promise<void>;

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
  on(queue: string, options: QueueOptions): Jobs;
  /** Runs `work` every `ms` milliseconds in one process of all. */
  every(name: string, ms: number, work: Every): Jobs;
  start(): Promise<void>;
  /** Takes no more, lets what runs end. */
  stop(): Promise<void>;
};

export declare function createJobs(options: JobsOptions): Jobs;
