import { book } from "./balance.ts";
import { pageOf } from "./listing.ts";
import type { Balance, Call, Operation } from "./operation.ts";
import { badParameter, noSuch } from "./refusal.ts";
import type { BalanceTransaction, Payout } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

export type PayingOut = {
  /** A connected account, or the platform (absent). */
  readonly account?: string | undefined;
  readonly currency: string;
  /** All of its balance unless given; of one below zero, what is taken from the bank for it. */
  readonly amount?: number | undefined;
  readonly status?: "failed" | "in_transit" | "paid" | undefined;
};

const arrivesInS = 2 * 86_400;

const balanceOf = (all: readonly BalanceTransaction[]): Map<string, number> => {
  const sums = new Map<string, number>();
  for (const { currency, net } of all) sums.set(currency, (sums.get(currency) ?? 0) + net);
  return sums;
};

/**
 * Stripe pays a balance out to the bank, as it does every day, or has the bank pay one that is below zero; a payout that the
 * bank sends back has failed.
 */
export function payOut(
  draft: Draft,
  { account, currency, amount, status = "paid" }: PayingOut,
  booked: readonly BalanceTransaction[],
): Payout {
  const all = balanceOf(booked).get(currency) ?? 0;
  const paid = amount ?? all;
  if (paid === 0 || paid < Math.min(all, 0) || paid > Math.max(all, 0))
    throw badParameter("amount", `At most ${all} can be paid out.`);
  const id = stripeId("po");
  const owner = { account: account ?? null };
  const { id: transaction } = book(draft, { amount: -paid, currency, type: "payout", source: id, ...owner });
  const back =
    status === "failed"
      ? book(draft, { amount: paid, currency, type: "payout_failure", source: id, ...owner }).id
      : null;
  const payout: Payout = {
    id,
    object: "payout",
    created: draft.now,
    livemode: false,
    amount: paid,
    arrival_date: draft.now + arrivesInS,
    automatic: true,
    balance_transaction: transaction,
    currency,
    description: "STRIPE PAYOUT",
    failure_balance_transaction: back,
    failure_code: back === null ? null : "account_closed",
    failure_message: back === null ? null : "The bank account has been closed",
    metadata: {},
    method: "standard",
    status,
    type: "bank_account",
    _account: account ?? null,
  };
  draft.put(payout);
  draft.happened("payout.created", payout, account);
  if (status !== "in_transit") draft.happened(`payout.${status}`, payout, account);
  return payout;
}

function listPayouts(call: Call) {
  const page = pageOf(call, { object: "payout", url: "/v1/payouts" });
  call.parameters.finish();
  return page;
}

function readPayout({ draft, parameters, path }: Call): Payout {
  parameters.finish();
  const found = find(draft, "payout", path[0] ?? "");
  if (found === undefined) throw noSuch("payout", path[0] ?? "");
  return found;
}

/** What is booked is pending here for ever: nothing of it waits for a day to come. */
function readBalance({ draft, parameters }: Call): Balance {
  parameters.finish();
  const pending = [...balanceOf(draft.stored("balance_transaction"))].map(([currency, amount]) => ({
    amount,
    currency,
  }));
  return { object: "balance", available: [], livemode: false, pending };
}

// biome-ignore format: a table of routes reads best one per line
export const payoutOperations: readonly Operation[] = [
  { name: "balance.retrieve", method: "GET", path: /^\/v1\/balance$/, run: readBalance },
  { name: "payouts.list", method: "GET", path: /^\/v1\/payouts$/, run: listPayouts },
  { name: "payouts.retrieve", method: "GET", path: /^\/v1\/payouts\/(\w+)$/, run: readPayout },
];
