import { newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import { Problem } from "@remit/protocol";
import { merchantOf } from "./capture-charge.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import { type Charge, chargesQueue, firstLook, refundable } from "./charges.ts";
import { cross } from "./crossing.ts";
import { drive } from "./drive.ts";
import { chargeNow, transitWithin } from "./transitions.ts";

/** `key` names the request: sent twice it is one refund. Without an amount, all that is left. */
export type RefundOrder = { readonly key: string; readonly amountMinor: number | undefined };

/** Gives captured money back, once per request; a request that was made before is taken further. */
export async function refund(deps: ChargesDeps, charge: Charge, order: RefundOrder): Promise<Charge> {
  const begun = await begin(deps, charge, order);
  if (begun === undefined) return finish(deps, await chargeNow(deps, charge), "read");
  return finish(deps, begun, "send");
}

const finish = (deps: ChargesDeps, charge: Charge, ask: "send" | "read"): Promise<Charge> =>
  charge.state === "refunding" ? drive(deps, charge, { driver: "caller", ask }) : Promise.resolve(charge);

/** Writes the request and `refunding` with the intent; undefined when this request was written before. */
const begin = (deps: ChargesDeps, of: Charge, order: RefundOrder): Promise<Charge | undefined> =>
  cross(deps.db, of, async (crossing) => {
    const tx = await crossing.payer();
    const charge = (await rows.findCharge(tx, of.id, "update")) ?? of;
    if (await rows.hasRefund(tx, of.id, order.key)) return undefined;
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
    const asked = { id: newId("refund"), charge: of.id, key: order.key, minor: wanted, now };
    await rows.insertRefund(tx, asked);
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
        actor: merchantOf(charge),
        change: { to: "refunding", intent: "refund", refunding: { id: asked.id, minor: wanted } },
        payload: { refund: asked.id, amount_minor: Number(wanted) },
      },
    });
  });
