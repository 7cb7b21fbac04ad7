import { systemClock } from "@remit/kernel";
import { Problem, type PublicJwk, parsePublicJwk, publicJwkOf } from "@remit/protocol";
import { verifyAccessToken, verifyLogoutToken } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Browser, formOf, type Page } from "./browser.ts";
import { type InWallet, openWallet } from "./in-wallet.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { newRelyingParty, through } from "./relying-party.ts";
import { adminSecret, principal, type Running, startServer, walletRedirect } from "./running.ts";

const home = "https://wallet.example/bye";

let running: Running;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  running = await startServer({ tenantOutboundAllow: [receiver.host] });
  await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    wallet: {
      jwks: { keys: [publicJwkOf(running.wallet.assertion)] },
      redirectUris: [walletRedirect],
      postLogoutRedirectUris: [home],
      backchannelLogoutUri: receiver.uri,
    },
  });
});
afterAll(async () => {
  await running.close();
  await receiver.close();
});

const payloadOf = (jwt: string): Record<string, unknown> =>
  Object(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
const headerOf = (jwt: string): Record<string, unknown> =>
  Object(JSON.parse(Buffer.from(jwt.split(".")[0] ?? "", "base64url").toString("utf8")));
const issuerKeys = async (): Promise<PublicJwk[]> =>
  Object(await (await fetch(`${running.issuer}/oauth/jwks.json`)).json()).keys.flatMap(
    (jwk: unknown) => parsePublicJwk(jwk) ?? [],
  );
const statusOf = async (person: InWallet): Promise<number> =>
  (await person.call("GET", "/api/v1/sessions")).status;
const ask = (person: InWallet, params: Record<string, string>): Promise<Page> =>
  person.browser.open(`${running.issuer}/oauth/end-session?${new URLSearchParams(params)}`, home);
const answerWith = (person: InWallet, page: Page, more: Record<string, string>): Promise<Page> => {
  const { action, fields } = formOf(page);
  return person.browser.open(action, home, { ...fields, ...more });
};

/** Nothing is left to be told to anybody. */
const settled = (): Promise<void> =>
  vi.waitFor(async () => {
    const waiting = await running.database.asAdmin("select 1 from jobs where queue = 'logout.deliver'");
    expect(waiting).toEqual([]);
  }, 20_000);

describe("RP-initiated logout", () => {
  test("the person is asked, says yes, is signed out everywhere and comes back with the state", async () => {
    const person = await openWallet(running);
    const page = await ask(person, {
      id_token_hint: person.idToken,
      post_logout_redirect_uri: home,
      state: "s1",
    });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(await statusOf(person)).toBe(200);
    const back = await answerWith(person, page, { logout: "yes" });
    expect(back.url).toBe(`${home}?state=s1`);
    expect(await statusOf(person)).toBe(401);
    expect((await person.refreshed()).body["error"]).toBe("invalid_grant");
  });

  test("who says no stays signed in", async () => {
    const person = await openWallet(running);
    await answerWith(person, await ask(person, { client_id: "wallet" }), {});
    expect(await statusOf(person)).toBe(200);
    const [row] = await running.database.asAdmin("select ended_at from sessions where sid = $1", [
      payloadOf(person.access)["sid"],
    ]);
    expect(row).toEqual({ ended_at: null });
  });

  test("without a client there is nowhere to go but our own page", async () => {
    const person = await openWallet(running);
    const page = await ask(person, { post_logout_redirect_uri: "https://evil.example" });
    const end = await answerWith(person, page, { logout: "yes" });
    expect(end.html).toContain("You are signed out");
    expect(end.url).toBe(`${running.issuer}/oauth/end-session/success`);
  });

  test("a form that is posted to the address is taken as well (RP-Initiated Logout 1.0 §2)", async () => {
    const person = await openWallet(running);
    const posted = await person.browser.open(`${running.issuer}/oauth/end-session`, home, {
      client_id: "wallet",
      post_logout_redirect_uri: home,
    });
    expect(posted.html).toContain("Sign out?");
  });
});

describe("A20 a logout leads nowhere but where its client registered, exactly", () => {
  test.each([
    `${home}/`,
    `${home}?next=https://evil.example`,
    `${home}#x`,
    "https://wallet.example/BYE",
    "https://wallet.example@evil.example/bye",
    "https://evil.example/bye",
    "http://wallet.example/bye",
    "//wallet.example/bye",
    "javascript:alert(1)",
  ])("A20 %j", async (uri) => {
    const browser = new Browser();
    const query = new URLSearchParams({ client_id: "wallet", post_logout_redirect_uri: uri });
    const answer = await browser.send(`${running.issuer}/oauth/end-session?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("location")).toBeNull();
  });

  test("A20 a hint of one client and the name of another", async () => {
    const person = await openWallet(running);
    const page = await ask(person, { id_token_hint: person.idToken, client_id: "billing" });
    expect(page.status).toBe(400);
  });
});

describe("A17 nobody else signs a person out", () => {
  test("A17 asking changes nothing, and an answer without our page's secret is refused", async () => {
    const person = await openWallet(running);
    await ask(person, { client_id: "wallet" });
    const confirm = `${running.issuer}/oauth/end-session/confirm`;
    for (const form of [{ logout: "yes" }, { logout: "yes", xsrf: "0".repeat(48) }])
      expect((await person.browser.send(confirm, form)).status).toBe(400);
    expect((await person.browser.send(confirm)).status).toBe(404);
    expect(await statusOf(person)).toBe(200);
  });
});

describe("A02 a token of one kind does not pass for another", () => {
  test("A02 neither a logout token nor an access token is a hint", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    const before = receiver.tokens.length;
    await there.call("POST", "/api/v1/sessions/revoke", { which: "all" });
    const [logoutToken = ""] = (await receiver.heard(before + 1)).slice(before);
    for (const hint of [logoutToken, here.access, `${here.idToken}x`, "nonsense"])
      expect((await ask(here, { id_token_hint: hint })).status, hint.slice(0, 20)).toBe(400);
    const check = { issuer: running.issuer, keys: await issuerKeys(), now: systemClock.now() };
    expect(() => verifyAccessToken({ ...check, audience: "wallet", token: logoutToken })).toThrow(Problem);
    for (const token of [here.access, here.idToken])
      expect(() => verifyLogoutToken({ ...check, clientId: "wallet", token })).toThrow(Problem);
    expect(headerOf(logoutToken)["typ"]).toBe("logout+jwt");
    expect(headerOf(here.idToken)["typ"]).toBeUndefined();
    expect(payloadOf(here.idToken)).not.toHaveProperty("events");
  });
});

describe("back-channel logout", () => {
  test("a session that ends on the device list is told to its client, in a token that says which", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    await here.call("POST", "/api/v1/sessions/revoke", { which: "others" });
    await settled();
    const token =
      receiver.tokens.find((one) => payloadOf(one)["sid"] === payloadOf(there.idToken)["sid"]) ?? "";
    const payload = payloadOf(token);
    const told = verifyLogoutToken({
      token,
      issuer: running.issuer,
      clientId: "wallet",
      keys: await issuerKeys(),
      now: systemClock.now(),
    });
    expect(told).toMatchObject({ sub: running.account, sid: payloadOf(there.idToken)["sid"] });
    expect(headerOf(token)).toMatchObject({ typ: "logout+jwt", alg: "ES256" });
    expect(payload).toMatchObject({
      iss: running.issuer,
      aud: "wallet",
      sub: running.account,
      events: { "http://schemas.openid.net/event/backchannel-logout": {} },
      jti: expect.stringMatching(/^.{20,}$/),
    });
    expect(Number(payload["exp"]) - Number(payload["iat"])).toBe(120);
    expect(payload).not.toHaveProperty("nonce");
    expect(payloadOf(there.idToken)["sid"]).not.toBe(payloadOf(there.access)["sid"]);
  });

  test("is signed as the client's ID tokens are, with EdDSA for who asked for that", async () => {
    const party = await newRelyingParty(running, {
      id_token_signed_response_alg: "EdDSA",
      backchannel_logout_uri: receiver.uri,
    });
    const person = await openWallet(running);
    const code = (await through(person.browser, party.authorizeUrl())).searchParams.get("code") ?? "";
    const idToken = String((await party.exchange(code)).body["id_token"]);
    expect(headerOf(idToken)["alg"]).toBe("EdDSA");
    await person.call("POST", "/api/v1/sessions/revoke", { which: "all" });
    await settled();
    const token = receiver.tokens.find((one) => payloadOf(one)["aud"] === party.id) ?? "";
    expect(headerOf(token)).toMatchObject({ alg: "EdDSA", kid: headerOf(idToken)["kid"] });
    const check = { token, issuer: running.issuer, clientId: party.id, keys: await issuerKeys() };
    expect(verifyLogoutToken({ ...check, now: systemClock.now() })).toMatchObject({
      sid: payloadOf(idToken)["sid"],
    });
  });

  test("W06 a client that fails is told again, one that refuses is not", async () => {
    const person = await openWallet(running);
    await person.call("POST", "/api/v1/sessions/revoke", { which: "others" });
    await settled();
    const before = receiver.tokens.length;
    receiver.answer(503, 400);
    await person.call("POST", "/api/v1/sessions/revoke", { which: "all" });
    await receiver.heard(before + 1);
    await vi.waitFor(async () => {
      const sooner = "update jobs set run_at = now() where last_error is not null returning 1";
      expect(await running.database.asAdmin(sooner)).toHaveLength(1);
    }, 20_000);
    const [first = "", second = ""] = (await receiver.heard(before + 2)).slice(before);
    expect(payloadOf(second)["sid"]).toBe(payloadOf(first)["sid"]);
    expect(payloadOf(second)["jti"]).not.toBe(payloadOf(first)["jti"]);
    await settled();
    expect(receiver.tokens).toHaveLength(before + 2);
  });
});
