import { after, invariant, newId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Offer, Problem } from "@remit/protocol";
import { type AskedBecause, askPurchase, type PurchaseSubject } from "../approvals/index.ts";
import { findMandate, type Mandate, remainingAfter } from "../mandates/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { approveMs, type Charge, type Payment } from "./charges.ts";
import { offerIn } from "./evidence.ts";
import type { Merchant } from "./merchants.ts";
import { transit } from "./transitions.ts";

/** What a question about a purchase is made of. */
export type Purchase = {
  readonly charge: Charge;
  readonly mandate: Mandate;
  readonly offer: Offer;
  readonly merchant: Pick<Merchant, "id" | "origin" | "name">;
  readonly because: AskedBecause;
  /** What is left of the mandate once this is held, in minor units. */
  readonly remainingMinor: number;
  /** The agent's own words. */
  readonly reason: string | undefined;
};

/** The charge as one that waits for its principal: the time to serve begins with the yes. */
export function asPending(charge: Charge): Charge {
  const until = after(charge.createdAt, approveMs);
  const serveBy = after(until, charge.serveBy - charge.createdAt);
  return { ...charge, state: "pending_approval", serveBy, asking: { approval: newId("approval"), until } };
}

/** Puts the purchase to its principal, in the transaction that makes the charge wait. */
export function putToPrincipal(deps: ChargesDeps, tx: TenantTx, purchase: Purchase): Promise<void> {
  const { charge, mandate, reason } = purchase;
  const { asking } = charge;
  invariant(asking !== undefined, "a charge that waits says for which answer");
  return askPurchase(deps, tx, {
    id: asking.approval,
    principal: mandate.principal,
    agent: charge.agent,
    agentTenant: mandate.agentTenant,
    subject: subjectOf(purchase),
    holderThumbprint: mandate.holderThumbprint,
    reason,
    expiresAt: asking.until,
  });
}

/** From the merchant's signed offer and the mandate, and from nothing else (G03). */
function subjectOf({ charge, offer, merchant, because, remainingMinor }: Purchase): PurchaseSubject {
  const { id, origin, name } = merchant;
  return {
    kind: because === "authentication_required" ? "sca" : "charge",
    charge: charge.id,
    mandate: charge.mandate,
    merchant: { id, origin, name },
    offer: {
      id: offer.id,
      digest: charge.offer.digest,
      name: offer.name,
      lines: (offer.line_items ?? []).map((line) => ({
        name: line.name,
        amountMinor: line.amount_minor,
        quantity: line.quantity ?? null,
      })),
    },
    currency: charge.amount.asset.code,
    amountMinor: Number(charge.amount.units),
    remainingMinor,
    because,
  };
}

export const pendingPayload = (
  { asking, amount }: Charge,
  { kind, because }: { kind: PurchaseSubject["kind"]; because: AskedBecause },
) => {
  invariant(asking !== undefined, "a charge that waits says for which answer");
  return {
    approval: asking.approval,
    kind,
    because,
    approve_by: asking.until,
    amount_minor: Number(amount.units),
    currency: amount.asset.code,
  };
};

/**
 * The card's issuer wants its holder: asked, and never tried again behind their back. The payment waits as the issuer left
 * it. Undefined when the agent may ask no more: then it goes back.
 */
export async function askHolder(
  deps: ChargesDeps,
  charge: Charge,
  payment: Payment,
): Promise<Charge | undefined> {
  const known = await deps.merchants.ofClient(charge.merchantClient).catch(() => undefined);
  const { merchant: id, merchantOrigin: origin } = charge;
  const merchant = { id, origin, name: known?.name ?? origin };
  const asking = { approval: newId("approval"), until: after(deps.clock.now(), approveMs) };
  const because = "authentication_required";
  const waiting: Charge = { ...charge, asking };
  try {
    return await transit(deps, charge, {
      event: "charge.pending_approval",
      change: {
        to: "pending_approval",
        asking,
        serveBy: after(asking.until, charge.serveBy - charge.createdAt),
        payment: payment.id,
        ...(payment.reference === undefined ? {} : { paymentReference: payment.reference }),
        because,
      },
      payload: pendingPayload(waiting, { kind: "sca", because }),
      before: async (tx) => {
        const mandate = await findMandate(tx, charge.mandate, "share");
        invariant(mandate !== undefined, "a charge has its mandate");
        const remainingMinor = await remainingAfter(tx, mandate, 0n);
        const offer = offerIn(charge.offer.evidence);
        await putToPrincipal(deps, tx, {
          charge: waiting,
          mandate,
          offer,
          merchant,
          because,
          remainingMinor,
          reason: undefined,
        });
      },
    });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "approval_limit_reached") throw error;
    deps.log.warn({ charge: charge.id }, "a cardholder cannot be asked: too many wait");
    return undefined;
  }
}
