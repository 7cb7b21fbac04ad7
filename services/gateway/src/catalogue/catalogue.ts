import { after, type Instant, minuteMs } from "@remit/kernel";
import { cataloguePath, makeCatalogue, publicJwkOf } from "@remit/protocol";
import { type MerchantProof, merchantJwksPath, merchantProofPath } from "@remit/protocol/contracts";
import { sha256b64url, signResponse } from "@remit/protocol/node";
import { type Shop, wayOf } from "../offers/index.ts";
import { listedOffer } from "../paywall/index.ts";

export { cataloguePath, merchantJwksPath, merchantProofPath };

/** A document at the merchant's origin, byte for byte as it is signed. */
export type Document = { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array };

const lifetimeMs = minuteMs;
const signedForS = 300;
const kept = new WeakMap<Shop, { readonly until: Instant; readonly document: Document }>();

/** The keys with which this merchant's offers are signed. */
export function merchantJwks({ merchant }: Shop): Document {
  const { kty, crv, kid, ...rest } = publicJwkOf(merchant.keys.offer);
  const alg = kty === "EC" ? "ES256" : "EdDSA";
  const body = Buffer.from(JSON.stringify({ keys: [{ kty, crv, kid, ...rest, alg, use: "sig" }] }));
  return { headers: { "Content-Type": "application/json", "Cache-Control": "public, max-age=60" }, body };
}

/** Which merchant, by which client, may speak for this origin: what the directory verifies it by. */
export function merchantProof({ merchant }: Shop): Document {
  const proof: MerchantProof = { merchants: [{ id: merchant.id, client_id: merchant.clientId }] };
  return {
    headers: { "Content-Type": "application/json", "Cache-Control": "no-cache" },
    body: Buffer.from(JSON.stringify(proof)),
  };
}

/** All that the merchant sells here, signed as a response (RFC 9421). One signature serves a minute. */
export function catalogueOf(shop: Shop, at: { readonly now: Instant; readonly livemode: boolean }): Document {
  const known = kept.get(shop);
  if (known !== undefined && at.now < known.until) return known.document;
  const document = signCatalogue(shop, at);
  kept.set(shop, { until: after(at.now, lifetimeMs), document });
  return document;
}

function signCatalogue(
  { merchant, routes }: Shop,
  at: { readonly now: Instant; readonly livemode: boolean },
): Document {
  const catalogue = makeCatalogue(
    {
      merchant: merchant.id,
      merchant_origin: merchant.origin,
      name: new URL(merchant.origin).host,
      livemode: at.livemode,
    },
    routes.flatMap((route) =>
      route.gate === "paid" && !route.hidden && wayOf(route, "mandate") !== undefined
        ? [listedOffer(route, at)]
        : [],
    ),
  );
  const body = Buffer.from(JSON.stringify(catalogue));
  const signed = signResponse(merchant.keys.offer, {
    targetUri: merchant.origin + cataloguePath,
    body,
    now: at.now,
    lifetimeS: signedForS,
  });
  return {
    headers: {
      ...signed,
      "Cache-Control": "public, max-age=60, must-revalidate",
      ETag: `"${sha256b64url(body)}"`,
    },
    body,
  };
}
