import { minuteMs, secondMs } from "@remit/kernel";
import type { ClockWatch } from "@remit/platform/clock-watch";
import type { Jobs } from "@remit/platform/jobs";
import type { IssuerKeys } from "./keys.ts";

/** Keys move from next to current to retired when their time has come; each process reads them, and its clock, itself. */
export function keyJobs(
  jobs: Jobs,
  { keys, watch }: { keys: IssuerKeys; watch: ClockWatch | undefined },
): Jobs {
  if (watch !== undefined) jobs.everywhere("clock.check", minuteMs, () => watch.check());
  return jobs.everywhere("keys.reload", 10 * secondMs, () => keys.reload());
}
