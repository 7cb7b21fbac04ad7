import { setTimeout as wait } from "node:timers/promises";

/** Resolves after `ms` milliseconds: for retries inside one piece of work. What may wait longer is a job. */
export const pause = (ms: number): Promise<void> => wait(ms);
