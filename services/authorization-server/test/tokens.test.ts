import { createHmac } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi, callOnce } from "./api.ts";
import { adminToken, newClient, OAuthClient, read } from "./client.ts";
import { exchange, obtainCode, redirectUri } from "./consent.ts";
import { newKeys, type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

const decode = (token: unknown, part: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[part] ?? "", "base64url").toString("utf8"));
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const nowS = (): number => Math.floor(systemClock.now() / 1000);

async function ownToken(client = agent): Promise<string> {
  const answer = await client.credentials({ scope: "oid4ac:payment", resource: running.issuer });
  return String(answer.body["access_token"]);
}

const readAgents = (token: string): Promise<Response> =>
  fetch(`${running.issuer}/api/v1/agents`, { headers: { authorization: `Bearer ${token}` } });

describe("client credentials", () => {
  test("an agent gets a token for one merchant, bound to its registered key", async () => {
    const answer = await agent.credentials({ scope: "oid4ac:payment", resource: "https://shop.example" });
    expect(answer.body).toMatchObject({ token_type: "DPoP", expires_in: 900 });
    expect(decode(answer.body["access_token"], 0)).toMatchObject({ typ: "at+jwt", alg: "ES256" });
    expect(decode(answer.body["access_token"], 1)).toMatchObject({
      iss: running.issuer,
      aud: "https://shop.example",
      client_id: agent.id,
      scope: "oid4ac:payment",
      organization_id: running.tenant,
      livemode: false,
    });
  });

  test("the management client authenticates with its secret and gets a bearer token", async () => {
    const answer = await adminToken(running);
    expect(answer.body).toMatchObject({ token_type: "Bearer", scope: "agents:read agents:write" });
  });

  test("a wrong secret is refused", async () => {
    const basic = Buffer.from(`${running.adminId}:not-the-secret`).toString("base64");
    const answer = await read(
      await fetch(`${running.issuer}/oauth/token`, {
        method: "POST",
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      }),
    );
    expect(answer).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  });

  test.each(["https://shop.example/path", "https://SHOP.example", "http://shop.example", "not a url"])(
    "a token for %s is refused: an audience is an origin, spelled one way",
    async (resource) => {
      const answer = await agent.credentials({ scope: "oid4ac:payment", resource });
      expect(answer).toMatchObject({ status: 400, body: { error: "invalid_target" } });
    },
  );

  test("without a scope the usual one is asked for, and payment.charge is oid4ac:payment", async () => {
    for (const form of [{}, { scope: "payment.charge" }]) {
      const answer = await agent.credentials({ resource: "https://shop.example", ...form });
      expect(answer.body["scope"]).toBe("oid4ac:payment");
    }
  });

  test("a merchant's client gets charges:write for us and directory:write for the directory, and no more", async () => {
    const merchant = await newClient(running, "merchant");
    const charges = await merchant.credentials({
      scope: "charges:write oid4ac:payment",
      resource: running.issuer,
    });
    expect(charges.body["error"] ?? charges.body["scope"]).toBe("invalid_scope");
    const own = await merchant.credentials({ scope: "charges:write", resource: running.issuer });
    expect(own.body).toMatchObject({ scope: "charges:write", token_type: "DPoP" });
    const other = await merchant.credentials({ scope: "directory:write", resource: running.directory });
    expect(decode(other.body["access_token"], 1)).toMatchObject({
      aud: running.directory,
      scope: "directory:write",
    });
  });
});

describe("A01 a token that is not exactly ours is refused", () => {
  const forge = async (header: object, signature?: (input: string) => string): Promise<number> => {
    const { body } = await adminToken(running);
    const [, payload = "", real = ""] = String(body["access_token"]).split(".");
    const input = `${encode(header)}.${payload}`;
    return (await readAgents(`${input}.${signature === undefined ? real : signature(input)}`)).status;
  };

  test("A01 alg none, with and without a signature", async () => {
    expect(await forge({ alg: "none", typ: "at+jwt" }, () => "")).toBe(401);
    expect(await forge({ alg: "none", typ: "at+jwt" })).toBe(401);
  });

  test("A01 HS256 keyed with our public key", async () => {
    const jwks = await read(await fetch(`${running.issuer}/oauth/jwks.json`));
    const keys = Object(jwks.body)["keys"] as { kid: string; x: string }[];
    for (const key of keys) {
      const sign = (input: string) =>
        createHmac("sha256", JSON.stringify(key)).update(input).digest("base64url");
      expect(await forge({ alg: "HS256", typ: "at+jwt", kid: key.kid }, sign)).toBe(401);
    }
  });

  test.each([
    ["crit", { crit: ["exp"] }],
    ["jku", { jku: "https://evil.example/jwks" }],
    ["x5u", { x5u: "https://evil.example/cert" }],
    ["jwk", { jwk: { kty: "EC", crv: "P-256", x: "x", y: "y" } }],
    ["kid as a path", { kid: "../../etc/passwd" }],
    ["kid as SQL", { kid: "' or 1=1 --" }],
    ["kid as a URL", { kid: "https://evil.example/key" }],
  ])("A01 %s in the header", async (_, extra) => {
    expect(await forge({ alg: "ES256", typ: "at+jwt", ...extra })).toBe(401);
  });
});

describe("A02 what is no access token is not taken for one", () => {
  test("A02 a mandate, an ID token and a token for somebody else", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const mandate = String(tokens.body["mandate_jwt"]).split("~")[0] ?? "";
    for (const token of [mandate, String(tokens.body["access_token"])]) {
      const answer = await callApi(running, { token, key: agent.keys.dpop });
      expect(answer.status).toBe(401);
    }
  });

  test("A02 an ID token of the wallet", async () => {
    const wallet = new OAuthClient(running, "wallet", running.wallet);
    const consented = await obtainCode(running, wallet, {
      scope: "openid wallet:read",
      resource: running.issuer,
      authorization_details: "[]",
      nonce: "n-1",
      redirect_uri: redirectUri,
    });
    const tokens = await exchange(wallet, consented);
    const idToken = String(tokens.body["id_token"]);
    expect(decode(idToken, 1)).toMatchObject({ nonce: "n-1", sub: running.account });
    expect((await callApi(running, { token: idToken, key: wallet.keys.dpop })).status).toBe(401);
    const own = await callApi(running, { token: String(tokens.body["access_token"]), key: wallet.keys.dpop });
    expect(own.status).toBe(200);
  });
});

describe("A03 a bound token needs its proof", () => {
  test("A03 as a bearer token, and with a proof that is not exactly right", async () => {
    const token = await ownToken();
    const key = agent.keys.dpop;
    expect((await callApi(running, { token, key })).status).toBe(200);
    const wrong = [
      { token, key, scheme: "Bearer" as const },
      { token, key, proof: { ath: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg" } },
      { token, key, proof: { ath: undefined } },
      { token, key, proof: { htu: `${running.issuer}/api/v1/agents` } },
      { token, key, proof: { htm: "POST" } },
      { token, key, proof: { iat: nowS() - 120 } },
      { token, key, proof: { iat: nowS() + 120 } },
      { token, key, proofKey: generateJwk("ES256") },
    ];
    for (const call of wrong) {
      const answer = await callApi(running, call);
      expect(answer.status, JSON.stringify(call.proof ?? call.scheme)).toBe(401);
    }
  });

  test("A03 without a server nonce the answer is 401 use_dpop_nonce and brings one", async () => {
    const answer = await callOnce(running, {
      token: await ownToken(),
      key: agent.keys.dpop,
      proof: { nonce: undefined },
    });
    expect(answer).toMatchObject({ status: 401, body: { code: "use_dpop_nonce" } });
    expect(answer.headers.get("dpop-nonce")).toBeTruthy();
  });

  test("A03 at the token endpoint the nonce is asked for with 400, and the key must be the registered one", async () => {
    const stranger = new OAuthClient(running, agent.id, { ...agent.keys, dpop: newKeys().dpop });
    const form = { grant_type: "client_credentials", resource: running.issuer };
    const first = await new OAuthClient(running, agent.id, agent.keys).post("/oauth/token", {
      ...form,
      client_assertion: "x",
    });
    expect(first.status).toBe(400);
    expect(await stranger.credentials({ resource: running.issuer })).toMatchObject({
      status: 400,
      body: { error: "invalid_dpop_proof" },
    });
  });

  test("A03 a proof from two minutes ago is refused although its nonce is fresh", async () => {
    await agent.learnNonce();
    const url = agent.url("/oauth/token");
    const dpop = agent.proof(url, { claims: { iat: nowS() - 120 } });
    const answer = await agent.raw("/oauth/token", authenticated(agent), { dpop });
    expect(answer.body["error"]).toBe("invalid_dpop_proof");
  });
});

const authenticated = (client: OAuthClient, assertion = client.assertion()): Record<string, string> => ({
  grant_type: "client_credentials",
  resource: running.issuer,
  client_id: client.id,
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion: assertion,
});

describe("A08 a client assertion is for us, short and used once", () => {
  const refusedWith = async (
    claims: Record<string, unknown>,
    key = agent.keys.assertion,
  ): Promise<unknown> => {
    const answer = await agent.post("/oauth/token", authenticated(agent, agent.assertion(claims, key)));
    return answer.body["error"];
  };

  test("A08 the audience is our issuer or this endpoint, as a string", async () => {
    for (const aud of [
      "https://other.example/oauth/token",
      [running.issuer],
      [running.issuer, "https://other.example"],
      "",
    ])
      expect(await refusedWith({ aud }), JSON.stringify(aud)).toBe("invalid_client");
    expect(await refusedWith({ aud: `${running.issuer}/oauth/token` })).toBeUndefined();
  });

  test("A08 it lives 300 s at most, has a jti and is of the registered key", async () => {
    expect(await refusedWith({ exp: nowS() + 31_536_000 })).toBe("invalid_client");
    expect(await refusedWith({ exp: nowS() - 10 })).toBe("invalid_client");
    expect(await refusedWith({ iat: nowS() + 3600, exp: nowS() + 3700 })).toBe("invalid_client");
    expect(await refusedWith({ jti: undefined })).toBe("invalid_client");
    expect(await refusedWith({ iss: "somebody-else" })).toBe("invalid_client");
    expect(await refusedWith({}, generateJwk("ES256"))).toBe("invalid_client");
    expect(await refusedWith({}, agent.keys.dpop)).toBe("invalid_client");
  });

  test("A08 of eight parallel uses of one assertion exactly one gets a token", async () => {
    await agent.learnNonce();
    const form = authenticated(agent);
    const url = agent.url("/oauth/token");
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => agent.raw("/oauth/token", form, { dpop: agent.proof(url) })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body["error"] === "invalid_client")).toHaveLength(7);
  });
});

test("C10 of eight parallel uses of one DPoP proof exactly one gets a token", async () => {
  await agent.learnNonce();
  const dpop = agent.proof(agent.url("/oauth/token"));
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => agent.raw("/oauth/token", authenticated(agent), { dpop })),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test("C10 at our own API a proof is good for one call", async () => {
  const token = await ownToken();
  const proof = { jti: "the-same-jti" };
  const key = agent.keys.dpop;
  await callApi(running, { token, key });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => callOnce(running, { token, key, proof })),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});
