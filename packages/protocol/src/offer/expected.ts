import type { Id, Instant } from "@remit/kernel";
import { urlOf } from "../encoding/index.ts";
import { algOf, type PublicJwk, type SigningAlg } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import type { Offer } from "./offer.ts";

/** What the reader of an offer knows beforehand; whatever is given must be met. */
export type ExpectedOffer = {
  /** The merchant's published keys. */
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
  readonly merchant?: Id<"merchant">;
  readonly origin?: string;
  readonly livemode?: boolean;
  /** The request that is bought. Its absence from the offer is then a mismatch. */
  readonly resource?: { readonly method: string; readonly url: string; readonly bodyDigest?: string };
};

/** O03, O12: an offer counts for its own merchant, mode and resource alone. */
export function checkExpected(offer: Offer, expected: ExpectedOffer): void {
  if (expected.merchant !== undefined && offer.merchant !== expected.merchant)
    throw new Problem("offer_merchant_mismatch");
  if (expected.origin !== undefined && offer.merchant_origin !== expected.origin)
    throw new Problem("offer_merchant_mismatch", { detail: "merchant_origin is another origin" });
  if (expected.livemode !== undefined && offer.livemode !== expected.livemode)
    throw new Problem("livemode_mismatch");
  if (expected.resource !== undefined) checkResourceOf(offer, expected.resource);
}

function checkResourceOf(offer: Offer, wanted: NonNullable<ExpectedOffer["resource"]>): void {
  const { resource } = offer;
  const same =
    resource !== undefined &&
    resource.method === wanted.method.toUpperCase() &&
    sameUrl(resource.url, wanted.url) &&
    (resource.body_digest === undefined || resource.body_digest === wanted.bodyDigest);
  if (!same) throw new Problem("offer_resource_mismatch");
}

/** Equal once both are written as browsers write them; a fragment never reaches a server. */
function sameUrl(a: string, b: string): boolean {
  const [left, right] = [urlOf(a), urlOf(b)];
  if (left === undefined || right === undefined) return false;
  left.hash = "";
  right.hash = "";
  return left.href === right.href;
}

/** The key of that id; refused when the merchant publishes none. */
export function offerKey(kid: string | undefined, keys: readonly PublicJwk[]): PublicJwk {
  const key = keys.find(
    (candidate) => candidate.kid !== undefined && candidate.kid === kid && candidate.use !== "enc",
  );
  if (key === undefined) throw new Problem("offer_keyid_unknown");
  return key;
}

/** The JOSE algorithm that fits the key; refused when there is none. */
export function offerAlgOf(key: PublicJwk): SigningAlg {
  const alg = algOf(key);
  if (alg === "RS256") throw new Problem("offer_alg_rejected");
  return alg;
}
