import { Problem } from "@remit/protocol";
import Stripe from "stripe";
import type { WebhookDeps } from "./stripe.http.ts";

/** Something happened to an object of Stripe: which event, of what type, to which object. */
export type News = {
  readonly event: string;
  readonly type: string;
  readonly object: string;
  /** The connected account in which it happened; null for our own. */
  readonly account: string | null;
};

/** By whichever of these it comes: they name the refund. */
const refundNews: ReadonlySet<string> = new Set(["charge.refund.updated", "refund.failed", "refund.updated"]);

/**
 * Checks signature and age (5 min) and passes the hint on. What happens in connected accounts is about them and their payouts alone. Throws
 * `stripe_signature_invalid`, `livemode_mismatch`.
 */
export async function hearEvent(
  deps: WebhookDeps,
  body: Uint8Array,
  signature: string | undefined,
): Promise<void> {
  const { id: event, type, data, livemode, account } = await verified(deps, body, signature);
  if (livemode !== deps.livemode) throw new Problem("livemode_mismatch");
  const object = "id" in data.object && typeof data.object.id === "string" ? data.object.id : undefined;
  if (object === undefined) return;
  const news: News = { event, type, object, account: account ?? null };
  if (type === "account.updated" || type.startsWith("payout.") || type.startsWith("capability."))
    await deps.hint.payout(news);
  if (news.account !== null) return;
  if (type.startsWith("payment_intent.")) await deps.hint.payment(news);
  if (["checkout.session.", "customer.subscription.", "invoice.paid"].some((one) => type.startsWith(one)))
    await deps.hint.plan(news);
  if (type.startsWith("charge.dispute.")) await deps.hint.dispute(news);
  if (refundNews.has(type)) await deps.hint.refund(news);
  if (type.startsWith("setup_intent.")) await deps.hint.setup(news);
  if (type.startsWith("shared_payment.issued_token.")) await deps.hint.token(news);
}

async function verified(
  { stripe, secrets }: Pick<WebhookDeps, "stripe" | "secrets">,
  body: Uint8Array,
  signature: string | undefined,
): Promise<Stripe.Event> {
  const [secret = "", ...others] = secrets;
  try {
    return await stripe.webhooks.constructEventAsync(Buffer.from(body), signature ?? "", secret);
  } catch (error) {
    // An endpoint for connected accounts has a secret of its own.
    const forged = error instanceof Stripe.errors.StripeSignatureVerificationError;
    if (forged && others.length > 0) return verified({ stripe, secrets: others }, body, signature);
    if (error instanceof Stripe.errors.StripeSignatureVerificationError || error instanceof SyntaxError)
      throw new Problem("stripe_signature_invalid", { cause: error });
    throw error;
  }
}
