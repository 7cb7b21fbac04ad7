import { newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import { type Actor, Problem } from "@remit/protocol";
import { ReturnRefusal } from "@remit/protocol/contracts";
import { merchantOf } from "./capture-charge.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import { type Charge, chargesQueue, firstLook, refundable } from "./charges.ts";
import { cross } from "./crossing.ts";
import { drive } from "./drive.ts";
import { chargeNow, transitWithin } from "./transitions.ts";

/** `key` names the request: sent twice it is one refund. Without an amount, all that is left. The merchant asks unless told. */
export type RefundOrder = {
  readonly key: string;
  readonly amountMinor: number | undefined;
  /** In which the merchant has given it back, of what was paid over a chain. */
  readonly transaction?: string | undefined;
  readonly by?: Actor;
};

/**
 * Gives captured money back, once per request; a request that was made before is taken further. One that billing has
 * refused is over (`refund_refused`): it is never sent again, and who still wants it asks anew.
 */
export async function refund(deps: ChargesDeps, charge: Charge, order: RefundOrder): Promise<Charge> {
  const begun = await begin(deps, charge, order);
  const moved =
    begun === undefined
      ? await finish(deps, await chargeNow(deps, charge), "read")
      : await finish(deps, begun, "send");
  const asked = await deps.db.of(charge.payer).transaction((tx) => rows.findRefund(tx, charge.id, order.key));
  if (asked?.because === undefined) return moved;
  const { data: reason } = ReturnRefusal.safeParse(asked.because);
  throw new Problem("refund_refused", {
    extra: { charge_id: charge.id, status: moved.state, ...(reason === undefined ? {} : { reason }) },
    private: { because: asked.because },
  });
}

/** What moved over a chain the merchant gives back itself; what moved by card is not given back over one. */
export function ownRefund(charge: Charge, order: RefundOrder): RefundOrder {
  const { transaction } = order;
  if ((charge.rail === "x402") === (transaction !== undefined)) return order;
  const detail =
    transaction === undefined
      ? "It was paid over a chain: send it back from the wallet that was paid, and name the transaction."
      : "It was not paid over a chain: no transaction gives it back.";
  throw new Problem("invalid_request", { detail });
}

const finish = (deps: ChargesDeps, charge: Charge, ask: "send" | "read"): Promise<Charge> =>
  charge.state === "refunding" ? drive(deps, charge, { driver: "caller", ask }) : Promise.resolve(charge);

/** The same key names the same refund: "all that is left" is another request than its amount. */
function assertSame(before: rows.AskedRefund, { amountMinor, transaction }: RefundOrder): undefined {
  const wanted = amountMinor === undefined ? undefined : BigInt(amountMinor);
  if (wanted !== before.wantedMinor || transaction !== before.transaction)
    throw new Problem("idempotency_conflict", { detail: "The key named another refund." });
}

/** Writes the request and `refunding` with the intent; undefined when this request was written before. */
const begin = (deps: ChargesDeps, of: Charge, order: RefundOrder): Promise<Charge | undefined> =>
  cross(deps.db, of, async (crossing) => {
    const tx = await crossing.payer();
    const charge = (await rows.findCharge(tx, of.id, "update")) ?? of;
    const before = await rows.findRefund(tx, of.id, order.key);
    if (before !== undefined) return assertSame(before, order);
    const wanted = order.amountMinor === undefined ? refundable(charge) : BigInt(order.amountMinor);
    const now = deps.clock.now();
    if (charge.state === "refunding")
      throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
    if (charge.state !== "captured")
      throw new Problem("charge_state_conflict", { extra: { charge_id: charge.id, status: charge.state } });
    if (wanted < 1n || wanted > refundable(charge))
      throw new Problem("charge_refund_exceeds_captured", {
        extra: { remaining: Number(refundable(charge)) },
      });
    const id = newId("refund");
    const wantedMinor = order.amountMinor === undefined ? undefined : wanted;
    const { key, transaction } = order;
    await rows.insertRefund(tx, { id, charge: of.id, key, wantedMinor, minor: wanted, transaction, now });
    const look = { charge: charge.id, tenant: charge.payer };
    await enqueue(tx, {
      queue: chargesQueue,
      key: charge.id,
      payload: look,
      runAt: firstLook(now, deps.leaseMs),
    });
    return transitWithin(deps, crossing, {
      from: charge,
      step: {
        event: "charge.refunding",
        actor: order.by ?? merchantOf(charge),
        change: { to: "refunding", intent: "refund", refunding: { id, minor: wanted, transaction } },
        payload: { refund: id, amount_minor: Number(wanted) },
      },
    });
  });
