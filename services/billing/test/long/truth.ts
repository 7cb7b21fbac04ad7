import type { Stage } from "../stage.ts";
import type { Shop } from "./month.ts";

/** What one merchant has sold in one currency, as Stripe's own objects say; nothing of it comes from our tables. */
export type Truth = { captured: bigint; captures: bigint; refunded: bigint; fees: bigint; disputed: bigint };

type Intent = {
  readonly id: string;
  readonly currency: string;
  readonly amount_received: number;
  readonly metadata: { readonly charge?: string };
};
type Refund = { readonly amount: number; readonly payment_intent: string; readonly status: string };
type Movement = {
  readonly amount: number;
  readonly fee: number;
  readonly currency: string;
  readonly _account?: string | null;
};
type Dispute = {
  readonly payment_intent: string;
  readonly balance_transactions: readonly Movement[];
};

export type Truths = {
  readonly ofShops: ReadonlyMap<string, Truth>;
  /** Of our balance at Stripe, by currency: what stands there, and what Stripe kept of captures. */
  readonly balance: ReadonlyMap<string, bigint>;
  readonly kept: ReadonlyMap<string, bigint>;
};

/** 2.9 %, rounded half to even, and 30, at most the amount: the price list written down once more. */
function feeOf(captured: bigint): bigint {
  const [whole, rest] = [(captured * 290n) / 10_000n, (captured * 290n) % 10_000n];
  const share = rest > 5_000n || (rest === 5_000n && whole % 2n === 1n) ? whole + 1n : whole;
  return share + 30n > captured ? captured : share + 30n;
}

export async function truthsOf(stage: Stage, sold: ReadonlyMap<string, Shop>): Promise<Truths> {
  // The sandbox is ours: what its lists hold is declared above.
  const list = async <T>(what: string): Promise<readonly T[]> =>
    ((await (await fetch(`${stage.sandbox.origin}/sandbox/${what}`)).json()) as { data: readonly T[] }).data;
  const ofShops = new Map<string, Truth>();
  const keyOf = new Map<string, string>();
  for (const { id, currency, amount_received: received, metadata } of await list<Intent>("payment_intents")) {
    const shop = sold.get(metadata.charge ?? "");
    if (shop === undefined || received === 0) continue;
    const key = `${shop.merchant} ${currency.toUpperCase()}`;
    keyOf.set(id, key);
    const truth = truthAt(ofShops, key);
    truth.captured += BigInt(received);
    truth.captures += 1n;
    truth.fees += feeOf(BigInt(received));
  }
  // One that failed has given nothing back, and is listed all the same.
  for (const { amount, payment_intent: intent, status } of await list<Refund>("refunds"))
    if (status !== "failed") truthAt(ofShops, keyOf.get(intent) ?? "").refunded += BigInt(amount);
  const [balance, kept] = [new Map<string, bigint>(), new Map<string, bigint>()];
  let disputeFees = new Map<string, bigint>();
  for (const { payment_intent: intent, balance_transactions: moved } of await list<Dispute>("disputes"))
    for (const { amount, fee, currency } of moved) {
      truthAt(ofShops, keyOf.get(intent) ?? "").disputed += BigInt(fee - amount);
      disputeFees = added(disputeFees, currency, BigInt(fee));
    }
  for (const { amount, fee, currency, _account } of await list<Movement>("balance_transactions")) {
    if (_account !== undefined && _account !== null) continue;
    added(balance, currency, BigInt(amount - fee));
    added(kept, currency, BigInt(fee));
  }
  // What Stripe kept for disputes the merchants have borne.
  for (const [currency, fee] of disputeFees) added(kept, currency, -fee);
  return { ofShops, balance, kept };
}

const added = (sums: Map<string, bigint>, currency: string, amount: bigint): Map<string, bigint> =>
  sums.set(currency.toUpperCase(), (sums.get(currency.toUpperCase()) ?? 0n) + amount);

function truthAt(all: Map<string, Truth>, key: string): Truth {
  const truth = all.get(key) ?? { captured: 0n, captures: 0n, refunded: 0n, fees: 0n, disputed: 0n };
  all.set(key, truth);
  return truth;
}
