import { hourMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { follow, type PayoutDeps } from "./payouts.ts";

const queue = "payouts.follow";
const Due = z.strictObject({ account: z.string().max(255) });
// Where money goes must come to be known, however long Stripe is away.
const attemptsMax = 1_000_000;

export const payoutJobs = (jobs: Jobs, deps: PayoutDeps): Jobs =>
  jobs.on(queue, {
    attemptsMax,
    backoff: (attempt) => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12)),
    handle: async ({ payload }) => {
      await follow(deps, Due.parse(payload).account);
    },
  });

/** Something happened to an account of a merchant, or in it: a job reads what. Many events of one account are one job. */
export async function hintPayout(
  { db }: Pick<PayoutDeps, "db">,
  { account, object, type }: News,
): Promise<void> {
  const named = account ?? (type === "account.updated" ? object : undefined);
  if (named === undefined) return;
  await db.global.transaction((tx) => enqueue(tx, { queue, key: named, payload: { account: named } }));
}
