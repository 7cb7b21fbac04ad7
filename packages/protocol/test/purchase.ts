import { after, dayMs, fromRfc3339, type Id, type Instant, newId, toNumericDate } from "@remit/kernel";
import {
  type JsonObject,
  type MandateDetails,
  type MandateToIssue,
  type PresentationInput,
  type PrivateJwk,
  publicJwkOf,
  type SigningAlg,
} from "../src/index.ts";
import {
  generateJwk,
  issueMandate,
  makePresentation,
  sha256b64url,
  signJws,
  thumbprint,
} from "../src/node/index.ts";

export const issuer = "https://as.example";
export const shop = "https://shop.example";
export const now = fromRfc3339("2026-11-22T10:00:00Z") as Instant;

export const details: MandateDetails = {
  type: "oid4ac_mandate",
  oid4ac_version: "1.0",
  currency: "EUR",
  amount_minor: 50_000,
  per_charge_minor: 10_000,
  velocity: [{ period: "day", amount_minor: 15_000, count: 20, zone: "Europe/Amsterdam" }],
  merchants: [shop, "https://books.example"],
  categories: ["books"],
  rails: ["card"],
  uses: "multiple",
  instrument: newId("instrument"),
  step_up: [{ above_minor: 5_000 }, { first_purchase_at_merchant: true }],
  purpose: "Textbooks for the autumn term",
};

/** Everything for one purchase that verifies, and the keys to spoil it with. */
export type Purchase = {
  readonly issuerKey: PrivateJwk;
  readonly agentKey: PrivateJwk;
  readonly mandateId: Id<"mandate">;
  readonly mandate: string;
  readonly input: PresentationInput;
};

export type PurchaseChanges = {
  readonly alg?: SigningAlg;
  readonly mandate?: Partial<MandateToIssue>;
  readonly token?: JsonObject;
};

export function makePurchase(changes: PurchaseChanges = {}): Purchase {
  const issuerKey = generateJwk(changes.alg ?? "ES256");
  const agentKey = generateJwk(changes.alg ?? "ES256");
  const toIssue = { ...mandateFor(agentKey), ...changes.mandate };
  const mandate = issueMandate(toIssue, issuerKey);
  const accessToken = makeToken(issuerKey, { ...tokenFor(agentKey, toIssue.id), ...changes.token });
  const offerDigest = sha256b64url("an offer");
  const merchantNonce = "a nonce of the shop";
  const presentation = makePresentation({
    mandate,
    disclose: "all",
    accessToken,
    offerDigest,
    merchantNonce,
    now,
    audience: shop,
    key: agentKey,
  });
  const input = {
    presentation,
    accessToken,
    offerDigest,
    merchantNonce,
    issuer,
    now,
    merchantOrigin: shop,
    issuerKeys: [publicJwkOf(issuerKey)],
    livemode: false,
  };
  return { issuerKey, agentKey, mandateId: toIssue.id, mandate, input };
}

export const mandateFor = (agentKey: PrivateJwk): MandateToIssue => ({
  id: newId("mandate"),
  issuer,
  subject: "pairwise-subject",
  holder: publicJwkOf(agentKey),
  details,
  issuedAt: now,
  validFrom: now,
  validUntil: after(now, 30 * dayMs),
  livemode: false,
  status: { uri: `${issuer}/oauth/status-list/1`, idx: 42 },
  statusList2021: {
    revocation: `${issuer}/oauth/status-list/1/revocation`,
    suspension: `${issuer}/oauth/status-list/1/suspension`,
  },
  audience: [shop, "https://books.example"],
  principal: { email: "ada@example.com", country: "NL" },
  consentEvidence: { ip: "192.0.2.1", user_agent: "Firefox" },
});

export const tokenFor = (agentKey: PrivateJwk, mandateId: Id<"mandate">): JsonObject => ({
  iss: issuer,
  sub: "pairwise-subject",
  aud: shop,
  client_id: newId("agent"),
  jti: "token-1",
  iat: toNumericDate(now),
  exp: toNumericDate(now) + 300,
  scope: "oid4ac:payment",
  organization_id: newId("tenant"),
  livemode: false,
  mandate_id: mandateId,
  cnf: { jkt: thumbprint(agentKey) },
});

export const makeToken = (issuerKey: PrivateJwk, claims: JsonObject): string =>
  signJws(issuerKey, { typ: "at+jwt" }, claims);

/** The code of the Problem that the call ends in; fails when it ends in none. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (refusal) {
    if (refusal instanceof Error && "code" in refusal && typeof refusal.code === "string")
      return refusal.code;
    throw refusal;
  }
  throw new Error("the call was expected to be refused");
}

/** The parts of a compact JWS, to put together differently. */
export function partsOf(jws: string): { header: JsonObject; payload: JsonObject; signature: string } {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  return { header: read(header), payload: read(payload), signature };
}

const read = (part: string): JsonObject => JSON.parse(Buffer.from(part, "base64url").toString());

export const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
