import { dayMs, instantOf } from "@remit/kernel";
import { claimFirstUse } from "@remit/platform/once";
import { Problem } from "@remit/protocol";
import Stripe from "stripe";
import type { WebhookDeps } from "./stripe.http.ts";

// Stripe sends an event again for three days.
const rememberedMs = 7 * dayMs;

/** Checks the signature and passes the hint on, once per event. Throws `stripe_signature_invalid`. */
export async function hearEvent(
  deps: WebhookDeps,
  body: Uint8Array,
  signature: string | undefined,
): Promise<void> {
  const event = await verified(deps, body, signature);
  const object = event.data.object;
  const id = "id" in object && typeof object.id === "string" ? object.id : undefined;
  const about = event.type.startsWith("payment_intent.")
    ? "payment"
    : event.type.startsWith("setup_intent.")
      ? "setup"
      : undefined;
  if (about === undefined || id === undefined || event.type.endsWith(".created")) return;
  await deps.db.global.transaction(async (tx) => {
    const first = await claimFirstUse(tx, `stripe-event:${event.id}`, instantOf(deps.now() + rememberedMs));
    if (first) await deps.hint[about](tx, id);
  });
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
