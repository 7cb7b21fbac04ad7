import { type Instant, systemClock } from "@remit/kernel";
import { type Offer, Problem, type PublicJwk, type VerifiedPresentation } from "@remit/protocol";
import { offerDigest, verifyPresentation } from "@remit/protocol/web";
import type { MandateState, StatusLists } from "./status-lists.ts";

export type VerifyMandateOptions = {
  /** `<sd-jwt>~<disclosures>~<kb-jwt>` as the agent sent it. */
  readonly presentation: string;
  readonly accessToken: string;
  /** The offer that is bought. */
  readonly offer: Offer;
  /** The nonce this merchant gave the agent. That it is spent once is for the merchant, or the charge, to see to. */
  readonly merchantNonce: string;
  readonly issuer: string;
  readonly issuerKeys: readonly PublicJwk[];
  /** Where given, a mandate that is revoked or suspended is refused. */
  readonly statusLists?: StatusLists;
  readonly now?: Instant;
};

export type VerifiedMandate = VerifiedPresentation & { readonly state: MandateState | "unchecked" };

const refusals = { revoked: "mandate_status_revoked", suspended: "mandate_status_suspended" } as const;

/**
 * Verifies a presented mandate for one offer of this merchant: mandate, key binding and token are genuine, of one
 * holder, and meant for this origin, offer and nonce. Throws Problem with `mandate_signature_invalid`,
 * `mandate_kb_audience_mismatch`, `mandate_kb_nonce_mismatch`, `mandate_status_revoked` or another code. Whether the
 * budget suffices only the issuer knows: charge to find out.
 */
export async function verifyMandate(options: VerifyMandateOptions): Promise<VerifiedMandate> {
  const { presentation, accessToken, offer, merchantNonce, issuer, issuerKeys, statusLists } = options;
  const verified = await verifyPresentation({
    presentation,
    accessToken,
    offerDigest: offerDigest(offer),
    merchantOrigin: offer.merchant_origin,
    merchantNonce,
    issuer,
    issuerKeys,
    livemode: offer.livemode,
    now: options.now ?? systemClock.now(),
  });
  const state = (await statusLists?.statusOf(verified.mandate.status)) ?? "unchecked";
  if (state === "revoked" || state === "suspended") throw new Problem(refusals[state]);
  return { ...verified, state };
}
