import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { IssuerKeys } from "./keys.ts";

/** Keys move from next to current to retired when their time has come; each process reads them for itself. */
export const keyJobs = (jobs: Jobs, { keys }: { keys: IssuerKeys }): Jobs =>
  jobs.everywhere("keys.reload", 10 * secondMs, () => keys.reload());
