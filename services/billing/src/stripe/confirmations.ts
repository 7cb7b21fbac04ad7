import type Stripe from "stripe";
import { unavailable } from "./failures.ts";

const asksHolder: ReadonlySet<string> = new Set(["requires_action", "requires_payment_method"]);

/**
 * The secret with which the holder's own browser confirms a payment at the issuer; undefined once the payment asks nobody.
 * Whoever has it can do nothing but that.
 */
export async function clientSecretOf(stripe: Stripe, intent: string): Promise<string | undefined> {
  try {
    const found = await stripe.paymentIntents.retrieve(intent);
    return asksHolder.has(found.status) ? (found.client_secret ?? undefined) : undefined;
  } catch (error) {
    throw unavailable(error);
  }
}
