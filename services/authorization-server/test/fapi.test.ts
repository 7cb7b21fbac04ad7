import { createHash, randomBytes } from "node:crypto";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, thumbprint } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { callApi } from "./api.ts";
import { Browser, formOf } from "./browser.ts";
import { type Answer, challengeOf, OAuthClient, read, register, setupToken } from "./client.ts";
import { callback, claimsOf, through } from "./relying-party.ts";
import { newKeys, type Running, startServer } from "./running.ts";

// FAPI 2.0 Security Profile Final: the lines of the published module list (docs/conformance.md), for one client that
// registered for it.

let running: Running;
let client: OAuthClient;
let other: OAuthClient;
const browser = new Browser();
const verifier = randomBytes(32).toString("base64url");
type Form = Record<string, string>;

const newClient = async (): Promise<OAuthClient> => {
  const keys = newKeys();
  const { body, status } = await register(running, await setupToken(running, "application"), {
    client_name: "Bank",
    redirect_uris: [callback],
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [publicJwkOf(keys.assertion)] },
    remit_profile: "fapi2",
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return new OAuthClient(running, String(body["client_id"]), keys);
};

beforeAll(async () => {
  running = await startServer();
  [client, other] = [await newClient(), await newClient()];
  await client.learnNonce();
  await other.learnNonce();
});
afterAll(() => running.close());

const asked = (more: Form = {}): Form => ({
  response_type: "code",
  redirect_uri: callback,
  scope: "openid",
  code_challenge: challengeOf(verifier),
  code_challenge_method: "S256",
  ...more,
});
const without = (name: string): Form => {
  const { [name]: _, ...form } = asked();
  return form;
};
const push = (form: Form = asked()): Promise<Answer> => client.post("/oauth/par", form);
const addressOf = (pushed: Answer, more: Form = {}, id = client.id): string =>
  `${running.issuer}/oauth/authorize?${new URLSearchParams({ client_id: id, request_uri: String(pushed.body["request_uri"]), ...more })}`;
const answerTo = async (more: Form = {}): Promise<URLSearchParams> =>
  (await through(browser, addressOf(await push(asked(more))))).searchParams;
const codeFor = async (more: Form = {}): Promise<string> => (await answerTo(more)).get("code") ?? "";
const exchangeForm = (code: string, more: Form = {}): Form => ({
  grant_type: "authorization_code",
  code,
  redirect_uri: callback,
  code_verifier: verifier,
  ...more,
});
const exchange = (code: string, more: Form = {}): Promise<Answer> =>
  client.post("/oauth/token", exchangeForm(code, more));
const nowS = (): number => Math.floor(Date.parse(new Date().toISOString()) / 1000);

/** One post with members of the assertion or of the proof that are changed on purpose; `false` sends none. */
type Odd = {
  readonly assertion?: Record<string, unknown> | false;
  readonly assertionKey?: PrivateJwk;
  readonly proof?: Record<string, unknown> | false;
  readonly proofKey?: PrivateJwk;
};
const send = async (path: string, form: Form, odd: Odd = {}): Promise<Answer> => {
  const { assertion = {}, assertionKey, proof = {}, proofKey } = odd;
  const authentication: Form =
    assertion === false
      ? { client_id: client.id }
      : {
          client_id: client.id,
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: client.assertion(assertion, assertionKey),
        };
  const dpop =
    proof === false
      ? undefined
      : client.proof(client.url(path), {
          ...(proofKey === undefined ? {} : { key: proofKey }),
          claims: proof,
        });
  return client.raw(path, { ...authentication, ...form }, dpop === undefined ? {} : { dpop });
};
/** The same a while later: the server is in this process. */
const later = async (seconds: number, work: () => Promise<void>): Promise<void> => {
  vi.setSystemTime(new Date((nowS() + seconds) * 1000));
  try {
    await work();
  } finally {
    vi.useRealTimers();
  }
};
const errorOf = ({ body }: Answer): unknown => body["error"];

describe("FAPI 2.0: a well-behaved client", () => {
  test("PAR, code, ID token, userinfo and refresh; `iss` in the answer, and the token is not rotated", async () => {
    const pushed = await push(asked({ state: "s1", nonce: "n".repeat(64), scope: "email openid" }));
    expect(pushed.status).toBe(201);
    expect(Number(pushed.body["expires_in"])).toBeLessThan(600);
    const answer = (await through(browser, addressOf(pushed))).searchParams;
    expect([answer.get("state"), answer.get("iss")]).toEqual(["s1", running.issuer]);
    const { body, status } = await exchange(answer.get("code") ?? "");
    expect([status, body["token_type"]]).toEqual([200, "DPoP"]);
    expect(claimsOf(body["id_token"])["nonce"]).toBe("n".repeat(64));
    const refresh = { grant_type: "refresh_token", refresh_token: String(body["refresh_token"]) };
    for (let time = 0; time < 2; time++) {
      const refreshed = await client.post("/oauth/token", refresh);
      expect([refreshed.status, refreshed.body["token_type"]]).toEqual([200, "DPoP"]);
      expect(refreshed.body["refresh_token"] ?? body["refresh_token"]).toBe(body["refresh_token"]);
    }
    // RFC 9449 §5: bound to its client, who proves itself; a thief of the token alone cannot.
    expect(errorOf(await other.post("/oauth/token", refresh))).toBe("invalid_grant");
    expect(errorOf(await send("/oauth/token", refresh, { assertion: false }))).toBe("invalid_client");
    expect(errorOf(await send("/oauth/token", refresh, { proof: false }))).toBe("invalid_grant");
  });

  test("A16 a refresh token ends with the session it was given in, though no use takes it up", async () => {
    const answer = (await through(new Browser(), addressOf(await push()))).searchParams;
    const { body } = await exchange(answer.get("code") ?? "");
    const refresh = { grant_type: "refresh_token", refresh_token: String(body["refresh_token"]) };
    expect((await client.post("/oauth/token", refresh)).status).toBe(200);
    await running.database.asAdmin(
      `update sessions set last_seen_at = last_seen_at - interval '30 minutes' where sid =
         (select session_sid from oauth_grants where client_id = $1 order by created_at desc limit 1)`,
      [client.id],
    );
    expect(errorOf(await client.post("/oauth/token", refresh))).toBe("invalid_grant");
  });

  test("without state none comes back, and without nonce none stands in the ID token", async () => {
    const answer = await answerTo();
    expect(answer.has("state")).toBe(false);
    const { body } = await exchange(answer.get("code") ?? "");
    expect(claimsOf(body["id_token"])).not.toHaveProperty("nonce");
  });

  test("a long state and a long nonce come back whole", async () => {
    const [state, nonce] = ["s".repeat(1_000), "n".repeat(1_000)];
    const answer = await answerTo({ state, nonce });
    expect(answer.get("state")).toBe(state);
    expect(claimsOf((await exchange(answer.get("code") ?? "")).body["id_token"])["nonce"]).toBe(nonce);
  });

  test("a person who declines: access_denied, with state and iss, by 303", async () => {
    const own = await newClient();
    const pushed = await own.post("/oauth/par", asked({ state: "s2", prompt: "consent" }));
    const page = await browser.open(addressOf(pushed, {}, own.id), callback);
    const { action, fields } = formOf(page);
    const sent = await browser.send(action, { ...fields, decision: "deny" });
    expect(sent.status).toBe(303);
    const answer = new URL((await browser.open(sent.headers.get("location") ?? "", callback)).url)
      .searchParams;
    expect([answer.get("error"), answer.get("state"), answer.get("iss")]).toEqual([
      "access_denied",
      "s2",
      running.issuer,
    ]);
  });

  test("clocks differ: assertion and proof 8 s ahead, proof 10 s behind; nbf and exp in a proof do no harm", async () => {
    const iat = nowS() + 8;
    const ahead = await send("/oauth/par", asked(), { assertion: { iat, nbf: iat, exp: iat + 60 } });
    expect(ahead.status).toBe(201);
    for (const proof of [{ iat: nowS() - 10 }, { iat: nowS() + 10 }, { nbf: nowS() - 10, exp: nowS() + 30 }])
      expect((await send("/oauth/par", asked(), { proof })).status).toBe(201);
  });

  test("the scheme of an access token is no matter of letters' case", async () => {
    const code = await codeFor({ scope: "wallet:read", resource: running.issuer });
    const token = String((await exchange(code)).body["access_token"]);
    for (const scheme of ["DPoP", "dpop", "DPOP"] as const) {
      // The two spellings that the helper's type does not name.
      const answer = await callApi(running, { token, key: client.keys.dpop, scheme: scheme as "DPoP" });
      if (scheme === "DPoP") expect(answer.status).toBe(200);
    }
    const ath = createHash("sha256").update(token).digest("base64url");
    const path = "/api/v1/mandates";
    const nonce = (
      await fetch(running.issuer + path, {
        headers: {
          authorization: `dpop ${token}`,
          dpop: client.proof(running.issuer + path, { claims: { htm: "GET", ath, nonce: "none" } }),
        },
      })
    ).headers.get("dpop-nonce");
    const dpop = client.proof(running.issuer + path, { claims: { htm: "GET", ath, nonce } });
    const answer = await fetch(running.issuer + path, { headers: { authorization: `dpop ${token}`, dpop } });
    expect(answer.status).toBe(200);
  });
});

describe("FAPI 2.0: the pushed request", () => {
  test("A06 no authorization request without one, and nothing in the front channel changes it", async () => {
    const direct = `${running.issuer}/oauth/authorize?${new URLSearchParams({ client_id: client.id, ...asked() })}`;
    const refused = await browser.open(direct, callback);
    expect(new URL(refused.url).searchParams.get("error") ?? refused.status).toBe("invalid_request");
    const pushed = await push(asked({ state: "pushed" }));
    const answer = await through(browser, addressOf(pushed, { state: "changed", scope: "email" }));
    expect(answer.searchParams.get("state")).toBe("pushed");
  });

  test("A06 opened twice before the answer; used after it, or by another client, it is refused", async () => {
    const pushed = await push();
    await new Browser().open(addressOf(pushed), callback);
    expect((await through(browser, addressOf(pushed))).searchParams.get("code")).toBeTruthy();
    const again = await browser.open(addressOf(pushed), callback);
    expect(new URL(again.url).searchParams.get("code")).toBeNull();
    const theirs = await browser.open(addressOf(await push(), {}, other.id), callback);
    expect([theirs.status, new URL(theirs.url).searchParams.get("code")]).toEqual([400, null]);
  });

  test("A06 used after 60 s it is refused", async () => {
    const pushed = await push();
    await later(61, async () => {
      expect((await browser.open(addressOf(pushed), callback)).status).toBe(400);
    });
  });

  test.each([
    ["no redirect_uri", () => without("redirect_uri"), "invalid_request"],
    ["another redirect_uri", () => asked({ redirect_uri: "https://evil.example/cb" }), "invalid_request"],
    ["hybrid", () => asked({ response_type: "code id_token" }), "unsupported_response_type"],
    ["implicit", () => asked({ response_type: "token" }), "unsupported_response_type"],
    [
      "a request_uri",
      () => asked({ request_uri: "urn:ietf:params:oauth:request_uri:x" }),
      "request_uri_not_supported",
    ],
    ["no challenge", () => without("code_challenge"), "invalid_request"],
    ["the method plain", () => asked({ code_challenge_method: "plain" }), "invalid_request"],
    [
      "a dpop_jkt of another key",
      () => asked({ dpop_jkt: thumbprint(generateJwk("ES256")) }),
      "invalid_request",
    ],
  ])("A05 a push with %s is refused", async (_what, form, error) => {
    const answer = await push(form());
    expect([answer.status, errorOf(answer)]).toEqual([400, error]);
  });
});

describe("FAPI 2.0: the code", () => {
  test("A05 wants its verifier", async () => {
    const code = await codeFor();
    const { code_verifier: _, ...bare } = exchangeForm(code);
    expect(errorOf(await client.post("/oauth/token", bare))).toBe("invalid_grant");
    const wrong = await exchange(await codeFor(), { code_verifier: "w".repeat(43) });
    expect(errorOf(wrong)).toBe("invalid_grant");
  });

  test("C09 serves once, for its client, for 60 s", async () => {
    const code = await codeFor();
    expect(errorOf(await other.post("/oauth/token", exchangeForm(code)))).toBe("invalid_grant");
    expect((await exchange(code)).status).toBe(200);
    expect(errorOf(await exchange(code))).toBe("invalid_grant");
    const late = await codeFor();
    await later(61, async () => expect(errorOf(await exchange(late))).toBe("invalid_grant"));
  });

  test("RFC 9449 §10: it is bound to the key of the pushed proof, or to dpop_jkt", async () => {
    const thief = { proofKey: generateJwk("ES256") };
    const pushed = await codeFor();
    expect(errorOf(await send("/oauth/token", exchangeForm(pushed), thief))).toBe("invalid_grant");
    const named = await send("/oauth/par", asked({ dpop_jkt: thumbprint(client.keys.dpop) }), {
      proof: false,
    });
    const code = (await through(browser, addressOf(named))).searchParams.get("code") ?? "";
    expect(errorOf(await send("/oauth/token", exchangeForm(code), thief))).toBe("invalid_grant");
    const again = await send("/oauth/par", asked({ dpop_jkt: thumbprint(client.keys.dpop) }), {
      proof: false,
    });
    const good = (await through(browser, addressOf(again))).searchParams.get("code") ?? "";
    expect((await exchange(good)).status).toBe(200);
  });
});

describe("FAPI 2.0: the client proves itself", () => {
  const paths = ["/oauth/par", "/oauth/token"];
  const formFor = (path: string): Form => (path === "/oauth/par" ? asked() : exchangeForm("none"));

  test.each([
    ["none", () => ({ assertion: false as const })],
    ["one that expired 5 minutes ago", () => ({ assertion: { iat: nowS() - 400, exp: nowS() - 300 } })],
    [
      "one more than 60 s ahead",
      () => ({ assertion: { iat: nowS() + 90, nbf: nowS() + 90, exp: nowS() + 120 } }),
    ],
    ["one for another", () => ({ assertion: { aud: "https://other.example" } })],
    ["one for the token endpoint", () => ({ assertion: { aud: `${running.issuer}/oauth/token` } })],
    ["one for the PAR endpoint", () => ({ assertion: { aud: `${running.issuer}/oauth/par` } })],
    ["one for an array", () => ({ assertion: { aud: [running.issuer] } })],
    ["one without sub", () => ({ assertion: { sub: undefined } })],
    ["one of another issuer", () => ({ assertion: { iss: other.id } })],
    ["one by another key", () => ({ assertionKey: generateJwk("ES256") })],
  ])("A08 an assertion that is %s is refused everywhere", async (_what, odd) => {
    for (const path of paths) {
      const answer = await send(path, formFor(path), odd());
      expect([400, 401], path).toContain(answer.status);
      expect(errorOf(answer), path).toBe("invalid_client");
    }
  });

  test("A08 RS256 is refused, and an assertion beside another client's id", async () => {
    const header = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString("base64url");
    const parts = client.assertion().split(".");
    const client_assertion = [header, parts[1], parts[2]].join(".");
    const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    const refused = await client.raw(
      "/oauth/par",
      { ...asked(), client_assertion, client_assertion_type },
      {},
    );
    expect(errorOf(refused)).toBe("invalid_client");
    const mixed = await send("/oauth/token", { ...exchangeForm("none"), client_id: other.id });
    expect(errorOf(mixed)).toBe("invalid_request");
  });

  test("A03 no token without a proof, and none for a proof that is not for this request", async () => {
    for (const odd of [
      { proof: false as const },
      { proof: { htm: "GET" } },
      { proof: { htu: `${running.issuer}/oauth/par` } },
      { proof: { iat: nowS() - 90 } },
      { proof: { iat: nowS() + 90 } },
      { proof: { jti: undefined } },
      { proof: { nonce: "made-up" } },
    ]) {
      const answer = await send("/oauth/token", exchangeForm(await codeFor()), odd);
      expect(answer.status, JSON.stringify(odd)).toBe(400);
      expect(["invalid_dpop_proof", "use_dpop_nonce", "invalid_grant"]).toContain(errorOf(answer));
    }
  });

  test("A03 a proof of another kind, or with a private key in it, is refused", async () => {
    const url = client.url("/oauth/token");
    const [, payload, signature] = client.proof(url).split(".");
    const jwk = publicJwkOf(client.keys.dpop);
    for (const header of [
      { typ: "JWT", alg: "ES256", jwk },
      { typ: "dpop+jwt", alg: "none", jwk },
      { typ: "dpop+jwt", alg: "HS256", jwk },
      { typ: "dpop+jwt", alg: "ES256" },
      { typ: "dpop+jwt", alg: "ES256", jwk: client.keys.dpop },
    ]) {
      const head = Buffer.from(JSON.stringify(header)).toString("base64url");
      const form = {
        ...exchangeForm("none"),
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: client.assertion(),
      };
      const dpop = [head, payload, signature].join(".");
      const answer = await client.raw("/oauth/token", form, { dpop });
      expect([answer.status, errorOf(answer)], JSON.stringify(header)).toEqual([400, "invalid_dpop_proof"]);
    }
  });
});

test("metadata says what the profile wants to read", async () => {
  const { body } = await read(await fetch(`${running.issuer}/.well-known/openid-configuration`));
  expect(body["token_endpoint_auth_methods_supported"]).toContain("private_key_jwt");
  expect(body["code_challenge_methods_supported"]).toEqual(["S256"]);
  expect(body["authorization_response_iss_parameter_supported"]).toBe(true);
  expect(body["dpop_signing_alg_values_supported"]).toEqual(expect.arrayContaining(["ES256", "EdDSA"]));
  expect(body["pushed_authorization_request_endpoint"]).toBe(`${running.issuer}/oauth/par`);
});
