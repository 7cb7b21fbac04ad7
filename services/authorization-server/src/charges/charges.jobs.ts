import { type Id, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Charges } from "./charges.operations.ts";
import { chargesQueue } from "./charges.ts";
import { failedRefundsQueue } from "./failed-refunds.ts";

// A charge is looked at until it is over, however long the database or billing are away: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoffMsMax = 30 * secondMs;
const backoff = (attempt: number): number => Math.min(secondMs * 2 ** Math.min(attempt, 8), backoffMsMax);

/** Each charge has one job, written with it, that looks at it until it is over; and a refund that came back has one. */
export const chargeJobs = (jobs: Jobs, charges: Pick<Charges, "lookAtFailedRefund" | "recover">): Jobs =>
  jobs
    .on(chargesQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const of = lookOf(payload);
        if (of === undefined) return;
        const runAt = await charges.recover(of.tenant, of.charge);
        return runAt === undefined ? undefined : { runAt };
      },
    })
    .on(failedRefundsQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const named: Record<string, unknown> = Object(payload);
        const tenant = parseId("tenant", named["tenant"]);
        const refund = parseId("refund", named["refund"]);
        if (tenant === undefined || refund === undefined) return;
        const runAt = await charges.lookAtFailedRefund({ tenant, refund });
        return runAt === undefined ? undefined : { runAt };
      },
    });

/** What a job says; one that says nothing a charge can be found by is dropped. */
function lookOf(payload: unknown): { charge: Id<"charge">; tenant: Id<"tenant"> } | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const charge = parseId("charge", "charge" in payload ? payload.charge : undefined);
  const tenant = parseId("tenant", "tenant" in payload ? payload.tenant : undefined);
  return charge === undefined || tenant === undefined ? undefined : { charge, tenant };
}
