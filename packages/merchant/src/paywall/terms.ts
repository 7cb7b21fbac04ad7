import { after, type Clock, type Id, type Instant, newId, toRfc3339 } from "@remit/kernel";
import {
  base64,
  base64url,
  type Challenge,
  type Credential,
  canonicalise,
  challengeRequest,
  checkChallenge,
  checkMerchantNonce,
  encodeHeader,
  formatChallenge,
  type HeaderPair,
  type Mac,
  makeChallenge,
  makeMerchantNonce,
  mandateMethod,
  mandateRequirement,
  mandateScheme,
  mandateTermsOf,
  merchantNonceMs,
  type Offer,
  type PaymentPayload,
  type PrivateJwk,
  Problem,
  parseMandatePayload,
  paymentRequiredHeader,
  publicJwkOf,
  readPaymentCredential,
  toProblemJson,
} from "@remit/protocol";
import { sha256, signOffer, verifyOffer } from "@remit/protocol/web";
import type { Answer } from "./answers.ts";

/** What one handler sells. */
export type Sale = {
  /** What people and agents read. */
  readonly name: string;
  readonly sku: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly description?: string;
  /** Seconds the handler may take; 60 unless told, at most 900. */
  readonly serveByS?: number;
  /** `mandate` alone unless told; the others through a gateway (`createGatewayPaywall`). */
  readonly payWith?: readonly ("mandate" | "card" | "x402")[];
  /** The seller's profile on the network of payment tokens, and perhaps a connected account. */
  readonly card?: { readonly networkId: string; readonly account?: string };
  /** Where stablecoins arrive: a chain by its name or in CAIP-2. */
  readonly x402?: { readonly chain: string; readonly payTo: string; readonly confirmations?: number };
};

/** One request for it, read whole. */
export type Asked = {
  readonly sale: Sale;
  readonly method: string;
  /** Our own origin, path and query. */
  readonly url: string;
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
};

export type TermsDeps = {
  readonly issuer: string;
  readonly origin: string;
  readonly merchant: Id<"merchant">;
  readonly livemode: boolean;
  readonly offerKey: PrivateJwk;
  readonly macs: readonly [Mac, ...Mac[]];
  readonly clock: Clock;
};

/** A payment that is meant for this very request. Whether it counts, the authorization server says. */
export type MandateGiven = {
  readonly issuer: string;
  /** The challenge that is answered, where the protocol has one. */
  readonly challenge?: Challenge;
  readonly offer: string;
  readonly merchantNonce: string;
  readonly presentation: string;
  readonly accessToken: string;
};

const digestOf = (body: Uint8Array): string | undefined =>
  body.length === 0 ? undefined : base64url.encode(sha256(body));

/** What a payment and a stored answer are bound to. */
export const requestDigest = ({ method, url, body }: Asked): string =>
  base64url.encode(sha256(canonicalise({ method, url, body_digest: digestOf(body) ?? null })));

const placeOf = (deps: TermsDeps, { sale, method }: Asked) => ({
  route: sale.sku,
  method,
  origin: deps.origin,
});
const bindingOf = ({ sale, method, url }: Asked) => ({ route: sale.sku, method, url });
const contentDigest = ({ body }: Asked): string | undefined =>
  body.length === 0 ? undefined : `sha-256=:${base64.encode(sha256(body))}:`;

/** The 402: x402 v2 and the Payment scheme, for a mandate; the reason as problem+json. */
export async function askForPayment(deps: TermsDeps, asked: Asked, problem: Problem): Promise<Answer> {
  const now = deps.clock.now();
  const [mac] = deps.macs;
  const offered = offerOf(deps, asked, now);
  const random = crypto.getRandomValues(new Uint8Array(12));
  const merchantNonce = makeMerchantNonce({ mac, random, now, place: placeOf(deps, asked) });
  const offer = await signOffer(deps.offerKey, offered);
  const entry = mandateRequirement(sha256, { issuer: deps.issuer, offer, merchantNonce }, offered);
  const digest = contentDigest(asked);
  const challenge = makeChallenge({
    mac,
    realm: new URL(deps.origin).host,
    ...mandateMethod,
    request: { ...entry },
    // Two who ask at one instant get two: a challenge is answered once.
    expires: after(now, merchantNonceMs - (((random[0] ?? 0) * 256 + (random[1] ?? 0)) % 10_000)),
    binding: bindingOf(asked),
    ...(digest !== undefined && { digest }),
    // The agent's own token may stand in Authorization.
    ...(hasOwnToken(asked) && { header: "Payment-Authorization" }),
  });
  const error = (problem.detail ?? problem.code).replace(/[^\x20-\x7e]/g, "?");
  const required = {
    x402Version: 2 as const,
    error,
    resource: { url: asked.url, description: asked.sale.name },
    accepts: [entry],
  };
  const headers: HeaderPair[] = [
    ...Object.entries(problem.headers ?? {}).flatMap(([name, value]) =>
      [value].flat().map((one): HeaderPair => [name, one]),
    ),
    [paymentRequiredHeader, encodeHeader(required)],
    ["WWW-Authenticate", formatChallenge(challenge)],
    ["Cache-Control", "no-store"],
    ["Content-Type", "application/problem+json"],
  ];
  return { status: 402, headers, body: problemBody(problem, deps.origin, 402) };
}

export const problemBody = (problem: Problem, origin: string, status = problem.status): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ ...toProblemJson(problem, newId("request"), origin), status }));

const hasOwnToken = ({ headers }: Asked): boolean =>
  headers.some(([name, value]) => name.toLowerCase() === "authorization" && !/^payment\b/i.test(value));

function offerOf(
  { merchant, origin, livemode }: TermsDeps,
  { sale, method, url, body }: Asked,
  now: Instant,
): Offer {
  const digest = digestOf(body);
  return {
    "@context": "https://schema.org",
    "@type": "Offer",
    id: newId("offer"),
    sku: sale.sku,
    name: sale.name,
    ...(sale.description !== undefined && { description: sale.description }),
    amount_minor: sale.amountMinor,
    currency: sale.currency,
    merchant,
    merchant_origin: origin,
    issued_at: toRfc3339(now),
    expires_at: toRfc3339(after(now, merchantNonceMs)),
    livemode,
    resource: { method, url, ...(digest !== undefined && { body_digest: digest }) },
    serve_by_s: sale.serveByS ?? 60,
  };
}

/** The mandate that a request pays with, as it came; `credential_…` for what cannot be read. Nothing of it is believed yet. */
export function readPayment({ headers }: Asked): MandateGiven | undefined {
  const found = readPaymentCredential(headers);
  if (found === undefined) return undefined;
  if (found.kind === "mpp") return ofChallenge(found.credential);
  if (found.kind === "x402" && found.version === 2) return ofAccepted(found.payment);
  throw new Problem("no_acceptable_payment", { detail: "It is sold under a mandate alone." });
}

function ofAccepted({ accepted, payload }: PaymentPayload): MandateGiven {
  if (accepted.scheme !== mandateScheme)
    throw new Problem("no_acceptable_payment", { detail: "It is sold under a mandate alone." });
  return { ...mandateTermsOf(sha256, accepted), ...parseMandatePayload(payload) };
}

function ofChallenge({ challenge, payload }: Credential): MandateGiven {
  if (challenge.method !== mandateMethod.method || challenge.intent !== mandateMethod.intent)
    throw new Problem("no_acceptable_payment", { detail: "It is sold under a mandate alone." });
  const request = challengeRequest(challenge);
  if (request === undefined) throw new Problem("credential_malformed");
  return { ...mandateTermsOf(sha256, request), ...parseMandatePayload(payload), challenge };
}

function answers(deps: TermsDeps, asked: Asked, challenge: Challenge): void {
  const digest = contentDigest(asked);
  checkChallenge({
    challenge,
    macs: deps.macs,
    realm: new URL(deps.origin).host,
    now: deps.clock.now(),
    binding: bindingOf(asked),
    ...(digest !== undefined && { digest }),
  });
  if (challenge.digest !== digest) throw new Problem("content_digest_mismatch");
}

/** Refuses a payment that is not for our own offer, for this very request, at today's price. */
export async function checkPayment(deps: TermsDeps, asked: Asked, given: MandateGiven): Promise<void> {
  const now = deps.clock.now();
  if (given.issuer !== deps.issuer)
    throw new Problem("no_acceptable_payment", { detail: "This merchant takes mandates of another issuer." });
  if (given.challenge !== undefined) answers(deps, asked, given.challenge);
  const { method, url, body, sale } = asked;
  const digest = digestOf(body);
  const offer = await verifyOffer(given.offer, {
    keys: [publicJwkOf(deps.offerKey)],
    now,
    merchant: deps.merchant,
    origin: deps.origin,
    livemode: deps.livemode,
    resource: { method, url, ...(digest !== undefined && { bodyDigest: digest }) },
  });
  // An offer without a digest was made for a request without a body.
  if (offer.resource?.body_digest !== digest) throw new Problem("offer_resource_mismatch");
  if (offer.sku !== sale.sku || offer.amount_minor !== sale.amountMinor || offer.currency !== sale.currency)
    throw new Problem("offer_changed", { status: 402 });
  checkMerchantNonce({ nonce: given.merchantNonce, macs: deps.macs, now, place: placeOf(deps, asked) });
}
