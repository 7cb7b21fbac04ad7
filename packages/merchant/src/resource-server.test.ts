import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  after,
  type Clock,
  hourMs,
  type Instant,
  instantOf,
  newId,
  secondMs,
  toNumericDate,
} from "@remit/kernel";
import { type JsonObject, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, makeDpopProof, signJws, thumbprint } from "@remit/protocol/node";
import { afterEach, describe, expect, test } from "vitest";
import {
  createReplayMemory,
  createResourceServer,
  type IncomingCall,
  Problem,
  type ResourceNeeds,
  type ResourceServerOptions,
  refusalOf,
} from "./index.ts";

const issuer = "https://issuer.test";
const audience = "https://shop.test";
const url = `${audience}/articles/1`;
const issuerKey = generateJwk("ES256", "k1");
const agentKey = generateJwk("ES256");
const started = instantOf(1_795_300_000_000);

/** The issuer as the shop sees it over HTTP: its keys, and its word on tokens. */
const issuerOf = () => {
  const state = {
    now: started,
    status: 200,
    keys: [publicJwkOf(issuerKey)] as readonly object[],
    maxAge: 300,
    fetches: 0,
    active: true as unknown,
    asked: [] as URLSearchParams[],
  };
  const monotonicNs = (): bigint => BigInt(state.now - started) * 1_000_000n;
  const clock: Clock = { now: () => state.now, monotonicNs };
  const fetch: NonNullable<ResourceServerOptions["fetch"]> = async (target, init) => {
    if (target === `${issuer}/oauth/introspect`) {
      state.asked.push(new URLSearchParams(typeof init.body === "string" ? init.body : ""));
      return Response.json({ active: state.active }, { status: state.status });
    }
    expect(target).toBe(`${issuer}/oauth/jwks.json`);
    state.fetches += 1;
    const headers = { "cache-control": `public, max-age=${state.maxAge}` };
    return Response.json({ keys: state.keys }, { status: state.status, headers });
  };
  return { state, clock, fetch };
};
type Issuer = ReturnType<typeof issuerOf>;

const serverAt = ({ clock, fetch }: Issuer, more: Partial<ResourceServerOptions> = {}) =>
  createResourceServer({ issuer, audience, clock, fetch, ...more });

const tokenOf = (over: JsonObject = {}, key: PrivateJwk = issuerKey, typ = "at+jwt"): string =>
  signJws(
    key,
    { typ },
    {
      iss: issuer,
      sub: "prn_1",
      aud: audience,
      client_id: newId("agent"),
      jti: "t1",
      iat: toNumericDate(started),
      exp: toNumericDate(started) + 300,
      scope: "oid4ac:payment",
      organization_id: newId("tenant"),
      livemode: false,
      cnf: { jkt: thumbprint(agentKey) },
      ...over,
    },
  );

type ProofInput = Partial<Parameters<typeof makeDpopProof>[0]>;
const proofOf = (token: string, over: ProofInput = {}): string =>
  makeDpopProof({ key: agentKey, method: "GET", url, now: started, accessToken: token, ...over });

const callOf = (token: string, proof = proofOf(token)): Request =>
  new Request(url, { headers: { authorization: `DPoP ${token}`, dpop: proof } });

const needs: ResourceNeeds = { scope: "oid4ac:payment" };

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Problem)) throw new Error("it was not refused", { cause: error });
  return error;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe("an API of a merchant's", () => {
  test("knows who calls, from a web-standard request and from one of node:http", async () => {
    const answer = await serverAt(issuerOf()).verify(callOf(tokenOf()), needs);
    expect(answer.claims).toMatchObject({ sub: "prn_1", aud: audience });
    const seen: unknown[] = [];
    const server = serverAt(issuerOf());
    const http = createServer((request, response) => {
      server.verify(request, needs).then(
        ({ claims }) => {
          seen.push(claims.sub);
          response.end("goods");
        },
        (error: unknown) => {
          const { status, headers, body } = refusalOf(
            error instanceof Problem ? error : new Problem("internal_error"),
          );
          response.writeHead(status, headers).end(body);
        },
      );
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    closing.push(() => http.close());
    // A TCP server has an address with a port.
    const at = `http://127.0.0.1:${(http.address() as AddressInfo).port}/articles/1?page=2`;
    const token = tokenOf();
    const headers = { authorization: `DPoP ${token}`, dpop: proofOf(token) };
    expect((await fetch(at, { headers })).status).toBe(200);
    expect(seen).toEqual(["prn_1"]);
    const again = await fetch(at, { headers });
    expect([again.status, again.headers.get("www-authenticate")]).toEqual([
      401,
      'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"',
    ]);
    expect(await again.json()).toMatchObject({ code: "invalid_dpop_proof", status: 401 });
  });

  test("asks who comes without a token for one, naming no error (RFC 6750 §3.1), and says where to learn more", async () => {
    const metadataUrl = `${audience}/.well-known/oauth-protected-resource`;
    const problem = await refusal(serverAt(issuerOf(), { metadataUrl }).verify(new Request(url), needs));
    expect(problem.status).toBe(401);
    expect(problem.headers?.["WWW-Authenticate"]).toBe(
      `DPoP resource_metadata="${metadataUrl}", algs="ES256 EdDSA"`,
    );
  });

  test("C10 takes a proof once, also when fifty come at once", async () => {
    const server = serverAt(issuerOf());
    const call = callOf(tokenOf());
    const work = await Promise.allSettled(Array.from({ length: 50 }, () => server.verify(call, needs)));
    expect(work.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("A03 remembers proofs in a store of the merchant's when it has several processes", async () => {
    const issued = issuerOf();
    const replays = createReplayMemory(issued.clock);
    const [one, two] = [serverAt(issued, { replays }), serverAt(issued, { replays })];
    const call = callOf(tokenOf());
    await one.verify(call, needs);
    expect((await refusal(two.verify(call, needs))).code).toBe("invalid_dpop_proof");
  });

  test("A03 asks for its nonce with 401, takes it, and hands out the next one in time", async () => {
    const issued = issuerOf();
    const server = serverAt(issued, { nonceSecret: new Uint8Array(32).fill(7) });
    const token = tokenOf();
    const problem = await refusal(server.verify(callOf(token), needs));
    expect([problem.status, problem.code]).toEqual([401, "use_dpop_nonce"]);
    const nonce = problem.headers?.["DPoP-Nonce"] ?? "";
    const at = (seconds: number): Request => {
      issued.state.now = after(started, seconds * secondMs);
      return callOf(token, proofOf(token, { nonce, now: issued.state.now }));
    };
    expect((await server.verify(at(0), needs)).headers).toEqual({});
    expect((await server.verify(at(60), needs)).headers["DPoP-Nonce"]).toBeTruthy();
    expect((await refusal(server.verify(at(121), needs))).code).toBe("use_dpop_nonce");
  });

  const token = tokenOf();
  test.each<[string, IncomingCall, string]>([
    ["A03 a bound token as a bearer token", bearer(token), "invalid_token"],
    ["A03 no proof", new Request(url, { headers: { authorization: `DPoP ${token}` } }), "invalid_dpop_proof"],
    [
      "A03 a proof of another key",
      callOf(token, proofOf(token, { key: generateJwk("ES256") })),
      "invalid_dpop_proof",
    ],
    ["A03 a proof for another token", callOf(token, proofOf(tokenOf({ jti: "t2" }))), "invalid_dpop_proof"],
    [
      "A03 a proof for another method",
      callOf(token, proofOf(token, { method: "POST" })),
      "invalid_dpop_proof",
    ],
    [
      "A03 a proof for another address",
      callOf(token, proofOf(token, { url: `${audience}/x` })),
      "invalid_dpop_proof",
    ],
    [
      "A03 an old proof",
      callOf(token, proofOf(token, { now: instantOf(started - 61_000) })),
      "invalid_dpop_proof",
    ],
    ["A02 an ID token", callOf(tokenOf({}, issuerKey, "JWT")), "invalid_token"],
    ["A02 a mandate", callOf(tokenOf({}, issuerKey, "dc+sd-jwt")), "invalid_token"],
    ["A01 a token of another's key", callOf(tokenOf({}, generateJwk("ES256", "k1"))), "invalid_token"],
    ["a token for another shop", callOf(tokenOf({ aud: "https://other.test" })), "aud_mismatch"],
    ["a token without the scope", callOf(tokenOf({ scope: "openid" })), "insufficient_scope"],
    [
      "V05 two tokens in one header",
      new Request(url, {
        headers: [
          ["authorization", `DPoP ${token}`],
          ["authorization", `DPoP ${token}`],
        ],
      }),
      "invalid_token",
    ],
    [
      "V05 two headers at node:http",
      { method: "GET", url: "/articles/1", headers: {}, headersDistinct: { authorization: ["a", "b"] } },
      "invalid_request",
    ],
  ])("%s is refused", async (_what, call, code) => {
    expect((await refusal(serverAt(issuerOf()).verify(call, needs))).code).toBe(code);
  });

  test("A03 the host that a request names does not matter: the proof must name our own", async () => {
    const evil = "https://evil.test/articles/1";
    const headers = { authorization: `DPoP ${token}`, dpop: proofOf(token, { url: evil }) };
    const problem = await refusal(serverAt(issuerOf()).verify(new Request(evil, { headers }), needs));
    expect(problem.code).toBe("invalid_dpop_proof");
  });

  test("A16 a sign-in that is too weak is asked for again (RFC 9470)", async () => {
    const stepUp = { acrValues: ["urn:remit:aal2"], maxAgeS: 300 };
    const problem = await refusal(
      serverAt(issuerOf()).verify(callOf(tokenOf({ acr: "urn:remit:aal1" })), { ...needs, stepUp }),
    );
    expect([problem.status, problem.code]).toEqual([401, "insufficient_user_authentication"]);
    expect(problem.headers?.["WWW-Authenticate"]).toContain('acr_values="urn:remit:aal2", max_age="300"');
  });
});

function bearer(token: string): Request {
  return new Request(url, { headers: { authorization: `Bearer ${token}`, dpop: proofOf(token) } });
}

describe("A11 asking the issuer", () => {
  const introspection = { clientId: newId("client"), key: generateJwk("ES256") };
  const asking: ResourceNeeds = { ...needs, introspect: true };

  test("A11 a token that was revoked a moment ago is refused, and only when that is asked for", async () => {
    const issued = issuerOf();
    const server = serverAt(issued, { introspection });
    const token = tokenOf();
    await server.verify(callOf(token), asking);
    expect(issued.state.asked[0]?.get("token")).toBe(token);
    expect(issued.state.asked[0]?.get("client_id")).toBe(introspection.clientId);
    issued.state.active = false;
    expect((await refusal(server.verify(callOf(token), asking))).code).toBe("token_revoked");
    await server.verify(callOf(token), needs);
    expect(issued.state.asked).toHaveLength(2);
  });

  test("A11 without an answer nobody is let in, and what is nonsense is no answer", async () => {
    const issued = issuerOf();
    const server = serverAt(issued, { introspection });
    await server.verify(callOf(tokenOf()), asking);
    issued.state.status = 500;
    const problem = await refusal(server.verify(callOf(tokenOf()), asking));
    expect([problem.status, problem.headers?.["Retry-After"]]).toEqual([503, "1"]);
    issued.state.status = 200;
    issued.state.active = "true";
    expect((await refusal(server.verify(callOf(tokenOf()), asking))).code).toBe("token_revoked");
  });
});

describe("keys of the issuer", () => {
  const later = (issued: Issuer, ms: number): Instant => (issued.state.now = after(issued.state.now, ms));
  const verify = (issued: Issuer, server: ReturnType<typeof serverAt>, key = issuerKey) => {
    const iat = toNumericDate(issued.state.now);
    const token = tokenOf({ iat, exp: iat + 300 }, key);
    return server.verify(callOf(token, proofOf(token, { now: issued.state.now })), needs);
  };

  test("K04 however many unknown kids come, there is one fetch in 30 s", async () => {
    const issued = issuerOf();
    const server = serverAt(issued);
    await verify(issued, server);
    later(issued, 30 * secondMs);
    const flood = Array.from({ length: 100 }, (_, n) =>
      refusal(verify(issued, server, generateJwk("ES256", `kid-${n}`))),
    );
    for (const problem of await Promise.all(flood)) expect(problem.code).toBe("invalid_token");
    await verify(issued, server);
    expect(issued.state.fetches).toBe(2);
  });

  test("a key published since is found, and a cached set serves for its max-age", async () => {
    const issued = issuerOf();
    const server = serverAt(issued);
    for (let n = 0; n < 10; n++) await verify(issued, server);
    expect(issued.state.fetches).toBe(1);
    const next = generateJwk("ES256", "k2");
    issued.state.keys = [publicJwkOf(issuerKey), publicJwkOf(next)];
    later(issued, 30 * secondMs);
    await verify(issued, server, next);
    expect(issued.state.fetches).toBe(2);
    later(issued, 300 * secondMs);
    await verify(issued, server);
    expect(issued.state.fetches).toBe(3);
  });

  test.each<[string, (state: Issuer["state"]) => void]>([
    ["fails", (state) => (state.status = 500)],
    ["lists no key", (state) => (state.keys = [])],
    ["publishes a private key", (state) => (state.keys = [{ ...issuerKey }])],
    ["publishes a symmetric key", (state) => (state.keys = [{ kty: "oct", k: "AAAA" }])],
  ])(
    "K05 a host that %s is trusted for what it said last, for an hour and no longer",
    async (_what, spoil) => {
      const issued = issuerOf();
      const server = serverAt(issued);
      await verify(issued, server);
      spoil(issued.state);
      later(issued, 59 * 60 * secondMs);
      await verify(issued, server);
      later(issued, hourMs);
      const problem = await refusal(verify(issued, server));
      expect([problem.code, problem.status]).toEqual(["unavailable", 503]);
    },
  );
});

test("K08 a proof that was used is remembered though the clock went ahead and back again", () => {
  const state = { now: started, ranMs: 0 };
  const store = createReplayMemory({
    now: () => state.now,
    monotonicNs: () => BigInt(state.ranMs) * 1_000_000n,
  });
  const until = after(started, 120 * secondMs);
  expect(store.claim("used", until)).toBe(true);
  [state.now, state.ranMs] = [after(started, hourMs), 2 * secondMs];
  expect(store.claim("another", after(state.now, secondMs))).toBe(true);
  state.now = after(started, 2 * secondMs);
  expect(store.claim("used", until)).toBe(false);
  [state.now, state.ranMs] = [until, 120 * secondMs];
  expect(store.claim("used", after(until, secondMs))).toBe(true);
});

test("A03 a full memory of proofs refuses, and forgets only what has expired", () => {
  const state = { now: started };
  const store = createReplayMemory({
    now: () => state.now,
    monotonicNs: () => BigInt(state.now) * 1_000_000n,
  });
  const until = after(started, 120 * secondMs);
  for (let n = 0; n < 200_000; n++) void store.claim(`k${n}`, until);
  expect(() => store.claim("one more", until)).toThrow(Problem);
  expect(store.claim("k7", until)).toBe(false);
  state.now = until;
  expect(store.claim("one more", after(until, secondMs))).toBe(true);
  expect(store.claim("k7", after(until, secondMs))).toBe(true);
});
