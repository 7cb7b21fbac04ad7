import { createHash } from "node:crypto";
import { parseJwks, parseJws } from "@remit/protocol";
import { generateJwk, holds } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { callApi } from "./api.ts";
import { Browser, formOf } from "./browser.ts";
import { type Answer, callAsAdmin, OAuthClient, read } from "./client.ts";
import { openWallet } from "./in-wallet.ts";
import { callback, claimsOf, newRelyingParty, type RelyingParty, through } from "./relying-party.ts";
import { principal, type Running, startServer } from "./running.ts";

let running: Running;
let party: RelyingParty;
/** Signed in, and with a grant of `openid` to the party. */
let browser: Browser;
let first: Answer;

const codeIn = (url: URL): string => url.searchParams.get("code") ?? "";

beforeAll(async () => {
  running = await startServer();
  party = await newRelyingParty(running);
  browser = new Browser();
  const url = await through(browser, party.authorizeUrl({ nonce: "n".repeat(64), state: "s" }));
  first = await party.exchange(codeIn(url));
});
afterAll(() => running.close());

const jwks = async () => {
  const found = parseJwks((await read(await fetch(`${running.issuer}/oauth/jwks.json`))).body);
  if (found === undefined) throw new Error("no key set");
  return found;
};
/** The key of its own that signed the token: the header names it, and it verifies. */
const isSigned = async (jwt: unknown, alg: "ES256" | "EdDSA"): Promise<boolean> => {
  const parsed = parseJws(String(jwt), { typ: [undefined], algs: [alg], refuse: "invalid_token" });
  const [key] = (await jwks()).filter(({ kid }) => kid === parsed.header.kid);
  const { signingInput: data, signature } = parsed;
  return key !== undefined && holds({ alg, key, data, signature, refuse: "invalid_token" });
};
const half = (alg: "sha256" | "sha512", text: unknown): string => {
  const digest = createHash(alg).update(String(text)).digest();
  return digest.subarray(0, digest.length / 2).toString("base64url");
};

/** Asks again in the same browser and expects the answer without a page. */
const silently = async (more: Record<string, string>): Promise<URL> =>
  new URL((await browser.open(party.authorizeUrl(more), callback)).url.replace("#", "?"));

const methodOf = (name: string): string => (/^(authorization|jwks|end)/.test(name) ? "GET" : "POST");

test("what metadata says is true, and what is true it says", async () => {
  const get = async (name: string) => (await read(await fetch(`${running.issuer}/.well-known/${name}`))).body;
  const metadata = await get("openid-configuration");
  expect(await get("oauth-authorization-server")).toEqual(metadata);
  expect(metadata).toMatchObject({
    issuer: running.issuer,
    response_types_supported: ["code"],
    subject_types_supported: ["public", "pairwise"],
    id_token_signing_alg_values_supported: ["ES256", "EdDSA"],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    authorization_response_iss_parameter_supported: true,
    resource_indicators_supported: true,
    client_id_metadata_document_supported: true,
  });
  // Not every client pushes its requests, so it does not say that all must (RFC 9126 §5).
  expect(metadata).not.toHaveProperty("require_pushed_authorization_requests");
  for (const gone of ["implicit", "password"]) expect(metadata["grant_types_supported"]).not.toContain(gone);
  expect(metadata["protected_resources"]).toContain(running.issuer);
  const kinds = (await jwks()).map(({ kty }) => kty);
  expect(kinds).toEqual(expect.arrayContaining(["EC", "OKP"]));
  for (const [name, value] of Object.entries(metadata))
    if (name.endsWith("_endpoint") || name.endsWith("_uri"))
      expect((await fetch(String(value), { method: methodOf(name) })).status, name).not.toBe(404);
});

describe("an ID token is by our own key and says what OpenID Core wants in it", () => {
  test("signature, times, nonce, acr, amr, auth_time, and what came with it", async () => {
    const { id_token, access_token } = first.body;
    expect(await isSigned(id_token, "ES256")).toBe(true);
    const claims = claimsOf(id_token);
    expect(claims).toEqual({
      iss: running.issuer,
      sub: running.account,
      aud: party.id,
      iat: expect.any(Number),
      exp: Number(claims["iat"]) + 300,
      nonce: "n".repeat(64),
      auth_time: expect.any(Number),
      acr: "urn:remit:aal1",
      amr: ["pwd"],
      sid: expect.any(String),
      at_hash: half("sha256", access_token),
      c_hash: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(Math.abs(Number(claims["iat"]) - Number(claims["auth_time"]))).toBeLessThan(60);
  });

  test("c_hash is the code's, and without a nonce none stands in it", async () => {
    const code = codeIn(await silently({}));
    const claims = claimsOf((await party.exchange(code)).body["id_token"]);
    expect(claims["c_hash"]).toBe(half("sha256", code));
    expect(claims).not.toHaveProperty("nonce");
  });

  test("by EdDSA where the client wants it, from a key of its own", async () => {
    const other = await newRelyingParty(running, { id_token_signed_response_alg: "EdDSA" });
    const { body } = await other.exchange(codeIn(await through(browser, other.authorizeUrl())));
    expect(await isSigned(body["id_token"], "EdDSA")).toBe(true);
    expect(claimsOf(body["id_token"])["at_hash"]).toBe(half("sha512", body["access_token"]));
  });

  test("a refresh gives a new one: the same sub and auth_time, no nonce", async () => {
    const refreshed = await party.token({
      grant_type: "refresh_token",
      refresh_token: String(first.body["refresh_token"]),
    });
    expect(refreshed.status).toBe(200);
    const [before, now] = [claimsOf(first.body["id_token"]), claimsOf(refreshed.body["id_token"])];
    for (const same of ["iss", "sub", "aud", "auth_time", "acr"]) expect(now[same]).toEqual(before[same]);
    expect(now).not.toHaveProperty("nonce");
    expect(now["at_hash"]).toBe(half("sha256", refreshed.body["access_token"]));
  });

  test("A02 an ID token is no access token, and an access token no hint of a sign-in", async () => {
    const bearer = { authorization: `Bearer ${String(first.body["id_token"])}` };
    expect((await fetch(`${running.issuer}/oauth/userinfo`, { headers: bearer })).status).toBe(401);
    const url = await silently({ id_token_hint: String(first.body["access_token"]), prompt: "none" });
    expect(url.searchParams.get("error")).toBe("invalid_request");
  });
});

describe("userinfo", () => {
  let token: string;
  beforeAll(async () => {
    const url = await through(browser, party.authorizeUrl({ scope: "profile email openid" }));
    token = String((await party.exchange(codeIn(url))).body["access_token"]);
  });
  const userinfo = async (init: RequestInit = {}, query = ""): Promise<Answer> =>
    read(await fetch(`${running.issuer}/oauth/userinfo${query}`, init));
  const all = () => ({ sub: running.account, email: principal.email, name: principal.name });

  test("by GET, by POST with the header and by POST with the token in the body", async () => {
    const headers = { authorization: `Bearer ${token}` };
    expect((await userinfo({ headers })).body).toEqual(all());
    expect((await userinfo({ method: "POST", headers })).body).toEqual(all());
    const body = new URLSearchParams({ access_token: token });
    expect((await userinfo({ method: "POST", body })).body).toEqual(all());
  });

  test("each scope tells its own claims, and an unknown one none", async () => {
    const claimsFor = async (scope: string) => {
      const url = await through(new Browser(), party.authorizeUrl({ scope }));
      const { body } = await party.exchange(codeIn(url));
      const headers = { authorization: `Bearer ${String(body["access_token"])}` };
      return { scope: body["scope"], claims: Object.keys((await userinfo({ headers })).body).sort(order) };
    };
    expect(await claimsFor("openid")).toEqual({ scope: "openid", claims: ["sub"] });
    expect(await claimsFor("email openid")).toEqual({ scope: "email openid", claims: ["email", "sub"] });
    expect(await claimsFor("openid profile")).toEqual({ scope: "openid profile", claims: ["name", "sub"] });
    expect(await claimsFor("openid address phone")).toEqual({ scope: "openid", claims: ["sub"] });
  });
  const order = (a: string, b: string): number => a.localeCompare(b);

  test("A03 no token, a made-up one, and one in the address", async () => {
    expect((await userinfo()).status).toBe(401);
    const wrong = await userinfo({ headers: { authorization: "Bearer made-up" } });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect((await userinfo({}, `?access_token=${token}`)).status).toBe(400);
  });
});

describe("a request is answered as OpenID Core says", () => {
  test("what the server does not know or need does no harm", async () => {
    const more = {
      display: "popup",
      ui_locales: "se nl",
      claims_locales: "se",
      acr_values: "1 2",
      claims: '{"userinfo":{"name":{"essential":true}}}',
      extra: "foobar",
      nonce: "n",
    };
    expect(codeIn(await through(browser, party.authorizeUrl(more)))).not.toBe("");
  });

  test("prompt=none without a session is login_required, with state and iss", async () => {
    const url = party.authorizeUrl({ prompt: "none", state: "s1" });
    const answer = new URL((await new Browser().open(url, callback)).url).searchParams;
    expect([answer.get("error"), answer.get("state"), answer.get("iss")]).toEqual([
      "login_required",
      "s1",
      running.issuer,
    ]);
  });

  test("prompt=none with a session and its consent is a code without a page", async () => {
    const answer = (await silently({ prompt: "none" })).searchParams;
    expect(answer.get("code")).toBeTruthy();
    expect(answer.has("state")).toBe(false);
  });

  test("A17 prompt=none for more than was consented to is consent_required", async () => {
    const other = await newRelyingParty(running);
    await through(browser, other.authorizeUrl());
    const asked = other.authorizeUrl({ prompt: "none", scope: "openid email" });
    const answer = new URL((await browser.open(asked, callback)).url).searchParams;
    expect(answer.get("error")).toBe("consent_required");
  });

  test("A17 an application on the person's own machine is consented to each time", async () => {
    const native = await newRelyingParty(running, { application_type: "native" });
    await through(browser, native.authorizeUrl());
    const answer = new URL((await browser.open(native.authorizeUrl({ prompt: "none" }), callback)).url);
    expect(answer.searchParams.get("error")).toBe("interaction_required");
  });

  test("prompt=login and max_age ask again, and auth_time is the new one", async () => {
    const own = new Browser();
    const code = codeIn(await through(own, party.authorizeUrl({ max_age: "10000" })));
    const before = claimsOf((await party.exchange(code)).body["id_token"])["auth_time"];
    try {
      vi.setSystemTime(new Date(Number(before) * 1000 + 5_000));
      for (const more of [{ prompt: "login" }, { max_age: "1" }, { max_age: "0" }]) {
        const page = await own.open(party.authorizeUrl({ ...more, nonce: "x" }), callback);
        expect(formOf(page).fields, JSON.stringify(more)).toHaveProperty("password");
      }
      const silent = new URL((await own.open(party.authorizeUrl({ max_age: "10000" }), callback)).url);
      const kept = claimsOf((await party.exchange(codeIn(silent))).body["id_token"]);
      expect(kept["auth_time"]).toBe(before);
      const again = await through(own, party.authorizeUrl({ max_age: "1" }));
      const anew = claimsOf((await party.exchange(codeIn(again))).body["id_token"]);
      expect(Number(anew["auth_time"])).toBeGreaterThanOrEqual(Number(before) + 5);
    } finally {
      vi.useRealTimers();
    }
  });

  test("id_token_hint: the same person passes, another one is asked to sign in", async () => {
    const id_token_hint = String(first.body["id_token"]);
    expect(codeIn(await silently({ id_token_hint, prompt: "none" }))).not.toBe("");
    const forged = `${id_token_hint.slice(0, -8)}AAAAAAAA`;
    const answer = await silently({ id_token_hint: forged, prompt: "none" });
    expect(answer.searchParams.get("error")).toBe("invalid_request");
  });

  test("a request by POST is the same request", async () => {
    const url = new URL(party.authorizeUrl({ state: "posted" }));
    const posted = await fetch(url.origin + url.pathname, {
      method: "POST",
      body: url.searchParams,
      redirect: "manual",
    });
    expect(posted.status).toBe(303);
    const location = new URL(posted.headers.get("location") ?? "", running.issuer);
    expect(location.origin).toBe(running.issuer);
    expect(codeIn(await through(browser, location.href))).not.toBe("");
  });

  test.each([
    ["response_type", { response_type: "token" }, "unsupported_response_type"],
    ["response_type", { response_type: "code id_token" }, "unsupported_response_type"],
    ["request", { request: "a.b.c" }, "request_not_supported"],
    ["request_uri", { request_uri: "https://reader.example/request" }, "request_uri_not_supported"],
    ["registration", { registration: "{}" }, "registration_not_supported"],
    ["code_challenge_method", { code_challenge_method: "plain" }, "invalid_request"],
    ["max_age", { max_age: "-1" }, "invalid_request"],
    ["prompt", { prompt: "none login" }, "invalid_request"],
    ["prompt", { prompt: "teleport" }, "invalid_request"],
    ["scope", { scope: "openid wallet:write" }, "invalid_scope"],
    ["resource", { resource: "https://shop.example", scope: "openid" }, "invalid_target"],
  ])("A05 a request with a wrong %s (%j) is answered %s", async (_name, more, error) => {
    expect((await silently({ state: "s", ...more })).searchParams.get("error")).toBe(error);
  });

  test("A05 without response_type, and without a challenge", async () => {
    for (const name of ["response_type", "code_challenge"]) {
      const url = new URL(party.authorizeUrl({ state: "s" }));
      url.searchParams.delete(name);
      const answer = new URL((await browser.open(url.href, callback)).url).searchParams;
      expect([answer.get("error"), answer.get("iss")]).toEqual(["invalid_request", running.issuer]);
    }
  });

  test.each([
    "https://reader.example/callback/",
    "https://reader.example/callback?x=1",
    "https://reader.example:8443/callback",
    "https://READER.example/callback",
    "https://reader.example@evil.example/callback",
    "https://evil.example/callback",
    "http://reader.example/callback",
    "javascript:alert(1)",
  ])("A04 nobody is sent to %s", async (redirect_uri) => {
    const page = await browser.open(party.authorizeUrl({ redirect_uri }), "https://");
    expect([page.status, page.headers.get("location")]).toEqual([400, null]);
  });
});

describe("the token endpoint and an application's secret", () => {
  test("the secret in the form, where that was registered, and no other secret", async () => {
    const other = await newRelyingParty(running, { token_endpoint_auth_method: "client_secret_post" });
    const code = codeIn(await through(browser, other.authorizeUrl()));
    const send = async (client_secret: string) =>
      read(
        await fetch(`${running.issuer}/oauth/token`, {
          method: "POST",
          body: new URLSearchParams({
            grant_type: "authorization_code",
            code,
            redirect_uri: callback,
            code_verifier: other.verifier,
            client_id: other.id,
            client_secret,
          }),
        }),
      );
    expect((await send("wrong")).body["error"]).toBe("invalid_client");
    expect((await send(other.secret)).status).toBe(200);
  });

  test("C09 a code that comes back takes its tokens along, the userinfo one at once", async () => {
    const other = await newRelyingParty(running);
    const code = codeIn(await through(browser, other.authorizeUrl()));
    const { body } = await other.exchange(code);
    const userinfo = () =>
      fetch(`${running.issuer}/oauth/userinfo`, {
        headers: { authorization: `Bearer ${String(body["access_token"])}` },
      });
    expect((await userinfo()).status).toBe(200);
    expect((await other.exchange(code)).body["error"]).toBe("invalid_grant");
    expect((await userinfo()).status).toBe(401);
  });
});

describe("pairwise subjects (OpenID Core §8.1)", () => {
  test("another sector, another name; the same sector, the same; and none is the account", async () => {
    const pairwise = { subject_type: "pairwise", scope: "openid" };
    const subjectOf = async (other: RelyingParty, redirect_uri = callback) => {
      const url = await through(browser, other.authorizeUrl({ redirect_uri }), redirect_uri);
      const form = { grant_type: "authorization_code", code: codeIn(url), redirect_uri };
      const { body } = await other.token({ ...form, code_verifier: other.verifier });
      const headers = { authorization: `Bearer ${String(body["access_token"])}` };
      const userinfo = await read(await fetch(`${running.issuer}/oauth/userinfo`, { headers }));
      const { sub } = claimsOf(body["id_token"]);
      expect(userinfo.body["sub"]).toBe(sub);
      return sub;
    };
    const elsewhere = "https://other.example/callback";
    const one = await subjectOf(await newRelyingParty(running, pairwise));
    const same = await subjectOf(await newRelyingParty(running, pairwise));
    const other = await newRelyingParty(running, { ...pairwise, redirect_uris: [elsewhere] });
    expect(one).toMatch(/^prn_[\w-]{26}$/);
    expect(same).toBe(one);
    expect(await subjectOf(other, elsewhere)).not.toBe(one);
  });
});

describe("a person's token for our own API", () => {
  const dpop = generateJwk("ES256");

  test("A16 says how and when the person signed in, is bound, and opens what its scope says", async () => {
    const asked = { scope: "wallet:read", resource: `${running.issuer}/` };
    const wire = new OAuthClient(running, party.id, { assertion: dpop, dpop });
    const unbound = await party.exchange(codeIn(await through(browser, party.authorizeUrl(asked))));
    expect(unbound.body["error"]).toBe("invalid_dpop_proof");
    const code = codeIn(await through(browser, party.authorizeUrl(asked)));
    const url = `${running.issuer}/oauth/token`;
    const challenged = await party.exchange(code, { dpop: wire.proof(url) });
    expect(challenged.body["error"]).toBe("use_dpop_nonce");
    const nonce = challenged.headers.get("dpop-nonce") ?? "";
    const { body, status } = await party.exchange(code, { dpop: wire.proof(url, { nonce }) });
    expect(status).toBe(200);
    const claims = claimsOf(body["access_token"]);
    expect(claims).toMatchObject({
      aud: running.issuer,
      sub: running.account,
      client_id: party.id,
      organization_id: running.tenant,
      scope: "wallet:read",
      acr: "urn:remit:aal1",
      amr: ["pwd"],
      auth_time: expect.any(Number),
      cnf: { jkt: expect.any(String) },
    });
    const token = String(body["access_token"]);
    expect((await callApi(running, { token, key: dpop, path: "/api/v1/mandates" })).status).toBe(200);
    expect((await callApi(running, { token, key: dpop, scheme: "Bearer" })).status).toBe(401);
  });
});

describe("revocation", () => {
  test("A11 a token for userinfo ends by itself, with its session, and with all that its client holds", async () => {
    const admin = (path: string) => callAsAdmin(running, { method: "POST", path });
    const ways: ((token: string, other: RelyingParty) => Promise<unknown>)[] = [
      (token, other) => other.post("/oauth/revoke", { token }),
      (_, other) => admin(`/api/v1/clients/${other.id}/revoke-tokens`),
      async () => (await openWallet(running)).call("POST", "/api/v1/sessions/revoke", { which: "others" }),
    ];
    for (const end of ways) {
      const other = await newRelyingParty(running);
      const url = await through(new Browser(), other.authorizeUrl());
      const token = String((await other.exchange(codeIn(url))).body["access_token"]);
      const status = async (): Promise<number> => {
        const headers = { authorization: `Bearer ${token}` };
        return (await fetch(`${running.issuer}/oauth/userinfo`, { headers })).status;
      };
      await party.post("/oauth/revoke", { token });
      expect(await status()).toBe(200);
      await end(token, other);
      expect(await status()).toBe(401);
    }
  });
});
