import { createHmac } from "node:crypto";
import { after, type Clock, type Instant, instantOf, newId, secondMs, toNumericDate } from "@remit/kernel";
import { type JsonObject, Problem, type PublicJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, makeDpopProof, signJws, thumbprint } from "@remit/protocol/node";
import { expect, test } from "vitest";
import type { KeyMismatch } from "../misuse/index.ts";
import type { Credentials } from "./authenticate.ts";
import { type ResourceServerOptions, resourceServer } from "./resource-server.ts";
import type { TokenNeeds } from "./route.ts";

const issuer = "https://issuer.test";
const audience = "https://billing.test";
const url = `${audience}/api/v1/payments`;
const issuerKey = generateJwk("ES256");
const clientKey = generateJwk("ES256");
const tenant = newId("tenant");
const now = instantOf(1_795_300_000_000);
const clockAt = (at: Instant): Clock => ({ now: () => at, monotonicNs: () => 0n });

const claimsOf = (over: JsonObject = {}): JsonObject => ({
  iss: issuer,
  sub: "billing",
  aud: audience,
  client_id: "billing",
  jti: "t1",
  iat: toNumericDate(now),
  exp: toNumericDate(now) + 300,
  scope: "payments:execute",
  organization_id: tenant,
  livemode: false,
  cnf: { jkt: thumbprint(clientKey) },
  ...over,
});

const tokenOf = (over?: JsonObject): string => signJws(issuerKey, { typ: "at+jwt" }, claimsOf(over));

const server = (over: Partial<ResourceServerOptions> = {}) => {
  const claimed = new Set<string>();
  return resourceServer({
    issuer,
    audience,
    keys: () => Promise.resolve<PublicJwk[]>([publicJwkOf(issuerKey)]),
    claim: (key) => Promise.resolve(!claimed.has(key) && claimed.add(key).size > 0),
    clock: clockAt(now),
    ...over,
  });
};

type ProofInput = Partial<Parameters<typeof makeDpopProof>[0]>;
const proofFor = (token: string, over: ProofInput = {}): string =>
  makeDpopProof({ key: clientKey, method: "POST", url, now, accessToken: token, ...over });

const credentials = (token: string, over: Partial<Credentials> = {}): Credentials => ({
  method: "POST",
  url,
  now,
  authorization: `DPoP ${token}`,
  dpop: proofFor(token),
  ...over,
});

const needs: TokenNeeds = { scope: "payments:execute" };

/** The Problem that it ends with. */
const refusal = async (work: Promise<unknown>): Promise<Problem> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Problem)) throw new Error("it was not refused", { cause: error });
  return error;
};

test("a bound token with its proof tells who calls", async () => {
  const { caller } = await server()(credentials(tokenOf()), needs);
  expect(caller).toMatchObject({
    tenant,
    client: "billing",
    actor: { type: "service", id: "billing" },
    thumbprint: thumbprint(clientKey),
  });
});

test("A03 a bound token is refused as a bearer token, also with a proof beside it", async () => {
  const token = tokenOf();
  const problem = await refusal(
    server()(credentials(token, { authorization: `Bearer ${token}` }), { ...needs, bearer: true }),
  );
  expect([problem.status, problem.code]).toEqual([401, "invalid_token"]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('DPoP error="invalid_token"');
});

const other = generateJwk("ES256");
test.each<[string, (token: string) => Partial<Credentials>]>([
  ["no proof", () => ({ dpop: undefined })],
  [
    "no ath",
    (token) => ({
      dpop: makeDpopProof({ key: clientKey, method: "POST", url, now }),
      authorization: `DPoP ${token}`,
    }),
  ],
  ["the ath of another token", () => ({ dpop: proofFor(tokenOf({ jti: "t2" })) })],
  ["another method", (token) => ({ dpop: proofFor(token, { method: "GET" }) })],
  ["another path", (token) => ({ dpop: proofFor(token, { url: `${audience}/api/v1/payments/1/refund` }) })],
  ["another host", (token) => ({ dpop: proofFor(token, { url: "https://evil.test/api/v1/payments" }) })],
  ["a key that is not the token's", (token) => ({ dpop: proofFor(token, { key: other }) })],
  ["an iat 61 s ago", (token) => ({ dpop: proofFor(token, { now: instantOf(now - 61 * secondMs) }) })],
  ["an iat 61 s ahead", (token) => ({ dpop: proofFor(token, { now: after(now, 61 * secondMs) }) })],
  ["a text that is no JWS", () => ({ dpop: "a.b.c" })],
  ["a client assertion", () => ({ dpop: signJws(clientKey, { typ: "JWT" }, { jti: "1" }) })],
])("A03 a proof with %s is refused", async (_what, over) => {
  const token = tokenOf();
  const problem = await refusal(server()(credentials(token, over(token)), needs));
  expect([problem.status, problem.code]).toEqual([401, "invalid_dpop_proof"]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('error="invalid_dpop_proof"');
});

test("A03 a proof serves once", async () => {
  const authenticate = server();
  const token = tokenOf();
  const once = credentials(token);
  await authenticate(once, needs);
  expect((await refusal(authenticate(once, needs))).code).toBe("invalid_dpop_proof");
});

test("A03 a proof that is refused for another reason is not used up", async () => {
  const authenticate = server();
  const once = credentials(tokenOf());
  expect((await refusal(authenticate(once, { scope: "audit:read" }))).code).toBe("insufficient_scope");
  await authenticate(once, needs);
});

test("A03 without the server's nonce the answer is 401 use_dpop_nonce with a nonce that then works", async () => {
  const authenticate = server({ nonceSecret: new Uint8Array(32).fill(7) });
  const token = tokenOf();
  const problem = await refusal(authenticate(credentials(token), needs));
  expect([problem.status, problem.code]).toEqual([401, "use_dpop_nonce"]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('error="use_dpop_nonce"');
  const nonce = problem.headers?.["DPoP-Nonce"] ?? "";
  await authenticate(credentials(token, { dpop: proofFor(token, { nonce }) }), needs);
});

test("A03 a nonce is refused after 120 s, and before that its successor comes with the answer", async () => {
  const nonceSecret = new Uint8Array(32).fill(7);
  const authenticate = server({ nonceSecret });
  const token = tokenOf();
  const nonce = (await refusal(authenticate(credentials(token), needs))).headers?.["DPoP-Nonce"] ?? "";
  const at = (later: number) => {
    const then = after(now, later * secondMs);
    return credentials(token, { now: then, dpop: proofFor(token, { nonce, now: then }) });
  };
  const aged = await authenticate(at(60), needs);
  expect(aged.headers?.["DPoP-Nonce"]).not.toBe(nonce);
  expect((await refusal(authenticate(at(121), needs))).code).toBe("use_dpop_nonce");
});

test("A03 a nonce of another server, or a made-up one, is refused", async () => {
  const authenticate = server({ nonceSecret: new Uint8Array(32).fill(7) });
  const stranger = server({ nonceSecret: new Uint8Array(32).fill(8) });
  const token = tokenOf();
  const foreign = (await refusal(stranger(credentials(token), needs))).headers?.["DPoP-Nonce"] ?? "";
  for (const nonce of [foreign, "", "AAAA", `${foreign}A`, "not base64url !"]) {
    const problem = await refusal(
      authenticate(credentials(token, { dpop: proofFor(token, { nonce }) }), needs),
    );
    expect(["use_dpop_nonce", "invalid_dpop_proof"]).toContain(problem.code);
  }
});

const unsigned = (header: JsonObject): string =>
  `${[header, claimsOf()].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;

const hmacSigned = (): string => {
  const input = [{ alg: "HS256", typ: "at+jwt" }, claimsOf()]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  // The public key as an HMAC secret: what a library that trusts `alg` would verify.
  const mac = createHmac("sha256", JSON.stringify(publicJwkOf(issuerKey)))
    .update(input)
    .digest("base64url");
  return `${input}.${mac}`;
};

test.each<[string, string]>([
  ["alg none", unsigned({ alg: "none", typ: "at+jwt" })],
  ["HS256 with the public key", hmacSigned()],
  ["an unknown crit", signJws(issuerKey, { typ: "at+jwt", crit: ["x"], x: 1 }, claimsOf())],
  ["a jwk header", signJws(other, { typ: "at+jwt", jwk: { ...publicJwkOf(other) } }, claimsOf())],
  ["a jku header", signJws(issuerKey, { typ: "at+jwt", jku: "https://evil.test/jwks" }, claimsOf())],
  ["an x5u header", signJws(issuerKey, { typ: "at+jwt", x5u: "https://evil.test/x" }, claimsOf())],
  ["a kid that is a path", signJws(issuerKey, { typ: "at+jwt", kid: "../../etc/passwd" }, claimsOf())],
  ["a kid that is SQL", signJws(issuerKey, { typ: "at+jwt", kid: "' or 1=1 --" }, claimsOf())],
  ["another's signature", signJws({ ...other, kid: issuerKey.kid ?? "" }, { typ: "at+jwt" }, claimsOf())],
])("A01 a token with %s is refused", async (_what, token) => {
  const problem = await refusal(server()(credentials(token), needs));
  expect([problem.status, problem.code]).toEqual([401, "invalid_token"]);
});

test.each(["JWT", "logout+jwt", "dc+sd-jwt", "remit-receipt+jwt"])(
  "A02 a %s is no access token",
  async (typ) => {
    const problem = await refusal(server()(credentials(signJws(issuerKey, { typ }, claimsOf())), needs));
    expect(problem.code).toBe("invalid_token");
  },
);

test.each<[string, JsonObject, string]>([
  ["of another issuer", { iss: "https://evil.test" }, "invalid_token"],
  ["for another audience", { aud: "https://directory.test" }, "aud_mismatch"],
  ["for an audience with a slash", { aud: `${audience}/` }, "aud_mismatch"],
  ["for two audiences", { aud: [audience] }, "aud_mismatch"],
  ["that has expired", { exp: toNumericDate(now) - 61 }, "invalid_token"],
  ["without a tenant", { organization_id: "acme" }, "invalid_token"],
  ["with a confirmation we cannot check", { cnf: { "x5t#S256": "abc" } }, "invalid_token"],
])("a token %s is refused", async (_what, claims, code) => {
  const problem = await refusal(server()(credentials(tokenOf(claims)), needs));
  expect([problem.status, problem.code]).toEqual([401, code]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('error="invalid_token"');
});

test("A11 a token that the database no longer knows is refused, whatever else is cached", async () => {
  const problem = await refusal(
    server({ isRevoked: () => Promise.resolve(true) })(credentials(tokenOf()), needs),
  );
  expect([problem.status, problem.code]).toEqual([401, "token_revoked"]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('error="invalid_token"');
});

test("a missing scope is 403 and names what is needed; one of several is enough", async () => {
  const problem = await refusal(server()(credentials(tokenOf()), { scope: ["audit:read", "agents:read"] }));
  expect([problem.status, problem.code]).toEqual([403, "insufficient_scope"]);
  expect(problem.headers?.["WWW-Authenticate"]).toContain('scope="audit:read agents:read"');
  await server()(credentials(tokenOf()), { scope: ["audit:read", "payments:execute"] });
});

const bearerToken = (over: JsonObject = {}): string =>
  tokenOf({ cnf: undefined, scope: "audit:read", ...over });

test("a plain bearer token passes only where the route says so", async () => {
  const plain = { authorization: `Bearer ${bearerToken()}`, dpop: undefined };
  await server()(credentials("", plain), { scope: "audit:read", bearer: true });
  expect((await refusal(server()(credentials("", plain), { scope: "audit:read" }))).code).toBe(
    "invalid_token",
  );
});

test.each<[string, JsonObject]>([
  ["carries a scope that moves money", { scope: "audit:read payments:execute" }],
  ["lives longer than 900 s", { exp: toNumericDate(now) + 901 }],
])("a plain bearer token that %s is refused everywhere", async (_what, claims) => {
  const plain = { authorization: `Bearer ${bearerToken(claims)}`, dpop: undefined };
  const problem = await refusal(server()(credentials("", plain), { scope: "audit:read", bearer: true }));
  expect(problem.code).toBe("invalid_token");
});

test("an unbound token is refused under the DPoP scheme", async () => {
  const token = bearerToken();
  expect((await refusal(server()(credentials(token), { scope: "audit:read", bearer: true }))).code).toBe(
    "invalid_token",
  );
});

test.each([undefined, "", "Basic YTpi", "DPoP", "DPoP a b", "Bearer a,b"])(
  "the credentials %s are none",
  async (authorization) => {
    const problem = await refusal(server()(credentials("x", { authorization }), needs));
    expect([problem.status, problem.code]).toEqual([401, "invalid_token"]);
  },
);

test("RFC 9470: a sign-in that is too weak or too old is asked for again, with what would do", async () => {
  const stepUp = { acrValues: ["urn:remit:aal2"], maxAgeS: 300 };
  const wanted: TokenNeeds = { ...needs, stepUp };
  const signedIn = toNumericDate(now) - 301;
  for (const claims of [
    {},
    { acr: "urn:remit:aal1", auth_time: signedIn + 300 },
    { acr: "urn:remit:aal2", auth_time: signedIn },
  ]) {
    const problem = await refusal(server()(credentials(tokenOf(claims)), wanted));
    expect([problem.status, problem.code]).toEqual([401, "insufficient_user_authentication"]);
    expect(problem.headers?.["WWW-Authenticate"]).toContain('acr_values="urn:remit:aal2", max_age="300"');
  }
  await server()(credentials(tokenOf({ acr: "urn:remit:aal2", auth_time: signedIn + 1 })), wanted);
});

test("keys that cannot be read are our trouble, not the caller's", async () => {
  const keys = () => Promise.reject(new Problem("unavailable"));
  expect((await refusal(server({ keys })(credentials(tokenOf()), needs))).code).toBe("unavailable");
});

const noticedOf = async (token: string, over: Partial<Credentials>): Promise<KeyMismatch[]> => {
  const noticed: KeyMismatch[] = [];
  const misuses = { keyMismatch: async (seen: KeyMismatch) => void noticed.push(seen) };
  const nonceSecret = new Uint8Array(32);
  await refusal(server({ misuses, nonceSecret })(credentials(token, over), { ...needs, bearer: true }));
  return noticed;
};

test("G09 a token with the proof of another key, or with none, is refused and noticed", async () => {
  const token = tokenOf();
  const of = { client: "billing", tenant, what: "access_token", bound: thumbprint(clientKey), now };
  expect(await noticedOf(token, { dpop: proofFor(token, { key: other }) })).toEqual([
    { ...of, presented: thumbprint(other) },
  ]);
  expect(await noticedOf(token, { authorization: `Bearer ${token}`, dpop: undefined })).toEqual([
    { ...of, presented: undefined },
  ]);
});

const forged = signJws(other, { typ: "at+jwt" }, claimsOf());
const expired = tokenOf({ iat: toNumericDate(now) - 600, exp: toNumericDate(now) - 300 });
test.each<[string, string, Partial<Credentials>]>([
  ["its owner who has no nonce yet", tokenOf(), {}],
  ["its owner with a proof for another address", tokenOf(), { dpop: proofFor(tokenOf(), { url: issuer }) }],
  ["a token that we did not sign", forged, { dpop: proofFor(forged, { key: other }) }],
  ["a token that has expired", expired, { dpop: proofFor(expired, { key: other }) }],
  ["the proof of another token", tokenOf(), { dpop: proofFor(tokenOf({ jti: "t2" }), { key: other }) }],
])("G09 %s is refused, and nothing is said of keys", async (_who, token, over) => {
  expect(await noticedOf(token, over)).toEqual([]);
});
