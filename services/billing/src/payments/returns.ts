import { minuteMs, money } from "@remit/kernel";
import type { Hex } from "@remit/protocol";
import type { ReturnRefusal } from "@remit/protocol/contracts";
import type { RefundStanding } from "@remit/rails";
import { readReference, type SeenReturn, type WantedReturn } from "@remit/rails/x402";
import type { SettlingDeps } from "./journal.ts";
import type { OpenPayment, Refund } from "./payment.ts";
import { returnOf, takeReturn } from "./returns.sql.ts";

/** How long a transaction may take to come into a block before it is said not to be there. */
const findableMs = 5 * minuteMs;

/**
 * Where a refund over a chain stands: the seller has transferred, or says so. Nothing of ours moves money, so that a no is safe
 * whatever the chain shows later: who has given back asks again. A yes is one of a final block, and each transfer one refund.
 */
export async function readReturn(
  deps: SettlingDeps,
  payment: OpenPayment,
  refund: Refund,
): Promise<RefundStanding> {
  const wanted = wantedOf(payment, refund);
  if (wanted === undefined || deps.returns === undefined)
    return { kind: "refused", because: "refunded_by_seller" };
  // What was taken was in a final block: a node that does not show it any more undoes nothing.
  const taken = await deps.db.of(payment.tenant).transaction((tx) => returnOf(tx, refund));
  if (taken !== undefined) return given(refund, { ...wanted, log: taken });
  const seen = await deps.returns(wanted);
  switch (seen.kind) {
    case "unknown":
      return seen;
    case "absent":
      return deps.clock.now() - payment.stateSince < findableMs ? busy : refused("transfer_not_found");
    case "failed":
      return refused("transfer_failed");
    case "other":
      return refused("transfer_not_matching");
    case "seen":
      return seen.isFinal ? take(deps, payment, { refund, wanted, seen }) : busy;
  }
}

const busy: RefundStanding = { kind: "unknown", because: "busy" };
const refused = (because: ReturnRefusal): RefundStanding => ({ kind: "refused", because });

/** From the wallet that was paid to the one that has paid, in the same token; all of it stands in the payment's own row. */
function wantedOf(
  { reference, settledBy }: OpenPayment,
  { transaction, amount }: Refund,
): WantedReturn | undefined {
  const paid = readReference(reference ?? "");
  if (paid === undefined || settledBy === null || transaction === null) return undefined;
  const { network, asset, from: to, to: from, validBefore: paidBefore } = paid;
  // Both were read as hashes before they were written.
  return {
    network,
    asset,
    from,
    to,
    value: amount.units,
    transaction: transaction as Hex,
    paidBy: settledBy as Hex,
    paidBefore,
  };
}

type Found = {
  readonly refund: Refund;
  readonly wanted: WantedReturn;
  readonly seen: Extract<SeenReturn, { kind: "seen" }>;
};

/** The first of the transaction's transfers that no refund has yet, for good: it is in a final block. */
const take = (
  { db }: SettlingDeps,
  { tenant }: OpenPayment,
  { refund, wanted: { network, transaction }, seen }: Found,
): Promise<RefundStanding> =>
  db.of(tenant).transaction(async (tx) => {
    for (const log of seen.logs) {
      if (!(await takeReturn(tx, refund, { network, transaction, log }))) continue;
      return given(refund, { transaction, log });
    }
    // Another worker took one for the same refund while we asked.
    const before = await returnOf(tx, refund);
    return before === undefined ? refused("transfer_used") : given(refund, { transaction, log: before });
  });

type Place = { readonly transaction: Hex; readonly log: number };

function given({ amount }: Refund, { transaction, log }: Place): RefundStanding {
  const place = `${transaction}:${log}`;
  return {
    kind: "refunded",
    refund: place,
    amount,
    booking: { id: place, amount, fee: money(amount.asset, 0n) },
  };
}
