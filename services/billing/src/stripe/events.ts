import { Problem } from "@remit/protocol";
import Stripe from "stripe";
import type { WebhookDeps } from "./stripe.http.ts";

/** Something happened to an object of Stripe: which event, of what type, to which object. */
export type News = { readonly event: string; readonly type: string; readonly object: string };

/**
 * Checks signature and age (5 min) and passes the hint on. Events of connected accounts are not about our payments. Throws
 * `stripe_signature_invalid`, `livemode_mismatch`.
 */
export async function hearEvent(
  deps: WebhookDeps,
  body: Uint8Array,
  signature: string | undefined,
): Promise<void> {
  const { id: event, type, data, livemode, account } = await verified(deps, body, signature);
  if (livemode !== deps.livemode) throw new Problem("livemode_mismatch");
  if (account !== undefined) return;
  const object = "id" in data.object && typeof data.object.id === "string" ? data.object.id : undefined;
  if (object === undefined) return;
  if (type.startsWith("payment_intent.")) await deps.hint.payment({ event, type, object });
  if (type.startsWith("checkout.session.") || type.startsWith("customer.subscription."))
    await deps.hint.plan({ event, type, object });
  if (type.startsWith("charge.dispute.")) await deps.hint.dispute({ event, type, object });
  if (type.startsWith("setup_intent.")) await deps.hint.setup({ event, type, object });
  if (type.startsWith("shared_payment.issued_token.")) await deps.hint.token({ event, type, object });
}

async function verified(
  { stripe, secret }: WebhookDeps,
  body: Uint8Array,
  signature: string | undefined,
): Promise<Stripe.Event> {
  try {
    return await stripe.webhooks.constructEventAsync(Buffer.from(body), signature ?? "", secret);
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError || error instanceof SyntaxError)
      throw new Problem("stripe_signature_invalid", { cause: error });
    throw error;
  }
}
