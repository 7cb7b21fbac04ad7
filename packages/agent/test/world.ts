import {
  after,
  type Clock,
  dayMs,
  type Instant,
  instantOf,
  newId,
  toNumericDate,
  toRfc3339,
} from "@remit/kernel";
import {
  encodeHeader,
  formatChallenge,
  formatReceipt,
  type HeaderPair,
  isJsonObject,
  type MandateDetails,
  makeChallenge,
  mandateMethod,
  mandateRequirement,
  mandateSettled,
  mandateTermsOf,
  type Offer,
  type PrivateJwk,
  parseMandatePayload,
  publicJwkOf,
  readPaymentCredential,
} from "@remit/protocol";
import {
  generateJwk,
  hmacSha256,
  issueMandate,
  offerDigest,
  sha256,
  sha256b64url,
  signJws,
  signOffer,
  thumbprint,
  verifyClientAssertion,
  verifyDpopProof,
  verifyPresentation,
} from "@remit/protocol/node";
import { type Agent, type AgentOptions, createAgent, type Exchange, type Fetch } from "../src/index.ts";

export const issuer = "https://as.example";
export const shop = "https://shop.example";
export const clientId = newId("agent");
export const keys = { assertion: generateJwk("ES256", "a"), dpop: generateJwk("ES256", "d") };
const issuerKey = generateJwk("ES256", "as-1");
const mac = hmacSha256(new Uint8Array(32).fill(1));
const tenant = newId("tenant");

export type Handler = (url: URL, init: RequestInit) => Response | Promise<Response>;

/** An authorization server and a shop over a fake fetch, both as strict as the real ones about what an agent sends. */
export type World = {
  /** The time of day, and how long this has run. */
  readonly at: { now: Instant; ranMs: number };
  readonly clock: Clock;
  readonly seen: Exchange[];
  /** Answers of the world, by origin and path; a test replaces those it wants to spoil. */
  readonly handlers: Map<string, Handler>;
  readonly shopKey: PrivateJwk;
  /** What the shop sells; a test changes it before the agent asks. */
  offer: Offer;
  readonly charges: string[];
  readonly count: (step: string) => number;
  agent(options?: Partial<AgentOptions>): Agent;
};

export const details: MandateDetails = {
  type: "oid4ac_mandate",
  oid4ac_version: "1.0",
  currency: "USD",
  amount_minor: 5000,
  per_charge_minor: 2000,
  merchants: [shop],
  uses: "multiple",
};

export function makeWorld(): World {
  const at = { now: instantOf(1_764_000_000_000), ranMs: 0 };
  const clock: Clock = { now: () => at.now, monotonicNs: () => BigInt(at.ranMs) * 1_000_000n };
  const handlers = new Map<string, Handler>();
  const seen: Exchange[] = [];
  const fetch: Fetch = async (url, init) => {
    const target = new URL(url);
    const handler = handlers.get(target.origin + target.pathname);
    return handler === undefined
      ? Response.json({ code: "not_found" }, { status: 404 })
      : handler(target, init);
  };
  const world: World = {
    at,
    clock,
    seen,
    handlers,
    shopKey: generateJwk("EdDSA", "shop-1"),
    offer: offerAt(at.now),
    charges: [],
    count: (step) => seen.filter((exchange) => exchange.step === step).length,
    agent: (options = {}) =>
      createAgent({
        issuer,
        clientId,
        keys,
        fetch,
        clock,
        observe: (exchange) => seen.push(exchange),
        ...options,
      }),
  };
  addIssuer(world);
  addShop(world);
  return world;
}

export const offerAt = (now: Instant, changes: Partial<Offer> = {}): Offer => ({
  "@context": "https://schema.org",
  "@type": "Offer",
  id: newId("offer"),
  sku: "report-1",
  name: "A report",
  amount_minor: 1000,
  currency: "USD",
  merchant: "mrc_01k9xq4zj7e6v8r5t3w2y1n0mb" as Offer["merchant"],
  merchant_origin: shop,
  issued_at: toRfc3339(now),
  expires_at: toRfc3339(after(now, 300_000)),
  livemode: false,
  resource: { method: "GET", url: `${shop}/report` },
  ...changes,
});

const formOf = (init: RequestInit): Record<string, string> =>
  init.body instanceof URLSearchParams ? Object.fromEntries(init.body) : {};

function addIssuer(world: World): void {
  const { handlers, clock } = world;
  let nonce = 0;
  let pushed: Record<string, string> = {};
  const jtis = new Set<string>();
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    pushed_authorization_request_endpoint: `${issuer}/oauth/par`,
    jwks_uri: `${issuer}/oauth/jwks.json`,
  };
  handlers.set(`${issuer}/.well-known/oauth-authorization-server`, () => Response.json(metadata));
  handlers.set(`${issuer}/oauth/jwks.json`, () => Response.json({ keys: [publicJwkOf(issuerKey)] }));

  /** Answers only what is authenticated, proven with a fresh nonce, and never sent before. */
  const authenticated = (answer: (form: Record<string, string>) => object): Handler => {
    const withNonce = (status: number, body: object): Response =>
      Response.json(body, { status, headers: { "dpop-nonce": `nonce-${++nonce}` } });
    return (url, init) => {
      const form = formOf(init);
      const now = clock.now();
      try {
        const proof = verifyDpopProof({
          proof: new Headers(init.headers).get("dpop") ?? "",
          method: init.method ?? "",
          url: url.href,
          now,
          nonce: `nonce-${nonce}`,
          requiredThumbprint: thumbprint(keys.dpop),
        });
        const assertion = verifyClientAssertion({
          assertion: form["client_assertion"] ?? "",
          clientId,
          audiences: [issuer],
          keys: [publicJwkOf(keys.assertion)],
          now,
        });
        for (const jti of [proof.jti, assertion.jti]) {
          if (jtis.has(jti)) return withNonce(400, { error: "invalid_request" });
          jtis.add(jti);
        }
        return withNonce(200, answer(form));
      } catch (error) {
        if (!(error instanceof Error && "code" in error)) throw error;
        return withNonce(400, { error: error.code, error_description: error.message });
      }
    };
  };

  handlers.set(
    `${issuer}/oauth/par`,
    authenticated((form) => {
      pushed = form;
      return { request_uri: "urn:ietf:params:oauth:request_uri:1", expires_in: 60 };
    }),
  );
  handlers.set(
    `${issuer}/oauth/token`,
    authenticated((form) => tokenAnswer(form, { pushed, now: clock.now() })),
  );
}

function tokenAnswer(
  form: Record<string, string>,
  at: { pushed: Record<string, string>; now: Instant },
): object {
  const mandateId = newId("mandate");
  const iat = toNumericDate(at.now);
  const resource = form["resource"] ?? "";
  const accessToken = signJws(
    issuerKey,
    { typ: "at+jwt" },
    {
      iss: issuer,
      sub: clientId,
      aud: resource,
      client_id: clientId,
      jti: newId("request"),
      iat,
      exp: iat + 300,
      scope: "oid4ac:payment",
      organization_id: tenant,
      livemode: false,
      cnf: { jkt: thumbprint(keys.dpop) },
    },
  );
  const answer = { access_token: accessToken, token_type: "DPoP", expires_in: 300 };
  if (form["grant_type"] === "client_credentials") return answer;
  if (form["grant_type"] === "refresh_token") {
    if (form["refresh_token"] !== "refresh-1") return { error: "invalid_grant" };
    return { ...answer, refresh_token: "refresh-2" };
  }
  const verified = sha256b64url(form["code_verifier"] ?? "") === at.pushed["code_challenge"];
  if (form["code"] !== "code-1" || !verified || form["redirect_uri"] !== at.pushed["redirect_uri"])
    return { error: "invalid_grant" };
  const asked: unknown = JSON.parse(at.pushed["authorization_details"] ?? "[]");
  const [first] = Array.isArray(asked) ? asked : [];
  const mandate = issueMandate(
    {
      id: mandateId,
      issuer,
      subject: "s",
      holder: publicJwkOf(keys.dpop),
      details: { ...details, ...(isJsonObject(first) ? first : {}) },
      issuedAt: at.now,
      validFrom: at.now,
      validUntil: after(at.now, dayMs),
      livemode: false,
      status: { uri: `${issuer}/oauth/status-list/1`, idx: 1 },
      statusList2021: { revocation: `${issuer}/r`, suspension: `${issuer}/s` },
    },
    issuerKey,
  );
  return { ...answer, refresh_token: "refresh-1", mandate_jwt: mandate };
}

/** What a 402 of the shop says; a test takes parts of it away. */
export function terms(
  world: World,
  offerJws = signOffer(world.shopKey, world.offer),
): {
  required: string;
  challenge: (header?: string) => string;
} {
  const requirement = mandateRequirement(sha256, { issuer, offer: offerJws, merchantNonce: "n".repeat(48) });
  const url = world.offer.resource?.url ?? shop;
  return {
    required: encodeHeader({ x402Version: 2, error: "Pay.", resource: { url }, accepts: [requirement] }),
    challenge: (header) =>
      formatChallenge(
        makeChallenge({
          mac,
          realm: "shop.example",
          ...mandateMethod,
          request: { ...requirement },
          expires: after(world.at.now, 300_000),
          ...(header !== undefined && { header }),
        }),
      ),
  };
}

export const unpaid = (headers: Record<string, string>): Response =>
  Response.json({ code: "payment_required" }, { status: 402, headers });

/** The mandate payment in a request, verified as the gateway and the authorization server do; undefined when none. */
export function paymentIn(
  world: World,
  init: RequestInit,
): { agentThumbprint: string; offerJws: string } | undefined {
  const headers: HeaderPair[] = [...new Headers(init.headers)];
  const found = readPaymentCredential(headers);
  if (found === undefined) return undefined;
  const [entry, payload] =
    found.kind === "mpp"
      ? [
          JSON.parse(Buffer.from(found.credential.challenge.request, "base64url").toString()),
          found.credential.payload,
        ]
      : found.kind === "x402" && found.version === 2
        ? [found.payment.accepted, found.payment.payload]
        : [undefined, {}];
  const { offer, merchantNonce } = mandateTermsOf(sha256, entry);
  const { agentThumbprint } = verifyPresentation({
    ...parseMandatePayload(payload),
    offerDigest: offerDigest(world.offer),
    merchantOrigin: shop,
    merchantNonce,
    issuer,
    issuerKeys: [publicJwkOf(issuerKey)],
    now: world.at.now,
    livemode: false,
  });
  return { agentThumbprint, offerJws: offer };
}

function addShop(world: World): void {
  const { handlers, charges } = world;
  handlers.set(`${shop}/.well-known/jwks.json`, () => Response.json({ keys: [publicJwkOf(world.shopKey)] }));
  handlers.set(`${shop}/free`, () => new Response("free"));
  handlers.set(`${shop}/report`, (_, init) => {
    const paid = paymentIn(world, init);
    if (paid === undefined) return unpaid({ "PAYMENT-REQUIRED": terms(world).required });
    const charge = newId("charge");
    charges.push(charge);
    return new Response("the report", { headers: settledHeaders(charge, "x402") });
  });
}

export function settledHeaders(charge: string, protocol: "x402" | "mpp"): Record<string, string> {
  if (protocol === "mpp")
    return {
      "Payment-Receipt": formatReceipt({
        method: "oid4ac",
        at: instantOf(1_764_000_000_000),
        reference: charge,
        receipt: "r.r.r",
      }),
    };
  const settled = mandateSettled({
    charge,
    network: "remit:0",
    payer: clientId,
    amountMinor: 1000,
    receipt: "r.r.r",
  });
  return { "PAYMENT-RESPONSE": encodeHeader(settled) };
}

/** An agent that holds a mandate for the shop. */
export async function withMandate(world: World, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const agent = world.agent(options);
  const pending = await agent.requestMandate(wish);
  await pending.complete(callbackOf(pending.authorizeUrl, world));
  return agent;
}

export const wish = {
  details: { type: "oid4ac_mandate", currency: "USD", amount_minor: 5000 },
  resource: shop,
  redirectUri: "http://127.0.0.1/callback",
};

/** Where the browser comes back to once the principal has said yes. */
export function callbackOf(authorizeUrl: string, world: World, changes: Record<string, string> = {}): string {
  const pushed = new URLSearchParams(
    world.seen.findLast(({ step }) => step === "request mandate")?.request.body,
  );
  const { searchParams } = new URL(authorizeUrl);
  if (searchParams.get("client_id") !== clientId) return "http://127.0.0.1/callback";
  const members = { code: "code-1", iss: issuer, state: pushed.get("state") ?? "", ...changes };
  const answer = new URLSearchParams(Object.entries(members).filter(([, value]) => value !== ""));
  return `${wish.redirectUri}?${answer}`;
}
