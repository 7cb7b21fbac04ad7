import { dayMs, type Id, type Instant, instantOf, newId } from "@remit/kernel";
import { newEvent } from "@remit/protocol";
import type { BalanceSeen, PayoutSeen } from "../stripe/index.ts";
import { type AccountDeps, accountNamed, lookAt, type PayoutAccount } from "./accounts.ts";
import * as rows from "./payouts.sql.ts";

/** Stripe's paying out of a merchant's account to the merchant's bank. None of it is on our balance: it is shown, not posted. */
export type Payout = {
  readonly id: Id<"payout">;
  readonly account: Id<"destination">;
  readonly merchant: Id<"merchant">;
  readonly reference: string;
  readonly status: PayoutSeen["status"];
  readonly amount: bigint;
  readonly currency: string;
  readonly createdAt: Instant;
  readonly arrivesAt: Instant;
  readonly failure: string | null;
};

export type PayoutDeps = AccountDeps & {
  /** Origins that a visit may return to. */
  readonly returnOrigins: readonly string[];
  readonly atStripe: {
    payouts(account: string, since: Instant): AsyncIterable<PayoutSeen>;
    balance(account: string): Promise<BalanceSeen>;
  };
};

/** Further back than a bank takes to send one back. */
const lookBackMs = 14 * dayMs;

/** Something happened to an account or its payouts: both are read, and what is new of them is written. */
export async function follow(deps: PayoutDeps, reference: string): Promise<PayoutAccount | undefined> {
  const account = await accountNamed(deps, reference);
  if (account === undefined) return undefined;
  const seen = await lookAt(deps, account);
  const since = instantOf(Math.max(0, deps.clock.now() - lookBackMs));
  for await (const payout of deps.atStripe.payouts(reference, since)) await keep(deps, seen, payout);
  return seen;
}

const keep = (deps: PayoutDeps, of: PayoutAccount, seen: PayoutSeen): Promise<void> =>
  deps.db.of(of.tenant).transaction(async (tx) => {
    const { tenant, merchant, id: account } = of;
    const kept = await rows.keepPayout(tx, { tenant, merchant, account, id: newId("payout"), seen });
    if (kept === undefined) return;
    const { id: subject, status, currency } = kept;
    const payload = { merchant, status, amount_minor: Number(kept.amount), currency };
    const facts = { tenant, actor: { type: "system", id: "billing" }, subject, payload } as const;
    await tx.record(newEvent("payout.changed", facts, deps.clock.now()));
  });

export const payoutsOf = (
  { db }: Pick<PayoutDeps, "db">,
  tenant: Id<"tenant">,
  page: { merchant: Id<"merchant"> | undefined; beyond: rows.Beyond | undefined; limit: number },
): Promise<Payout[]> => db.of(tenant).transaction((tx) => rows.payouts(tx, page));
