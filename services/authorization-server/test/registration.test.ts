import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browser } from "./browser.ts";
import { callAsAdmin, metadataFor, newClient, OAuthClient, register, setupToken } from "./client.ts";
import { authorizeUrl, newAsking, openConsent, pushedForm } from "./consent.ts";
import { newKeys, type Running, startServer } from "./running.ts";

let running: Running;

// Registration is limited per address, so each group has its own server.
beforeAll(async () => {
  running = await startServer();
});
afterAll(() => running.close());

const refusal = async (more: object): Promise<unknown> => {
  const answer = await register(running, await setupToken(running, "agent"), metadataFor(newKeys(), more));
  expect(answer.status).toBe(400);
  expect(answer.body["error_description"]).toBeTruthy();
  return answer.body["error"];
};

describe("A09 what a stranger may register", () => {
  test("A09 redirects that could hand a code to somebody else", async () => {
    for (const uri of [
      "javascript:alert(1)",
      "http://evil.example/callback",
      "https://user:pass@shop.example/callback",
      "https://shop.example/callback#fragment",
      "https://*.example/callback",
      "data:text/html,x",
      "/callback",
      "https:\\evil.example",
    ])
      expect(await refusal({ redirect_uris: [uri] }), uri).toBe("invalid_redirect_uri");
  });

  test("A09 keys that are private, shared, missing, symmetric or weak", async () => {
    const keys = newKeys();
    const same = publicJwkOf(keys.dpop);
    for (const wrong of [
      { dpop_jwk: keys.dpop },
      { dpop_jwk: same, private_key_jwt_jwk: same },
      { dpop_jwk: undefined },
      { dpop_jwk: { kty: "oct", k: "c2VjcmV0" } },
      { dpop_jwk: { kty: "RSA", n: "AQAB", e: "AQAB" } },
    ])
      expect(await refusal(wrong)).toBe("invalid_client_metadata");
  });

  test("A09 methods and grants that Remit does not do, and names that deceive", async () => {
    for (const wrong of [
      { token_endpoint_auth_method: "none" },
      { grant_types: ["implicit"] },
      { response_types: ["token"] },
      { scope: "oid4ac:payment wallet:write" },
      { scope: "charges:write" },
      { scope: "made:up" },
      { client_name: "Stripe\u202egnp.exe" },
      { client_name: "<script>alert(1)</script>" },
      { client_name: "x".repeat(81) },
    ])
      expect(await refusal(wrong), JSON.stringify(wrong)).toBe("invalid_client_metadata");
  });
});

describe("V04 an OAuth address that takes forms", () => {
  test.each(["/oauth/token", "/oauth/par", "/oauth/revoke"])(
    "V04 %s says so to who only looks",
    async (path) => {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await fetch(`${running.issuer}${path}?grant_type=x`, { method });
        expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
        expect(await answer.json()).toMatchObject({ code: "method_not_allowed", status: 405 });
      }
    },
  );

  test("an agent in a page may ask first (CORS)", async () => {
    const headers = { origin: "https://app.example", "access-control-request-method": "POST" };
    const answer = await fetch(`${running.issuer}/oauth/token`, { method: "OPTIONS", headers });
    expect(answer.status).toBe(204);
  });
});

describe("A09 a setup token is good for one registration", () => {
  let other: Running;
  beforeAll(async () => {
    other = await startServer();
  });
  afterAll(() => other.close());

  test("A09 of eight parallel registrations exactly one succeeds, and one agent exists", async () => {
    const token = await setupToken(other, "agent");
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => register(other, token, metadataFor(newKeys()))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(7);
    expect(await other.database.asAdmin("select count(*)::int as count from agents")).toEqual([{ count: 1 }]);
  });

  test("A09 without a token, with a made-up one, with one of the other kind", async () => {
    expect((await register(other, "made-up", metadataFor(newKeys()))).status).toBe(401);
    const token = await setupToken(other, "merchant");
    const answer = await register(other, token, metadataFor(newKeys()));
    expect(answer.body["error"]).toBe("invalid_redirect_uri");
    const again = await register(other, token, metadataFor(newKeys(), { redirect_uris: [] }));
    expect(again.status).toBe(201);
  });

  test("A09 a refused registration leaves the token good for a better one", async () => {
    const token = await setupToken(other, "agent");
    expect((await register(other, token, metadataFor(newKeys(), { client_name: "" }))).status).toBe(400);
    expect((await register(other, token, metadataFor(newKeys()))).status).toBe(201);
  });

  test("A09 somebody else's name is shown as what it is: unverified, in quotation marks", async () => {
    const keys = newKeys();
    const token = await setupToken(other, "agent");
    const { body } = await register(other, token, metadataFor(keys, { client_name: "Stripe" }));
    const agent = new OAuthClient(other, String(body["client_id"]), keys);
    const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
    const page = await openConsent(new Browser(), authorizeUrl(other, agent.id, pushed.body["request_uri"]));
    expect(page.html).toContain("“Stripe” asks to spend your money");
    expect(page.html).toContain("Nobody has verified this name");
  });

  test("A09 the key set form: two keys, each marked with what it is for", async () => {
    const keys = newKeys();
    const jwks = {
      keys: [
        { ...publicJwkOf(keys.dpop), use: "sig", remit_use: "dpop" },
        { ...publicJwkOf(keys.assertion), use: "sig", remit_use: "assertion" },
      ],
    };
    const metadata = { client_name: "By key set", token_endpoint_auth_method: "private_key_jwt", jwks };
    const answer = await register(other, await setupToken(other, "agent"), metadata);
    const agent = new OAuthClient(other, String(answer.body["client_id"]), keys);
    expect((await agent.credentials({ resource: "https://shop.example" })).status).toBe(200);
  });

  test("A09 registrations beyond 30 an hour from one address are refused", async () => {
    let status = 0;
    for (let attempt = 0; attempt < 40 && status !== 429; attempt++)
      status = (await register(other, "made-up", {})).status;
    expect(status).toBe(429);
  });
});

describe("V06 text stays text", () => {
  let other: Running;
  beforeAll(async () => {
    other = await startServer();
  });
  afterAll(() => other.close());

  const hostile = [
    "'; drop table agents; --",
    "{{7*7}}",
    "${7*7}",
    "*)(uid=*",
    "$ne",
    "%s%n",
    "Robert'); --",
  ];

  test("V06 hostile names are stored and shown as text", async () => {
    for (const client_name of hostile) {
      const token = await setupToken(other, "agent");
      const answer = await register(other, token, metadataFor(newKeys(), { client_name }));
      expect(answer.body["client_name"]).toBe(client_name);
    }
    const { body } = await callAsAdmin(other, { method: "GET", path: "/api/v1/agents" });
    const names = (Object(body)["data"] as { name: string }[]).map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(hostile));
  });

  test("V06 __proto__ and constructor as members change no prototype", async () => {
    const token = await setupToken(other, "agent");
    const metadata = JSON.stringify(metadataFor(newKeys())).replace(
      "{",
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},',
    );
    await fetch(`${other.issuer}/oauth/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: metadata,
    });
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("V06 a purpose is escaped on the consent page", async () => {
    const agent = await newClient(other, "agent");
    const details = [
      { type: "oid4ac_mandate", currency: "EUR", amount_minor: 100, purpose: "<img src=x onerror=alert(1)>" },
    ];
    const pushed = await agent.post(
      "/oauth/par",
      pushedForm(newAsking(), { authorization_details: JSON.stringify(details) }),
    );
    const page = await openConsent(new Browser(), authorizeUrl(other, agent.id, pushed.body["request_uri"]));
    expect(page.html).toContain("&lt;img src=x onerror=alert(1)&gt;");
    expect(page.html).not.toContain("<img");
  });

  test("V06 __proto__ in what a mandate is asked for is an unknown member", async () => {
    const agent = await newClient(other, "agent");
    const details =
      '[{"type":"oid4ac_mandate","currency":"EUR","amount_minor":1,"__proto__":{"polluted":true}}]';
    const answer = await agent.post(
      "/oauth/par",
      pushedForm(newAsking(), { authorization_details: details }),
    );
    expect(answer.body["error"]).toBe("invalid_authorization_details");
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("V04 a body that is too large or too deep is refused before it is understood", async () => {
    const agent = await newClient(other, "agent");
    const deep = `${"[".repeat(8_000)}${"]".repeat(8_000)}`;
    const answer = await agent.post("/oauth/par", pushedForm(newAsking(), { authorization_details: deep }));
    expect(answer.status).toBe(400);
    for (const path of ["/oauth/token", "/oauth/par", "/oauth/authorize"]) {
      const body = new URLSearchParams({ grant_type: "x".repeat(60_000) });
      const large = await fetch(other.issuer + path, { method: "POST", body });
      expect(large.status).toBe(413);
      expect(large.headers.get("content-type")).toBe("application/problem+json");
      expect(await large.json()).toMatchObject({ code: "payload_too_large" });
    }
    const json = await register(other, "made-up", { client_name: "x".repeat(100_000) });
    expect(json.status).toBe(413);
  });

  test("V06 hostile ids in paths and cursors find nothing", async () => {
    for (const path of [
      "/api/v1/agents/' or 1=1",
      "/api/v1/agents/..%2f..",
      "/api/v1/agents?cursor=' or ''='",
    ]) {
      const answer = await callAsAdmin(other, { method: "GET", path: encodeURI(path) });
      expect([400, 404]).toContain(answer.status);
    }
  });
});

describe("K09 a key is of one client and for one purpose", () => {
  let other: Running;
  beforeAll(async () => {
    other = await startServer();
  });
  afterAll(() => other.close());

  test("K09 another client's key is refused in either place, and the setup token stays good", async () => {
    const { keys } = await newClient(other, "agent");
    const [assertion, dpop] = [publicJwkOf(keys.assertion), publicJwkOf(keys.dpop)];
    for (const kind of ["agent", "merchant"] as const) {
      const token = await setupToken(other, kind);
      const mine = metadataFor(newKeys(), kind === "agent" ? {} : { redirect_uris: [] });
      for (const theirs of [
        { private_key_jwt_jwk: assertion },
        { private_key_jwt_jwk: dpop },
        { dpop_jwk: dpop },
        { dpop_jwk: assertion },
      ])
        expect(await register(other, token, { ...mine, ...theirs })).toMatchObject({
          status: 400,
          body: { error: "invalid_client_metadata", code: "key_in_use" },
        });
      expect((await register(other, token, mine)).status).toBe(201);
    }
  });

  test("K09 of eight that register one key at once, one has it", async () => {
    const keys = newKeys();
    const tokens = await Promise.all(Array.from({ length: 8 }, () => setupToken(other, "agent")));
    const answers = await Promise.all(
      tokens.map((token) => register(other, token, metadataFor({ ...newKeys(), dpop: keys.dpop }))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body["code"] === "key_in_use")).toHaveLength(7);
  });

  test("K09 nor may an application have it; what an application had is free when it ends", async () => {
    const { keys: taken } = await newClient(other, "agent");
    const application = async (key: PrivateJwk) =>
      register(other, await setupToken(other, "application"), {
        redirect_uris: ["https://shop.example/callback"],
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [publicJwkOf(key)] },
      });
    expect((await application(taken.dpop)).body["code"]).toBe("key_in_use");
    const key = newKeys().assertion;
    const first = await application(key);
    expect(first.status).toBe(201);
    expect((await application(key)).body["code"]).toBe("key_in_use");
    const authorization = `Bearer ${String(first.body["registration_access_token"])}`;
    const uri = String(first.body["registration_client_uri"]);
    expect((await fetch(uri, { method: "DELETE", headers: { authorization } })).status).toBe(204);
    expect((await application(key)).status).toBe(201);
  });
});
