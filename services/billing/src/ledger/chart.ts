import type { Id } from "@remit/kernel";

/** On which side an account's balance may stand. Debits are positive: what we have or are owed. */
export type Side = "debit" | "credit" | "either";

/**
 * The chart of accounts. A merchant's accounts are per merchant and asset and belong to its tenant; the platform's are per
 * asset. Principals' money is never an account of Remit. A `hot` account is touched by every capture: it stands in several
 * rows, one of which each charge has for itself, so that captures do not wait for each other.
 */
export const chart = {
  /** What an operator has seen arrive at or leave our bank: payouts of Stripe, invoices that were paid. */
  bank: { owner: "platform", side: "either" },
  /** Captured by card and not yet seen on Stripe's balance. Returns to zero with each booking. */
  card_clearing: { owner: "platform", side: "either", hot: true },
  /**
   * Of disputes: set aside from a merchant (credit) until Stripe has booked that it took it, and the other way round when it was
   * won. Returns to zero with each booking.
   */
  dispute_reserve: { owner: "platform", side: "either" },
  /** One currency became another at Stripe: per pair, and in each of its two assets, what went in and what came of it. */
  fx: { owner: "platform", side: "either", hot: true },
  /** What we owe a merchant (credit), or it owes us after refunds (debit). */
  merchant_payable: { owner: "merchant", side: "either" },
  /** Fees that a merchant was or will be asked for by invoice, and has not paid. */
  merchant_receivable: { owner: "merchant", side: "either" },
  /** On its way from Stripe to a bank. */
  payout_clearing: { owner: "platform", side: "either" },
  /** What we have earned. */
  platform_fees: { owner: "platform", side: "credit", hot: true },
  /** What Stripe has kept. */
  processor_fees: { owner: "platform", side: "either", hot: true },
  /** What we bore of a refund ourselves. */
  refunds: { owner: "platform", side: "either" },
  /** Units that a division left over, where nobody was said to get them. */
  rounding: { owner: "platform", side: "either" },
  /** Our balance at Stripe. */
  stripe_balance: { owner: "platform", side: "either", hot: true },
  /** Tax that was invoiced and is owed to the state. */
  tax_payable: { owner: "platform", side: "either" },
  /** What a tenant owes for its plan. */
  tenant_receivable: { owner: "platform", side: "either" },
  /** On its way from us to a merchant's account at Stripe. */
  transfer_clearing: { owner: "platform", side: "either", hot: true },
  /** Paid over a chain and not yet seen in a block that stands. */
  x402_clearing: { owner: "platform", side: "either", hot: true },
} as const satisfies Readonly<Record<string, { owner: "platform" | "merchant"; side: Side; hot?: true }>>;

export type AccountCode = keyof typeof chart;

/** The merchant whose account it is, and the tenant to which the merchant belongs. */
export type MerchantOwner = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };

type CodesOf<O extends "platform" | "merchant"> = {
  [C in AccountCode]: (typeof chart)[C]["owner"] extends O ? C : never;
}[AccountCode];

/** One side of an entry. A merchant's account cannot be named without its owner, nor one of ours with; nor `fx` without its pair. */
export type Leg =
  | {
      readonly code: CodesOf<"merchant">;
      readonly owner: MerchantOwner;
      readonly pair?: never;
      readonly asset: string;
      readonly units: bigint;
    }
  | {
      readonly code: "fx";
      readonly owner?: never;
      readonly pair: string;
      readonly asset: string;
      readonly units: bigint;
    }
  | {
      readonly code: Exclude<CodesOf<"platform">, "fx">;
      readonly owner?: never;
      readonly pair?: never;
      readonly asset: string;
      readonly units: bigint;
    };

const hotRows = 16;

/**
 * `merchant_payable:mrc_…:USD`, `bank:USD`, `card_clearing:USD:7`, `fx:EUR-USD:USD:7`: accounts are found without looking them up.
 * Which row of a hot account it is follows from what the entry is about, so that what clears meets what it clears.
 */
export function accountIdOf({ code, owner, pair, asset }: Leg, about: string): string {
  const of = owner?.merchant ?? pair;
  const name = of === undefined ? `${code}:${asset}` : `${code}:${of}:${asset}`;
  const row = "hot" in chart[code] ? rowOf(about) : 0;
  return row === 0 ? name : `${name}:${row}`;
}

/** The same pair, whichever of the two became the other. */
export const pairOf = (one: string, other: string): string =>
  one < other ? `${one}-${other}` : `${other}-${one}`;

/** FNV-1a: the last letters of an id are random. */
function rowOf(about: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < about.length; i++) hash = Math.imul(hash ^ about.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % hotRows;
}

export const tenantOf = ({ owner }: Leg): Id<"tenant"> | "platform" => owner?.tenant ?? "platform";
