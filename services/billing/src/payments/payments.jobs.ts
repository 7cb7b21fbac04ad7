import { hourMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Tx } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { type SettlingDeps, settleQueue } from "./journal.ts";
import { isOpen } from "./payment.ts";
import { lookAfter, lookBehind, tenantBehind } from "./payments.ts";

const hintQueue = "payments.hint";
const Due = z.strictObject({ tenant: idOf("tenant"), payment: idOf("payment") });
const Hint = z.strictObject({ tenant: idOf("tenant"), reference: z.string() });

// A payment that is open must never be forgotten: its job does not become a dead letter, it is only tried more slowly.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12));

/** Every open payment has a job that comes back at the end of its lease: that is the recovery after any crash. */
export const paymentJobs = (jobs: Jobs, deps: SettlingDeps): Jobs =>
  jobs
    .on(settleQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const payment = await lookAfter(deps, Due.parse(payload));
        return isOpen(payment) ? { runAt: payment.leasedUntil } : undefined;
      },
    })
    .on(hintQueue, {
      handle: async ({ payload }) => lookBehind(deps, Hint.parse(payload)),
    });

/** What a provider says about a reference is a hint: the job reads for itself. Nothing for a reference that is not ours. */
export async function hintPayment(tx: Tx, reference: string): Promise<void> {
  const tenant = await tenantBehind(tx, reference);
  if (tenant !== null)
    await enqueue(tx, { queue: hintQueue, key: reference, payload: { tenant, reference } });
}
