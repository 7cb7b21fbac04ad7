import { createServer, type Server } from "node:http";
import { systemClock } from "@remit/kernel";
import { checkOf, parseJwks, parseJws, publicJwkOf } from "@remit/protocol";
import { TokenFacts } from "@remit/protocol/contracts";
import { generateJwk, holds, signJws } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, adminToken, callAsAdmin, newClient, OAuthClient, read } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { adminSecret, newKeys, type Running, startServer } from "./running.ts";

const peerKeys = newKeys();
/** A service of ours and the directory at one address. */
let neighbour: { server: Server; origin: string; merchant: object | undefined };
let running: Running;
let agent: OAuthClient;
let stranger: OAuthClient;

beforeAll(async () => {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    const listed = neighbour.merchant === undefined ? [] : [neighbour.merchant];
    const isJwks = request.url === "/.well-known/jwks.json";
    const body = isJwks ? { keys: [publicJwkOf(peerKeys.assertion)] } : { data: listed, next_cursor: null };
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  neighbour = { server, origin: `http://localhost:${port}`, merchant: undefined };
  const { origin } = neighbour;
  running = await startServer({
    billing: origin,
    directory: origin,
    peers: { billing: origin },
    outboundAllow: [`localhost:${port}`],
  });
  agent = await newClient(running, "agent");
  stranger = await newClient(running, "agent");
});
afterAll(async () => {
  await running.close();
  neighbour.server.close();
});
beforeEach(() => {
  neighbour.merchant = undefined;
});

const ask = (client: OAuthClient, token: string, path = "/oauth/introspect"): Promise<Answer> =>
  client.post(path, { token });

async function tokenOf(client: OAuthClient, form: Record<string, string> = {}): Promise<string> {
  const { body } = await client.credentials({ resource: running.issuer, ...form });
  return String(body["access_token"]);
}

async function askAsAdmin(
  token: string,
  { secret = adminSecret, path = "/oauth/introspect", id = running.adminId } = {},
): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  const body = new URLSearchParams({ token });
  return read(await fetch(running.issuer + path, { method: "POST", headers: { authorization }, body }));
}

const refused = { status: 200, body: { active: false } };
/** Exactly that, whatever the reason. */
const expectRefused = (answer: Answer): void => {
  expect({ status: answer.status, body: answer.body }).toEqual(refused);
  expect(answer.headers.get("cache-control")).toBe("no-store");
};

describe("an access token is described to whoever has business with it", () => {
  test("its own client, by assertion, gets every member that the token has", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    const { status, body } = await ask(agent, String(tokens.body["access_token"]));
    expect(status).toBe(200);
    expect(TokenFacts.safeParse(body).error).toBeUndefined();
    expect(body).toMatchObject({
      active: true,
      iss: running.issuer,
      aud: running.issuer,
      client_id: agent.id,
      agent_client_id: agent.id,
      organization_id: running.tenant,
      mandate_id: tokens.body["mandate_id"],
      scope: "oid4ac:payment",
      token_type: "DPoP",
      act: { sub: agent.id },
      livemode: false,
    });
    expect(body["sub"]).toMatch(/^prn_/);
    expect(Object.keys(Object(body["cnf"]))).toEqual(["jkt"]);
    for (const name of ["exp", "iat"]) expect(Number.isInteger(body[name])).toBe(true);
    expect(body).not.toHaveProperty("grant_id");
  });

  test("its own client, by an access token of its own with a proof, under both names", async () => {
    const token = await tokenOf(agent);
    for (const path of ["/oauth/introspect", "/api/v1/token/introspect"]) {
      const call = { token, key: agent.keys.dpop, method: "POST", path, form: { token } } as const;
      const answer = await callApi(running, call);
      expect(answer).toMatchObject({ status: 200, body: { active: true, client_id: agent.id } });
      expect((await ask(agent, token, path)).body["active"]).toBe(true);
    }
  });

  test("the operator of its tenant, by secret or by a token with tokens:read", async () => {
    const token = await tokenOf(agent, { resource: "https://shop.example" });
    expect((await askAsAdmin(token)).body).toMatchObject({ active: true, aud: "https://shop.example" });
    const own = await adminToken(running, { scope: "tokens:read" });
    const asked = async (bearer: unknown) =>
      read(
        await fetch(`${running.issuer}/api/v1/token/introspect`, {
          method: "POST",
          headers: { authorization: `Bearer ${String(bearer)}` },
          body: new URLSearchParams({ token }),
        }),
      );
    expect((await asked(own.body["access_token"])).body["active"]).toBe(true);
    const unable = await adminToken(running, { scope: "agents:read" });
    expectRefused(await asked(unable.body["access_token"]));
  });

  test("a service of ours for tokens to its own origin, and to no other", async () => {
    const peer = new OAuthClient(running, "billing", peerKeys);
    const [mine, another] = [
      await tokenOf(agent, { resource: neighbour.origin }),
      await tokenOf(agent, { resource: "https://shop.example" }),
    ];
    expect((await ask(peer, mine)).body).toMatchObject({ active: true, aud: neighbour.origin });
    expectRefused(await ask(peer, another));
    const own = await tokenOf(peer, { scope: "tokens:read" });
    const call = { token: own, key: peerKeys.dpop, method: "POST", path: "/oauth/introspect" } as const;
    expect((await callApi(running, { ...call, form: { token: mine } })).body["active"]).toBe(true);
    expectRefused(await callApi(running, { ...call, form: { token: another } }));
  });

  test("a merchant for tokens to the origin that the directory says is its own", async () => {
    const merchant = await newClient(running, "merchant");
    const token = await tokenOf(agent, { resource: "https://shop.example" });
    expectRefused(await ask(merchant, token));
    neighbour.merchant = merchantOf(merchant.id, "https://shop.example");
    expect((await ask(merchant, token)).body["active"]).toBe(true);
    expectRefused(await ask(merchant, await tokenOf(agent, { resource: "https://other.example" })));
  });
});

const merchantOf = (client_id: string, origin: string): object => ({
  id: "mrc_01h00000000000000000000000",
  tenant_id: running.tenant,
  display_name: "Shop",
  origin,
  client_id,
  jwks_uri: `${origin}/.well-known/jwks.json`,
  jwks: { keys: [publicJwkOf(peerKeys.assertion)] },
  catalogue_uri: null,
  country: "NL",
  currencies: ["EUR"],
  categories: [],
  rails: ["card"],
  verification_status: "verified",
  verified_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
});

describe("a refresh token", () => {
  const granted = async () => {
    const { body } = await exchange(agent, await obtainCode(running, agent));
    return { refresh: String(body["refresh_token"]), mandate: body["mandate_id"] };
  };

  test("is described to its client without the principal's account, and only while it may be used", async () => {
    const { refresh, mandate } = await granted();
    const { body } = await ask(agent, refresh);
    expect(TokenFacts.safeParse(body).error).toBeUndefined();
    expect(body).toMatchObject({
      active: true,
      client_id: agent.id,
      mandate_id: mandate,
      organization_id: running.tenant,
    });
    expect(JSON.stringify(body)).not.toContain(running.account);
    expect(JSON.stringify(body)).not.toContain(refresh);
    expectRefused(await ask(stranger, refresh));
    const next = await agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token: refresh });
    expectRefused(await ask(agent, refresh));
    const successor = String(next.body["refresh_token"]);
    expect((await ask(agent, successor)).body["active"]).toBe(true);
    await agent.post("/oauth/revoke", { token: successor });
    expectRefused(await ask(agent, successor));
  });

  test("A11 of a suspended agent does not count until it is reactivated", async () => {
    const { refresh } = await granted();
    const change = (path: string) =>
      callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/${path}` });
    await change("suspend");
    expectRefused(await askAsAdmin(refresh));
    await change("reactivate");
    expect((await askAsAdmin(refresh)).body["active"]).toBe(true);
  });
});

describe("A11 the database decides at the moment of asking", () => {
  test("A11 an access token that was revoked, or whose agent is suspended", async () => {
    const [token, other] = [await tokenOf(agent), await tokenOf(agent)];
    expect((await askAsAdmin(token)).body["active"]).toBe(true);
    await agent.post("/oauth/revoke", { token });
    expectRefused(await askAsAdmin(token));
    expect((await askAsAdmin(other)).body["active"]).toBe(true);
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/suspend` });
    expectRefused(await askAsAdmin(other));
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/reactivate` });
  });
});

describe("A12 whoever has no business with a token learns nothing", () => {
  const nowS = Math.floor(systemClock.now() / 1000);
  const claims = { iss: "https://evil.example", sub: "x", aud: "y", client_id: "z", jti: "1", iat: nowS };

  test("A12 another's token, a forged one, an expired one and plain nonsense are one answer", async () => {
    const token = await tokenOf(agent);
    const [head = "", payload = "", signature = ""] = token.split(".");
    const texts = [
      token,
      `${head}.${payload}.${signature.slice(0, -4)}AAAA`,
      signJws(generateJwk("ES256"), { typ: "at+jwt" }, { ...claims, exp: nowS + 60 }),
      `${head}.${payload}`,
      "nonsense",
      "x".repeat(20_000),
      "..",
      "%00",
    ];
    const answers = [];
    for (const text of texts) answers.push(await ask(stranger, text));
    for (const answer of answers) {
      expectRefused(answer);
      expect(answer.headers.get("content-length")).toBe(answers[0]?.headers.get("content-length"));
    }
  });

  test("A12 another tenant's operator learns nothing and revokes nothing", async () => {
    const secret = "another-admin-secret-of-many-random-bits-012345";
    const other = await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: { email: "eve@example.com", name: "Eve", password: "another correct horse" },
      admin: { clientSecret: secret },
    });
    const eve = { id: other.admin.clientId, secret };
    const { body } = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    for (const token of [String(body["access_token"]), String(body["refresh_token"])]) {
      expectRefused(await askAsAdmin(token, eve));
      const given = await askAsAdmin(token, { ...eve, path: "/api/v1/token/revoke" });
      expect([given.status, given.body]).toEqual([200, { text: "" }]);
      expect((await askAsAdmin(token)).body["active"]).toBe(true);
      expect((await askAsAdmin(token, { path: "/api/v1/token/revoke" })).status).toBe(200);
      expectRefused(await askAsAdmin(token));
    }
  });

  test("A02 a mandate and an ID token are no access tokens", async () => {
    const { body } = await exchange(agent, await obtainCode(running, agent));
    expectRefused(await ask(agent, String(body["mandate_jwt"]).split("~", 1)[0] ?? ""));
    expectRefused(await ask(agent, String(body["mandate_jwt"])));
  });

  test("A12 without authentication, with a wrong secret or another's key nothing is said at all", async () => {
    const token = await tokenOf(agent);
    const thief = new OAuthClient(running, agent.id, { ...agent.keys, assertion: newKeys().assertion });
    const bare = await fetch(`${running.issuer}/oauth/introspect`, {
      method: "POST",
      body: new URLSearchParams({ token }),
    });
    const call = { token, key: newKeys().dpop, method: "POST", path: "/oauth/introspect" } as const;
    for (const answer of [
      await ask(thief, token),
      await askAsAdmin(token, { secret: "wrong" }),
      await callApi(running, { ...call, form: { token } }),
      await callApi(running, { ...call, key: agent.keys.dpop, scheme: "Bearer", form: { token } }),
    ]) {
      expect(answer.status).toBe(401);
      expect(answer.body).not.toHaveProperty("active");
      expect(answer.body["error"]).toBeTruthy();
    }
    expect([400, 401]).toContain(bare.status);
    expect(await bare.text()).not.toContain("active");
  });

  test("A12 a client that tries token after token is stopped, and one that asks about its own is not", async () => {
    const scanner = await newClient(running, "agent");
    const token = await tokenOf(scanner);
    const call = { token, key: scanner.keys.dpop, method: "POST", path: "/oauth/introspect" } as const;
    const statuses = [];
    for (let n = 0; n < 121; n++)
      statuses.push((await callApi(running, { ...call, form: { token: `guess-${n}` } })).status);
    expect(statuses.slice(0, 120)).toEqual(Array(120).fill(200));
    expect(statuses[120]).toBe(429);
    const stopped = await callApi(running, { ...call, form: { token } });
    expect(stopped).toMatchObject({ status: 429, body: { error: "temporarily_unavailable" } });
    expect(Number(stopped.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await ask(scanner, token)).status).toBe(429);
    expect((await ask(agent, await tokenOf(agent))).body["active"]).toBe(true);
  });

  test("a question without a token, and one by GET, are refused as OAuth refuses", async () => {
    const token = await tokenOf(agent);
    expect((await agent.post("/oauth/introspect", {})).body["error"]).toBe("invalid_request");
    const call = { token, key: agent.keys.dpop, method: "POST", path: "/oauth/introspect" } as const;
    expect(await callApi(running, { ...call, form: {} })).toMatchObject({
      status: 400,
      body: { error: "invalid_request" },
    });
    expect((await fetch(`${running.issuer}/oauth/introspect`)).status).toBe(405);
  });
});

describe("RFC 9701 a signed answer", () => {
  const accept = "application/token-introspection+jwt";
  const signedFor = async (client: OAuthClient, token: string, own: string) => {
    const path = "/oauth/introspect";
    const call = {
      token: own,
      key: client.keys.dpop,
      method: "POST",
      path,
      form: { token },
      accept,
    } as const;
    const { headers, body } = await callApi(running, call);
    expect(headers.get("content-type")).toBe(accept);
    return String(body["text"]);
  };

  test("is for the asker, of its own type and key, and passes for no access token", async () => {
    const token = await tokenOf(agent);
    const jwt = await signedFor(agent, token, token);
    const jws = parseJws(jwt, { typ: ["token-introspection+jwt"], algs: ["ES256"], refuse: "invalid_token" });
    const known = parseJwks((await read(await fetch(`${running.issuer}/oauth/jwks.json`))).body) ?? [];
    const key = known.find(({ kid }) => kid === jws.header.kid);
    expect(key !== undefined && holds(checkOf(jws, key, "invalid_token"))).toBe(true);
    expect(Object.keys(jws.payload).toSorted()).toEqual(["aud", "iat", "iss", "token_introspection"]);
    expect(jws.payload).toMatchObject({
      iss: running.issuer,
      aud: agent.id,
      token_introspection: { active: true, client_id: agent.id },
    });
    expect(decoded(token)["kid"]).not.toBe(jws.header.kid);
    expect((await callApi(running, { token: jwt, key: agent.keys.dpop })).status).toBe(401);
    expectRefused(await ask(agent, jwt));
  });

  test("A12 says as little as the plain one", async () => {
    const own = await tokenOf(stranger);
    const jwt = await signedFor(stranger, await tokenOf(agent), own);
    const { payload } = parseJws(jwt, {
      typ: ["token-introspection+jwt"],
      algs: ["ES256"],
      refuse: "invalid_token",
    });
    expect(payload["token_introspection"]).toEqual({ active: false });
  });
});

const decoded = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split(".", 1)[0] ?? "", "base64url").toString("utf8"));
