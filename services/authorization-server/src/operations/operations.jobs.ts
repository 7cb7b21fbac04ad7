import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Operations } from "./operations.ts";

const measureEveryMs = 15 * secondMs;

/** Each process says what it sees: whichever is scraped answers. */
export const operationsJobs = (jobs: Jobs, { measure }: Operations): Jobs =>
  jobs.everywhere("operations.measure", measureEveryMs, measure);
