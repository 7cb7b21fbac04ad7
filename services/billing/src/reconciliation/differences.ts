import type { Movement, StrangeMovement } from "../stripe/index.ts";

/** What our books say of a balance transaction of Stripe: what it moved, and what it kept. */
export type Booked = {
  readonly object: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly fee: bigint;
};

export type Difference = {
  readonly kind:
    | "missing_here"
    | "missing_there"
    | "other_amount"
    | "other_fee"
    | "waits"
    | "refund_failed"
    | "transfer_refused";
  readonly object: string;
  readonly asset: string;
  readonly ours: bigint | null;
  readonly theirs: bigint | null;
};

/** Every way in which one movement and our entry of it differ; none when they agree. What we cannot count is never agreed on. */
export function differencesOf(theirs: Movement | StrangeMovement, ours: Booked | undefined): Difference[] {
  if ("currency" in theirs) return [strange(theirs, ours)];
  const { id: object, amount, fee } = theirs;
  const asset = amount.asset.code;
  if (ours === undefined) return [{ kind: "missing_here", object, asset, ours: null, theirs: amount.units }];
  const found: Difference[] = [];
  if (ours.asset !== asset || ours.amount !== amount.units)
    found.push({ kind: "other_amount", object, asset, ours: ours.amount, theirs: amount.units });
  if (ours.fee !== fee.units)
    found.push({ kind: "other_fee", object, asset, ours: ours.fee, theirs: fee.units });
  return found;
}

const strange = ({ id: object, currency: asset }: StrangeMovement, ours: Booked | undefined): Difference => ({
  kind: ours === undefined ? "missing_here" : "other_amount",
  object,
  asset,
  ours: ours?.amount ?? null,
  theirs: null,
});

export const missingThere = ({ object, asset, amount }: Booked): Difference => ({
  kind: "missing_there",
  object,
  asset,
  ours: amount,
  theirs: null,
});
