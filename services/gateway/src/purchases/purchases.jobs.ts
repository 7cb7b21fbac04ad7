import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { type RecoveryDeps, recoverClaims } from "./recovery.ts";

export const purchaseJobs = (jobs: Jobs, deps: RecoveryDeps): Jobs =>
  jobs.every("purchases.recover", secondMs, async (signal) => {
    await recoverClaims(deps, signal);
  });
