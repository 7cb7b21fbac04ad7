import { type Clock, dayMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { payoutEntries, post } from "../ledger/index.ts";
import type { OwnPayoutSeen } from "../stripe/index.ts";

export type OwnPayoutDeps = {
  readonly db: Database;
  readonly clock: Clock;
  /** The payouts of our own balance since a moment, in seconds. */
  readonly ownPayouts: (sinceS: number) => AsyncIterable<OwnPayoutSeen>;
};

/** Further back than a bank takes to send one back. */
const lookBackMs = 14 * dayMs;

/** Posts what left our balance at Stripe for our bank, as it is read there. What was posted before stays as it is. */
export async function followOwn({ db, clock, ownPayouts }: OwnPayoutDeps): Promise<void> {
  const sinceS = Math.floor(Math.max(0, clock.now() - lookBackMs) / 1000);
  for await (const payout of ownPayouts(sinceS))
    await db.global.transaction((tx) => post(tx, payoutEntries(payout, clock.now())));
}
