import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, newId, systemClock, toNumericDate } from "@remit/kernel";
import { Problem, publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws, verifyClientAssertion, verifyDpopProof } from "@remit/protocol/node";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { createHttp, type Http, nothing, type PageCall, resourceServer, route } from "../http/index.ts";
import { createOutbound, type Outbound } from "../outbound/index.ts";
import { createLog, createMetrics } from "../telemetry/index.ts";
import { createPeer, loadPeerKeys, type PeerOptions } from "./index.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const log = createLog({ service: "test", level: "silent" });
const clock = systemClock;
const assertionKey = generateJwk("ES256");
const dpopKey = generateJwk("ES256");

const httpOf = (options: Partial<Parameters<typeof createHttp>[0]> = {}): Http => {
  const http = createHttp({
    service: "test",
    origin: "http://127.0.0.1",
    host: "127.0.0.1",
    port: 0,
    log,
    metrics: createMetrics("test"),
    clock,
    ...options,
  });
  closing.push(() => http.close());
  return http;
};

const formOf = async ({ raw: { req } }: PageCall): Promise<URLSearchParams> => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer); // a request without encoding yields Buffers
  return new URLSearchParams(Buffer.concat(chunks).toString());
};

/** An authorization server of one endpoint: it checks what a client must send, and wants a nonce like a strict one. */
const issuerOf = async (over: { status?: number; expiresIn?: number } = {}) => {
  const seen = { requests: 0, assertions: new Set<string>() };
  const state = { key: generateJwk("ES256") };
  const http = httpOf();
  let origin = "";
  http.mount({
    paths: ["/oauth/token"],
    handle: async (call) => {
      const { res } = call.raw;
      const form = await formOf(call);
      seen.requests += 1;
      const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
        void res
          .writeHead(status, { "content-type": "application/json", ...headers })
          .end(JSON.stringify(body));
      if (over.status !== undefined) return json(over.status, { error: "server_error" });
      const { jti } = verifyClientAssertion({
        assertion: form.get("client_assertion") ?? "",
        clientId: "gateway",
        audiences: [origin],
        keys: [publicJwkOf(assertionKey)],
        now: call.now,
      });
      if (seen.assertions.has(jti)) return json(401, { error: "invalid_client" });
      seen.assertions.add(jti);
      const proof = verifyDpopProof({
        proof: call.header("dpop") ?? "",
        method: "POST",
        url: `${origin}/oauth/token`,
        now: call.now,
      });
      if (proof.nonce !== "n1") return json(400, { error: "use_dpop_nonce" }, { "dpop-nonce": "n1" });
      const iat = toNumericDate(call.now);
      const claims = {
        iss: origin,
        sub: "gateway",
        client_id: "gateway",
        aud: form.get("resource"),
        scope: form.get("scope"),
        jti: newId("key"),
        iat,
        exp: iat + 300,
        organization_id: newId("tenant"),
        livemode: false,
        cnf: { jkt: proof.thumbprint },
      };
      const token = signJws(state.key, { typ: "at+jwt" }, claims);
      json(200, { access_token: token, token_type: "DPoP", expires_in: over.expiresIn ?? 300 });
    },
  });
  origin = await http.listen();
  return { origin, seen, state };
};

type Issuer = Awaited<ReturnType<typeof issuerOf>>;

/** A service that wants a bound token, a nonce, and nothing twice. */
const serviceOf = async (issuer: Issuer) => {
  const claimed = new Set<string>();
  // The origin is known only once the port is: the first server just finds a free one.
  const probe = createHttp({
    service: "p",
    origin: "",
    host: "127.0.0.1",
    port: 0,
    log,
    metrics: createMetrics("p"),
    clock,
  });
  const origin = await probe.listen();
  await probe.close();
  const http = httpOf({
    origin,
    port: Number(new URL(origin).port),
    authenticate: resourceServer({
      issuer: issuer.origin,
      audience: origin,
      keys: () => Promise.resolve([publicJwkOf(issuer.state.key)]),
      claim: (key) => Promise.resolve(!claimed.has(key) && claimed.add(key).size > 0),
      nonceSecret: new Uint8Array(32).fill(3),
      clock,
    }),
  });
  http.add(
    route({
      method: "POST",
      path: "/api/v1/payments",
      summary: "Pays.",
      needs: { scope: "payments:execute" },
      idempotency: "required",
      body: z.strictObject({ n: z.int() }),
      answers: { 201: z.object({ n: z.int(), client: z.string(), key: z.string() }) },
      handle: ({ caller, idempotencyKey }, { body }) => ({
        status: 201,
        body: { n: body.n, client: caller.client, key: idempotencyKey },
      }),
    }),
    route({
      method: "GET",
      path: "/api/v1/refuses",
      summary: "Refuses.",
      needs: { scope: "payments:execute" },
      answers: { 204: nothing },
      handle: (_call, _input) => Promise.reject(new Problem("charge_state_conflict")),
    }),
  );
  await http.listen();
  return origin;
};

const peerOf = (issuer: Issuer, others: readonly string[], over: Partial<PeerOptions> = {}) => {
  const allow = [issuer.origin, ...others].map((origin) => new URL(origin).host);
  const outbound: Outbound = createOutbound({ allow });
  closing.push(() => outbound.close());
  return createPeer({
    issuer: issuer.origin,
    clientId: "gateway",
    assertionKey,
    dpopKey,
    outbound,
    clock,
    ...over,
  });
};

const payment = (origin: string) =>
  ({
    origin,
    method: "POST",
    path: "/api/v1/payments",
    scope: "payments:execute",
    body: { n: 7 },
    idempotencyKey: "chg_1",
  }) as const;

test("a service calls its peer with key, token and proof, and learns the nonces on the way", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  const answer = await peerOf(issuer, [origin]).call(payment(origin));
  expect(answer).toMatchObject({ status: 201, body: { n: 7, client: "gateway", key: "chg_1" } });
});

test("many calls at once share one token, and no proof or assertion is used twice", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  const peer = peerOf(issuer, [origin]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => peer.call(payment(origin))));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  expect(issuer.seen.requests).toBe(2);
});

test("a refusal of the peer is an answer, with its problem", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  const request = { origin, method: "GET", path: "/api/v1/refuses", scope: "payments:execute" } as const;
  expect(await peerOf(issuer, [origin]).call(request)).toMatchObject({
    status: 409,
    body: { code: "charge_state_conflict" },
  });
});

test("a token that the peer no longer accepts is replaced once", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  const peer = peerOf(issuer, [origin]);
  await peer.call(payment(origin));
  issuer.state.key = generateJwk("ES256");
  expect((await peer.call(payment(origin))).status).toBe(201);
});

test("a token for the wrong scope stays refused, without endless attempts", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  const answer = await peerOf(issuer, [origin]).call({ ...payment(origin), scope: "events:write" });
  expect(answer).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
  expect(issuer.seen.requests).toBe(2);
});

test.each([{ status: 500 }, { expiresIn: 5 }])(
  "an issuer that gives no usable token (%o) is unavailable, and nothing is sent",
  async (over) => {
    const issuer = await issuerOf(over);
    await expect(peerOf(issuer, []).call(payment("http://127.0.0.1:9"))).rejects.toMatchObject({
      code: "unavailable",
    });
  },
);

test("a service that mints its own tokens asks nobody, and a failure to mint is forgotten", async () => {
  const issuer = await issuerOf();
  const origin = await serviceOf(issuer);
  let failures = 1;
  const mint: PeerOptions["mint"] = ({ audience, scope, thumbprint: jkt }) => {
    if (failures-- > 0) return Promise.reject(new Problem("unavailable"));
    const iat = toNumericDate(clock.now());
    const claims = {
      iss: issuer.origin,
      sub: "gateway",
      client_id: "gateway",
      aud: audience,
      scope,
      jti: "1",
      iat,
      exp: iat + 300,
      organization_id: newId("tenant"),
      livemode: false,
      cnf: { jkt },
    };
    const token = signJws(issuer.state.key, { typ: "at+jwt" }, claims);
    return Promise.resolve({ token, expiresAt: after(clock.now(), 300_000) });
  };
  const peer = peerOf(issuer, [origin], { mint });
  await expect(peer.call(payment(origin))).rejects.toMatchObject({ code: "unavailable" });
  expect((await peer.call(payment(origin))).status).toBe(201);
  expect(issuer.seen.requests).toBe(0);
});

test("no answer is no outcome: outbound_failed", async () => {
  const issuer = await issuerOf();
  const gone = httpOf();
  const origin = await gone.listen();
  await gone.close();
  await expect(peerOf(issuer, [origin]).call(payment(origin))).rejects.toMatchObject({
    code: "outbound_failed",
  });
});

test("a service's own keys are made once, for its owner alone, and only the assertion key is published", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-peer-"));
  closing.push(() => rm(folder, { recursive: true }));
  const [one, two] = await Promise.all([loadPeerKeys(folder), loadPeerKeys(folder)]);
  expect(one).toEqual(two);
  expect((await stat(join(folder, "peer-keys.json"))).mode & 0o777).toBe(0o600);
  expect(one.jwks.keys).toEqual([{ ...publicJwkOf(one.assertion), use: "sig" }]);
  expect(await readFile(join(folder, "peer-keys.json"), "utf8")).toContain('"d"');
});
