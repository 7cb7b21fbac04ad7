import { newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import { type Actor, Problem } from "@remit/protocol";
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
  throw new Problem("refund_refused", {
    extra: { charge_id: charge.id, status: moved.state },
    private: { because: asked.because },
  });
}

const finish = (deps: ChargesDeps, charge: Charge, ask: "send" | "read"): Promise<Charge> =>
  charge.state === "refunding" ? drive(deps, charge, { driver: "caller", ask }) : Promise.resolve(charge);

/** The same key names the same refund: "all that is left" is another request than its amount. */
function assertSame({ wantedMinor }: rows.AskedRefund, { amountMinor }: RefundOrder): undefined {
  const wanted = amountMinor === undefined ? undefined : BigInt(amountMinor);
  if (wanted !== wantedMinor)
    throw new Problem("idempotency_conflict", { detail: "The key named a refund of another amount." });
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
    await rows.insertRefund(tx, { id, charge: of.id, key: order.key, wantedMinor, minor: wanted, now });
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
        change: { to: "refunding", intent: "refund", refunding: { id, minor: wanted } },
        payload: { refund: id, amount_minor: Number(wanted) },
      },
    });
  });
