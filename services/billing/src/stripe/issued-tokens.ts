import { type Instant, instantOf, secondMs } from "@remit/kernel";
import Stripe from "stripe";
import { z } from "zod";
import { unavailable } from "./failures.ts";

/** A Shared Payment Token that was issued with our key, as Stripe has it. Amounts in minor units. */
export type IssuedToken = {
  readonly id: string;
  /** What whoever issued it wrote of where it comes from. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly capturedMinor: number;
  readonly expiresAt: Instant | undefined;
  /** When it was over, and why: nothing new is authorised with it since. */
  readonly over:
    | { readonly at: Instant; readonly because: "consumed" | "expired" | "resolved" | "revoked" }
    | undefined;
};

export const issuedTokensAt = (stripe: Stripe) => ({
  tokenOf: (id: string): Promise<IssuedToken | undefined> => readIssuedToken(stripe, id),
  revoke: (id: string): Promise<void> => revokeIssuedToken(stripe, id),
});

const seconds = z.number().int().nonnegative();
const Body = z.object({
  id: z.string(),
  shared_metadata: z.record(z.string(), z.string()).nullish(),
  usage_details: z.object({ amount_captured: z.object({ value: z.number().int().nonnegative() }) }).nullish(),
  usage_limits: z.object({ expires_at: seconds.nullish() }).nullish(),
  deactivated_at: seconds.nullish(),
  deactivated_reason: z.enum(["consumed", "expired", "resolved", "revoked"]).nullish(),
});

/** Undefined when Stripe knows none of that id. Throws `unavailable`. */
async function readIssuedToken(stripe: Stripe, id: string): Promise<IssuedToken | undefined> {
  try {
    const path = `/v1/shared_payment/issued_tokens/${encodeURIComponent(id)}`;
    return tokenOf(Body.parse(await stripe.rawRequest("GET", path)));
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode === 404)
      return undefined;
    throw unavailable(error);
  }
}

/** Whoever holds it can have nothing new authorised. Nothing to do for one that is over. Throws `unavailable`. */
async function revokeIssuedToken(stripe: Stripe, id: string): Promise<void> {
  try {
    await stripe.rawRequest("POST", `/v1/shared_payment/issued_tokens/${encodeURIComponent(id)}/revoke`);
  } catch (error) {
    // Stripe says no to what has ended meanwhile: the token is read again, and tells.
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw unavailable(error);
  }
}

const at = (s: number): Instant => instantOf(s * secondMs);

function tokenOf(body: z.infer<typeof Body>): IssuedToken {
  const { deactivated_at: since, deactivated_reason: because, usage_limits: limits } = body;
  const expires = limits?.expires_at;
  return {
    id: body.id,
    metadata: body.shared_metadata ?? {},
    capturedMinor: body.usage_details?.amount_captured.value ?? 0,
    expiresAt: typeof expires === "number" ? at(expires) : undefined,
    over:
      typeof since === "number" && because !== null && because !== undefined
        ? { at: at(since), because }
        : undefined,
  };
}
