import type { Id } from "@remit/kernel";

/** On which side an account's balance may stand. Debits are positive: what we have or are owed. */
export type Side = "debit" | "credit" | "either";

/**
 * The chart of accounts. A merchant's accounts are per merchant and asset and belong to its tenant; the platform's are per
 * asset. Principals' money is never an account of Remit.
 */
export const chart = {
  /** Captured by card and not yet seen on Stripe's balance. Returns to zero with each booking. */
  card_clearing: { owner: "platform", side: "either" },
  /** Fees that a merchant was or will be asked for by invoice, and has not paid. */
  merchant_receivable: { owner: "merchant", side: "either" },
  /** What we owe a merchant (credit), or it owes us after refunds (debit). */
  merchant_payable: { owner: "merchant", side: "either" },
  /** What we have earned. */
  platform_fees: { owner: "platform", side: "credit" },
  /** What Stripe has kept. */
  processor_fees: { owner: "platform", side: "either" },
  /** Our balance at Stripe. */
  stripe_balance: { owner: "platform", side: "either" },
} as const satisfies Readonly<Record<string, { owner: "platform" | "merchant"; side: Side }>>;

export type AccountCode = keyof typeof chart;

/** The merchant whose account it is, and the tenant to which the merchant belongs. */
export type MerchantOwner = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };

type CodesOf<O extends "platform" | "merchant"> = {
  [C in AccountCode]: (typeof chart)[C]["owner"] extends O ? C : never;
}[AccountCode];

/** One side of an entry. A merchant's account cannot be named without its owner, nor one of ours with. */
export type Leg =
  | {
      readonly code: CodesOf<"merchant">;
      readonly owner: MerchantOwner;
      readonly asset: string;
      readonly units: bigint;
    }
  | {
      readonly code: CodesOf<"platform">;
      readonly owner?: never;
      readonly asset: string;
      readonly units: bigint;
    };

/** `merchant_payable:mrc_…:USD`, `card_clearing:USD`: accounts are found without looking them up. */
export const accountIdOf = ({ code, owner, asset }: Leg): string =>
  owner === undefined ? `${code}:${asset}` : `${code}:${owner.merchant}:${asset}`;

export const tenantOf = ({ owner }: Leg): Id<"tenant"> | "platform" => owner?.tenant ?? "platform";
