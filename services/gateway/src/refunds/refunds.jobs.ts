import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { type RefundDeps, recoverRefunds } from "./refunds.ts";

export const refundJobs = (jobs: Jobs, deps: RefundDeps): Jobs =>
  jobs.every("refunds.recover", secondMs, (signal) => recoverRefunds(deps, signal));
