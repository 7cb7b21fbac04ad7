import { hourMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { followOwn, type OwnPayoutDeps } from "./own-payouts.ts";
import { follow, type PayoutDeps } from "./payouts.ts";

const queue = "payouts.follow";
const ownQueue = "payouts.own";
const Due = z.strictObject({ account: z.string().max(255) });
// Where money goes must come to be known, however long Stripe is away.
const attemptsMax = 1_000_000;

const backoff = (attempt: number): number => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12));

export const payoutJobs = (jobs: Jobs, deps: PayoutDeps, own: OwnPayoutDeps): Jobs =>
  jobs
    .on(queue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        await follow(deps, Due.parse(payload).account);
      },
    })
    .on(ownQueue, { attemptsMax, backoff, handle: async () => followOwn(own) })
    // Though no news came: what reconciliation compares has been posted before.
    .every("payouts.own", hourMs, () => followOwn(own));

/** Something happened to an account of a merchant, or in it: a job reads what. Many events of one account are one job. */
export async function hintPayout(
  { db }: Pick<PayoutDeps, "db">,
  { account, object, type }: News,
): Promise<void> {
  const named = account ?? (type === "account.updated" ? object : undefined);
  if (named === undefined) {
    if (type.startsWith("payout."))
      await db.global.transaction((tx) => enqueue(tx, { queue: ownQueue, key: "own", payload: {} }));
    return;
  }
  await db.global.transaction((tx) => enqueue(tx, { queue, key: named, payload: { account: named } }));
}
