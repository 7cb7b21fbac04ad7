import { hourMs, type Id, parseId, secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Tenant, TenantTx } from "@remit/platform/sql";
import type { RemitEvent } from "@remit/protocol";
import type { DisputesDeps } from "./disputes.operations.ts";
import { disputesQueue } from "./disputes.ts";
import { lookAfter } from "./lost-money.ts";

const networkQueue = "disputes.network";

// Money is owed until it is given back: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, secondMs * 2 ** Math.min(attempt, 12));

/** Deadlines of principals' disputes and the money of those that were lost; news of the card network's. */
export const disputeJobs = (jobs: Jobs, deps: DisputesDeps): Jobs =>
  jobs
    .on(disputesQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const of = namedIn(payload);
        const runAt =
          of.dispute && of.tenant && (await lookAfter(deps, { tenant: of.tenant, dispute: of.dispute }));
        return runAt === undefined ? undefined : { runAt };
      },
    })
    .on(networkQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const { dispute } = namedIn(payload);
        if (dispute !== undefined) await deps.network.take(await deps.network.read(dispute));
      },
    });

/** What billing reports of a dispute is a hint, put down with its entry in the log: a job asks billing how it stands. */
export async function hearDispute(tx: TenantTx<Tenant>, { type, subject }: RemitEvent): Promise<void> {
  const dispute = parseId("dispute", subject);
  if (type !== "dispute.reported" || dispute === undefined) return;
  await enqueue(tx, { queue: networkQueue, key: dispute, payload: { dispute } });
}

function namedIn(payload: unknown): {
  readonly dispute: Id<"dispute"> | undefined;
  readonly tenant: Id<"tenant"> | undefined;
} {
  const named: Record<string, unknown> = Object(payload);
  return { dispute: parseId("dispute", named["dispute"]), tenant: parseId("tenant", named["tenant"]) };
}
