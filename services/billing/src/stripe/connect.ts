import { fromNumericDate, type Id, type Instant, type Money, minuteMs } from "@remit/kernel";
import { fromStripe } from "@remit/rails/card";
import Stripe from "stripe";
import { unavailable } from "./failures.ts";

/** A merchant's account as Stripe has it now. */
export type ConnectSeen = {
  readonly reference: string;
  readonly detailsSubmitted: boolean;
  /** Charges may be made for it, and money sent to it. */
  readonly chargesEnabled: boolean;
  readonly payoutsEnabled: boolean;
  readonly requirements: readonly string[];
  readonly disabledReason: string | null;
};

type ToMake = {
  readonly id: Id<"destination">;
  readonly country: string;
  readonly merchant: Id<"merchant">;
  readonly askedAt: Instant;
};

/**
 * Makes a merchant's account at Stripe, once: our id is the idempotency key, and beyond the life of the key the account
 * that was made is found by it. Throws `unavailable`.
 */
export async function makeAccount(stripe: Stripe, of: ToMake): Promise<string> {
  try {
    const before = await madeBefore(stripe, of);
    if (before !== undefined) return before;
    const made = await stripe.accounts.create(
      {
        country: of.country,
        controller: {
          // Stripe asks the merchant itself, and it is we who bear what it cannot pay.
          fees: { payer: "application" },
          losses: { payments: "application" },
          requirement_collection: "stripe",
          stripe_dashboard: { type: "express" },
        },
        capabilities: { card_payments: { requested: true }, transfers: { requested: true } },
        metadata: { destination: of.id, merchant: of.merchant },
      },
      { idempotencyKey: `account.${of.id}` },
    );
    return made.id;
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** Clocks of ours and of Stripe's differ by less. */
const skewMs = 5 * minuteMs;

async function madeBefore(
  stripe: Stripe,
  { id, askedAt }: Pick<ToMake, "id" | "askedAt">,
): Promise<string | undefined> {
  const gte = Math.floor((askedAt - skewMs) / 1000);
  for await (const account of stripe.accounts.list({ created: { gte }, limit: 100 }))
    if (account.metadata?.["destination"] === id) return account.id;
  return undefined;
}

/** Where the merchant gives its particulars: good for one visit, and for minutes. Throws `unavailable`. */
export async function linkTo(
  stripe: Stripe,
  of: { readonly account: string; readonly returnUrl: string; readonly refreshUrl: string },
): Promise<{ readonly url: string; readonly expiresAt: Instant }> {
  try {
    const link = await stripe.accountLinks.create({
      account: of.account,
      type: "account_onboarding",
      return_url: of.returnUrl,
      refresh_url: of.refreshUrl,
      collection_options: { fields: "eventually_due" },
    });
    return { url: link.url, expiresAt: fromNumericDate(link.expires_at) };
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** Throws `unavailable`. */
export async function readAccount(stripe: Stripe, account: string): Promise<ConnectSeen> {
  try {
    const found = await stripe.accounts.retrieve(account);
    const { requirements, capabilities } = found;
    return {
      reference: found.id,
      detailsSubmitted: found.details_submitted,
      chargesEnabled: found.charges_enabled && capabilities?.transfers === "active",
      payoutsEnabled: found.payouts_enabled,
      requirements: requirements?.currently_due ?? [],
      disabledReason: requirements?.disabled_reason ?? null,
    };
  } catch (cause) {
    throw unavailable(cause);
  }
}

export type PayoutSeen = {
  readonly reference: string;
  readonly status: "pending" | "in_transit" | "paid" | "failed" | "canceled";
  readonly amount: bigint;
  readonly currency: string;
  readonly createdAt: Instant;
  readonly arrivesAt: Instant;
  readonly failure: string | null;
};

/** The payouts of an account since a moment, the newest first. Throws `unavailable`. */
export async function* payoutsOf(
  stripe: Stripe,
  account: string,
  since: Instant,
): AsyncGenerator<PayoutSeen> {
  try {
    const gte = Math.floor(since / 1000);
    const pages = stripe.payouts.list({ created: { gte }, limit: 100 }, { stripeAccount: account });
    for await (const payout of pages) yield seen(payout);
  } catch (cause) {
    throw unavailable(cause);
  }
}

const statuses = new Set(["pending", "in_transit", "paid", "failed", "canceled"]);

const seen = (payout: Stripe.Payout): PayoutSeen => ({
  reference: payout.id,
  // Stripe's own words; one that is new to us is still under way.
  status: (statuses.has(payout.status) ? payout.status : "pending") as PayoutSeen["status"],
  amount: fromStripe(payout.amount, payout.currency)?.units ?? BigInt(payout.amount),
  currency: payout.currency.toUpperCase(),
  createdAt: fromNumericDate(payout.created),
  arrivesAt: fromNumericDate(payout.arrival_date),
  failure: payout.failure_code,
});

export type BalanceSeen = { readonly available: readonly Money[]; readonly pending: readonly Money[] };

/** What stands on an account of a merchant now. Throws `unavailable`. */
export async function balanceOf(stripe: Stripe, account: string): Promise<BalanceSeen> {
  try {
    const { available, pending } = await stripe.balance.retrieve({}, { stripeAccount: account });
    const known = (sums: readonly { amount: number; currency: string }[]): Money[] =>
      sums.flatMap(({ amount, currency }) => fromStripe(amount, currency) ?? []);
    return { available: known(available), pending: known(pending) };
  } catch (cause) {
    throw unavailable(cause);
  }
}
