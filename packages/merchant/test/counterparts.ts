import { deflateSync } from "node:zlib";
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
  bytesForStatuses,
  type JsonObject,
  type MandateDetails,
  type Offer,
  publicJwkOf,
  type StatusBits,
  setStatus,
  statusListToken,
} from "@remit/protocol";
import {
  generateJwk,
  issueMandate,
  makePresentation,
  offerDigest,
  sign,
  signJws,
  thumbprint,
  verifyClientAssertion,
  verifyDpopProof,
} from "@remit/protocol/node";
import type { Fetch } from "../src/index.ts";

export const now = instantOf(1_764_000_000_000);
export const issuer = "https://as.example";
export const origin = "https://shop.example";
export const issuerKey = generateJwk("ES256", "as-1");
export const issuerKeys = [publicJwkOf(issuerKey)];
export const shopKey = generateJwk("EdDSA", "shop-1");
const agentKey = generateJwk("ES256");

export const clockAt = (at: { now: Instant }): Clock => ({ now: () => at.now, monotonicNs: () => 0n });

export const offer: Offer = {
  "@context": "https://schema.org",
  "@type": "Offer",
  id: newId("offer"),
  sku: "report-1",
  name: "A report",
  amount_minor: 1000,
  currency: "USD",
  merchant: newId("merchant"),
  merchant_origin: origin,
  issued_at: toRfc3339(now),
  expires_at: toRfc3339(instantOf(now + 300_000)),
  livemode: false,
  resource: { method: "GET", url: `${origin}/report` },
};

const details: MandateDetails = {
  type: "oid4ac_mandate",
  oid4ac_version: "1.0",
  currency: "USD",
  amount_minor: 10_000,
  uses: "multiple",
};

export const merchantNonce = "n".repeat(48);

type Changes = {
  readonly statusIndex?: number;
  readonly offer?: Offer;
  readonly merchantNonce?: string;
};
type Presented = { presentation: string; accessToken: string };

/** A mandate, a token and their presentation for the offer, as an agent sends them. */
export const presented = (changes: Changes = {}): Presented => presenter(changes)();

/** Makes presentations of one mandate for one offer: each is signed anew. */
export function presenter(changes: Changes): () => Presented {
  const id = newId("mandate");
  const mandate = issueMandate(
    {
      id,
      issuer,
      subject: "s",
      holder: publicJwkOf(agentKey),
      details,
      issuedAt: now,
      validFrom: now,
      validUntil: after(now, dayMs),
      livemode: false,
      status: { uri: `${issuer}/oauth/status-list/1`, idx: changes.statusIndex ?? 3 },
      statusList2021: { revocation: `${issuer}/r`, suspension: `${issuer}/s` },
    },
    issuerKey,
  );
  const claims: JsonObject = {
    iss: issuer,
    sub: "s",
    aud: origin,
    client_id: newId("agent"),
    jti: newId("request"),
    iat: toNumericDate(now),
    exp: toNumericDate(now) + 300,
    scope: "oid4ac:payment",
    organization_id: newId("tenant"),
    livemode: false,
    mandate_id: id,
    cnf: { jkt: thumbprint(agentKey) },
  };
  const accessToken = signJws(issuerKey, { typ: "at+jwt" }, claims);
  const present = (): string =>
    makePresentation({
      mandate,
      disclose: "all",
      accessToken,
      merchantNonce: changes.merchantNonce ?? merchantNonce,
      now,
      key: agentKey,
      offerDigest: offerDigest(changes.offer ?? offer),
      audience: origin,
    });
  return () => ({ presentation: present(), accessToken });
}

/** A status list in which entry 1 is revoked and entry 2 suspended. */
export function statusListAt(
  issuedAt: Instant,
  changes: { uri?: string; bits?: StatusBits; bytes?: number } = {},
): string {
  const list = new Uint8Array(changes.bytes ?? bytesForStatuses(1024, 2));
  setStatus(list, 2, { index: 1, value: 1 });
  setStatus(list, 2, { index: 2, value: 2 });
  const unsigned = statusListToken({
    uri: changes.uri ?? `${issuer}/oauth/status-list/1`,
    issuer,
    bits: changes.bits ?? 2,
    compressed: deflateSync(list),
    issuedAt,
    expiresAt: instantOf(issuedAt + 3_600_000),
    ttlS: 60,
  });
  return sign(unsigned, issuerKey);
}

export type Seen = { readonly url: string; readonly init: RequestInit };

/** A fetch that answers by path and remembers what it was asked. */
export function fakeFetch(answers: Readonly<Record<string, (seen: Seen) => Response | Promise<Response>>>): {
  fetch: Fetch;
  seen: Seen[];
} {
  const seen: Seen[] = [];
  return {
    seen,
    fetch: async (url, init) => {
      seen.push({ url, init });
      const answer = answers[new URL(url).pathname];
      return answer === undefined ? new Response("{}", { status: 404 }) : answer({ url, init });
    },
  };
}

export const merchantKeys = { assertion: generateJwk("ES256", "a"), dpop: generateJwk("ES256", "d") };
export const clientId = "cli_1";

/** An authorization server as strict as the real one about who calls: assertion, proofs, nonces that are used once. */
export function fakeIssuer(
  charges: (path: string, body: JsonObject, headers: Headers) => Response,
  at: { readonly now: Instant } = { now },
): {
  fetch: Fetch;
  seen: Seen[];
  tokensIssued: () => number;
} {
  let nonce = 0;
  let tokens = 0;
  const jtis = new Set<string>();
  const proven = ({ url, init }: Seen, accessToken?: string): boolean => {
    const { jti } = verifyDpopProof({
      proof: new Headers(init.headers).get("dpop") ?? "",
      method: init.method ?? "",
      url,
      now: at.now,
      nonce: `nonce-${nonce}`,
      ...(accessToken !== undefined && { accessToken }),
      requiredThumbprint: thumbprint(merchantKeys.dpop),
    });
    if (jtis.has(jti)) return false;
    jtis.add(jti);
    return true;
  };
  const withNonce = (status: number, body: object): Response =>
    Response.json(body, { status, headers: { "dpop-nonce": `nonce-${++nonce}` } });
  const guarded = (work: () => Response, status: number): Response => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Error && error.message === "use_dpop_nonce")) throw error;
      return withNonce(status, { error: "use_dpop_nonce" });
    }
  };
  const token = (seen: Seen): Response =>
    guarded(() => {
      if (!proven(seen)) return withNonce(400, { error: "invalid_dpop_proof" });
      const form = seen.init.body as URLSearchParams;
      const assertion = form.get("client_assertion") ?? "";
      const keys = [publicJwkOf(merchantKeys.assertion)];
      const { jti } = verifyClientAssertion({ assertion, clientId, audiences: [issuer], keys, now: at.now });
      if (jtis.has(jti)) return withNonce(401, { error: "invalid_client" });
      jtis.add(jti);
      if (form.get("scope") !== "charges:write" || form.get("resource") !== issuer)
        return withNonce(400, { error: "invalid_scope" });
      return withNonce(200, { access_token: `token-${++tokens}`, token_type: "DPoP", expires_in: 900 });
    }, 400);
  const charge = (seen: Seen): Response =>
    guarded(() => {
      const headers = new Headers(seen.init.headers);
      const accessToken = headers.get("authorization")?.replace("DPoP ", "") ?? "";
      if (accessToken !== `token-${tokens}`) return withNonce(401, { code: "invalid_token" });
      if (!proven(seen, accessToken)) return withNonce(401, { code: "invalid_dpop_proof" });
      const body = typeof seen.init.body === "string" ? JSON.parse(seen.init.body) : {};
      const { pathname, search } = new URL(seen.url);
      return charges(pathname + search, body, headers);
    }, 401);
  const seen: Seen[] = [];
  return {
    seen,
    tokensIssued: () => tokens,
    fetch: async (url, init) => {
      seen.push({ url, init });
      return url === `${issuer}/oauth/token` ? token({ url, init }) : charge({ url, init });
    },
  };
}
