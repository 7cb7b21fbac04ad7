import type { Asset, Id, Instant } from "@remit/kernel";
import type { StatementKind } from "@remit/protocol/contracts";

export type Period = { readonly from: Instant; readonly until: Instant };

/** One entry of the ledger that moved what a merchant is owed. */
export type Moved = {
  readonly entry: Id<"entry">;
  readonly kind: string;
  readonly object: string;
  readonly transition: string;
  readonly charge: string | null;
  readonly at: Instant;
  /** What it left the merchant, gross but for the fee that was kept back. */
  readonly net: bigint;
  readonly fee: bigint;
};

export type Summed = {
  readonly kind: string;
  readonly transition: string;
  readonly count: number;
  readonly net: bigint;
  readonly fee: bigint;
};

export type Line = Omit<Moved, "kind"> & { readonly kind: StatementKind; readonly balance: bigint };
export type Total = Omit<Summed, "kind" | "transition"> & { readonly kind: StatementKind };

export type Head = Period & {
  readonly merchant: Id<"merchant">;
  readonly asset: Asset;
  readonly opening: bigint;
  readonly totals: readonly Total[];
  readonly closing: bigint;
};

const kinds: Readonly<Record<string, StatementKind>> = {
  capture: "charge",
  refund: "refund",
  dispute: "dispute",
  transfer: "payout",
  // Seen on a chain: what a payer sent to the merchant itself.
  booking: "payout",
};

/** What was sent to the merchant's own account is paid out to it; whatever else there is is put right. */
export const kindOf = (kind: string): StatementKind => kinds[kind] ?? "adjustment";
export const grossOf = ({ net, fee }: Pick<Moved, "net" | "fee">): bigint => net + fee;

const order: readonly StatementKind[] = ["charge", "refund", "dispute", "payout", "adjustment"];

export function totalsOf(sums: readonly Summed[]): Total[] {
  return order.flatMap((kind) => {
    const own = sums.filter((sum) => kindOf(sum.kind) === kind);
    if (own.length === 0) return [];
    const count = own.reduce((all, sum) => all + sum.count, 0);
    const net = own.reduce((all, sum) => all + sum.net, 0n);
    const fee = own.reduce((all, sum) => all + sum.fee, 0n);
    return [{ kind, count, net, fee }];
  });
}
