import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { sql } from "@remit/platform/sql";
import { clientAssertionType } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { Browser, formOf } from "./browser.ts";
import { type Answer, newClient, OAuthClient } from "./client.ts";
import {
  approve,
  authorizeUrl,
  exchange,
  mandateRequest,
  newAsking,
  obtainCode,
  openConsent,
  pushedForm,
  redirectUri,
} from "./consent.ts";
import { newKeys, principal, type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

const push = (more: Record<string, string> = {}) => agent.post("/oauth/par", pushedForm(newAsking(), more));

async function withoutMember(name: string): Promise<unknown> {
  const form = pushedForm(newAsking());
  delete form[name];
  return (await agent.post("/oauth/par", form)).body["error"];
}

describe("A04 a redirect goes exactly where it was registered to go", () => {
  test.each([
    "http://127.0.0.1/callback?x=1",
    "http://127.0.0.1/callback/",
    "http://127.0.0.1/Callback",
    "http://127.0.0.1/callback#f",
    "http://user@127.0.0.1/callback",
    "http://localhost/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://127.0.0.1@evil.example/callback",
    "https://127.0.0.1/callback",
    "http://127。0。0。1/callback",
    "http://127.1/callback",
    "http://evil.example/callback",
  ])("A04 %s is refused", async (uri) => {
    const answer = await push({ redirect_uri: uri });
    expect(answer).toMatchObject({ status: 400 });
    expect(["invalid_request", "invalid_redirect_uri"]).toContain(answer.body["error"]);
  });

  test("A04 the port of a loopback address is free (RFC 8252 §7.3)", async () => {
    expect((await push({ redirect_uri: "http://127.0.0.1:51234/callback" })).status).toBe(201);
  });
});

describe("A05 PKCE holds", () => {
  test("A05 a challenge is required, and by S256", async () => {
    expect(await withoutMember("code_challenge")).toBe("invalid_request");
    expect((await push({ code_challenge_method: "plain" })).body["error"]).toBe("invalid_request");
    const bare = pushedForm(newAsking());
    delete bare["code_challenge"];
    delete bare["code_challenge_method"];
    expect((await agent.post("/oauth/par", bare)).body["error"]).toBe("invalid_request");
  });

  test("A05 the code wants the verifier of its own challenge", async () => {
    const consented = await obtainCode(running, agent);
    const other = await exchange(agent, consented, { code_verifier: newAsking().verifier });
    expect(other).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    const none = await agent.post("/oauth/token", {
      grant_type: "authorization_code",
      code: consented.code,
      redirect_uri: redirectUri,
    });
    expect(none.body["error"]).toBe("invalid_grant");
    expect((await exchange(agent, consented)).status).toBe(200);
  });
});

describe("A06 an authorization begins with a pushed request, once, by its own client", () => {
  test("A06 parameters in the front channel are refused without a pushed request", async () => {
    const query = new URLSearchParams({ client_id: agent.id, ...pushedForm(newAsking()) });
    const response = await new Browser().send(`${running.issuer}/oauth/authorize?${query}`);
    const answer = new URL(response.headers.get("location") ?? "").searchParams;
    expect(answer.get("error")).toBe("invalid_request");
    expect(answer.get("iss")).toBe(running.issuer);
    expect(answer.get("code")).toBeNull();
  });

  test("A06 front-channel parameters do not override what was pushed", async () => {
    const { body } = await push();
    const url = `${authorizeUrl(running, agent.id, body["request_uri"])}&scope=openid&resource=https%3A%2F%2Fevil.example`;
    const page = await openConsent(new Browser(), url);
    expect(page.html).not.toContain("evil.example");
  });

  test("A06 an unknown request_uri, and one of another client", async () => {
    const { body } = await push();
    const other = await newClient(running, "agent");
    for (const url of [
      authorizeUrl(running, other.id, body["request_uri"]),
      authorizeUrl(running, agent.id, "urn:ietf:params:oauth:request_uri:made-up"),
      authorizeUrl(running, agent.id, "https://evil.example/request"),
    ]) {
      const page = await new Browser().open(url, redirectUri);
      expect(page.html).not.toContain("<form");
      if (page.status !== 302)
        expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      const error =
        page.status === 302 ? new URL(page.url).searchParams : new URLSearchParams({ error: "page" });
      expect(error.get("error")).toBeTruthy();
      expect(error.get("code")).toBeNull();
    }
  });

  test("A06 used to the end, it is used up; opened twice before, it gives one mandate", async () => {
    const asking = newAsking();
    const { body } = await agent.post("/oauth/par", pushedForm(asking));
    const url = authorizeUrl(running, agent.id, body["request_uri"]);
    const [first, second] = [new Browser(), new Browser()];
    const pages = [await openConsent(first, url), await openConsent(second, url)] as const;
    expect((await approve(first, pages[0])).searchParams.get("code")).toBeTruthy();
    const again = formOf(pages[1]);
    const refused = await second.send(again.action, { ...again.fields, decision: "approve" });
    expect(refused.status).toBe(400);
    const used = await new Browser().open(url, redirectUri);
    expect(new URL(used.url).searchParams.get("error")).toBe("invalid_request_uri");
  });

  test("A06 the push needs its DPoP proof, and the code stays with that key", async () => {
    await agent.learnNonce();
    const form = { ...pushedForm(newAsking()), client_id: agent.id, client_assertion: agent.assertion() };
    const type = { client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" };
    expect((await agent.raw("/oauth/par", { ...form, ...type }, {})).body["error"]).toBe(
      "invalid_dpop_proof",
    );
  });

  test.each([
    ["an amount as text", { amount_minor: "500" }],
    ["a fraction", { amount_minor: 1.5 }],
    ["nothing to spend", { amount_minor: 0 }],
    ["an unknown currency", { currency: "XXQ" }],
    ["an unknown member", { unlimited: true }],
    ["a merchant with a path", { merchants: ["https://shop.example/a"] }],
    ["a card of the agent's choice", { instrument: "ins_00000000000000000000000000" }],
    ["a per-charge limit above the whole", { per_charge_minor: 60_000 }],
  ])("what a principal could not read on the page is refused at the push: %s", async (_, wrong) => {
    const answer = await push({ authorization_details: JSON.stringify([{ ...mandateRequest, ...wrong }]) });
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_authorization_details" } });
  });
});

test("A07 every answer at the redirect names its issuer, refusals too", async () => {
  const consented = await obtainCode(running, agent);
  expect(consented.answer.searchParams.get("iss")).toBe(running.issuer);
  const { body } = await push();
  const browser = new Browser();
  const page = await openConsent(browser, authorizeUrl(running, agent.id, body["request_uri"]));
  const denied = await approve(browser, page, "deny");
  expect(denied.searchParams.get("error")).toBe("access_denied");
  expect(denied.searchParams.get("iss")).toBe(running.issuer);
  expect(denied.searchParams.get("code")).toBeNull();
});

describe("A17 consent is given by the person in front of our own page, or not at all", () => {
  const consentPage = async (browser: Browser) => {
    const { body } = await push();
    return openConsent(browser, authorizeUrl(running, agent.id, body["request_uri"]));
  };

  test("A17 the pages refuse to be framed; consent runs no script, sign-in ours alone by its hash", async () => {
    const browser = new Browser();
    const { body } = await push();
    const signIn = await browser.open(authorizeUrl(running, agent.id, body["request_uri"]), redirectUri);
    const policy = signIn.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/script-src 'sha256-[\w+/=]{44}';/);
    expect(policy).not.toContain("unsafe");
    expect(policy).toContain("frame-ancestors 'none'");
    const page = await consentPage(browser);
    const csp = page.headers.get("content-security-policy") ?? "";
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).toContain("default-src 'none'");
    expect(csp).not.toContain("script-src");
    expect(page.headers.get("x-frame-options")).toBe("DENY");
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.html).not.toContain("<script");
  });

  test("A17 a GET approves nothing", async () => {
    const browser = new Browser();
    const { action, fields } = formOf(await consentPage(browser));
    const query = new URLSearchParams({ ...fields, decision: "approve" });
    expect((await browser.send(`${action}?${query}`)).status).toBe(405);
  });

  test("A17 a form without our token, from another site, or from another browser is refused", async () => {
    const browser = new Browser();
    const page = await consentPage(browser);
    const { action, fields } = formOf(page);
    const yes = { ...fields, decision: "approve" };
    expect((await browser.send(action, { ...yes, csrf: "guess" })).status).toBe(403);
    expect((await browser.send(action, yes, { origin: "https://evil.example" })).status).toBe(403);
    expect((await browser.send(action, yes, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await new Browser().send(action, yes)).status).toBe(404);
    const other = new Browser();
    const otherPage = await consentPage(other);
    const uidOfOther = formOf(otherPage).action;
    expect((await browser.send(uidOfOther, yes)).status).toBe(403);
    expect((await approve(browser, page)).searchParams.get("code")).toBeTruthy();
  });

  test("A17 a form sent twice gives one mandate and the same way on", async () => {
    const browser = new Browser();
    const { action, fields } = formOf(await consentPage(browser));
    const count = async () =>
      (await running.database.asAdmin<{ count: number }>("select count(*)::int as count from mandates"))[0]
        ?.count ?? 0;
    const before = await count();
    const first = await browser.send(action, { ...fields, decision: "approve" });
    const second = await browser.send(action, { ...fields, decision: "approve" });
    expect([first.status, second.status]).toEqual([303, 303]);
    expect(second.headers.get("location")).toBe(first.headers.get("location"));
    expect(await count()).toBe(before + 1);
  });

  test("D02 a process that dies right after a yes leaves a mandate that its agent can fetch, and no second one", async () => {
    const asking = newAsking();
    const pushed = await agent.post("/oauth/par", pushedForm(asking));
    const browser = new Browser();
    const page = await openConsent(browser, authorizeUrl(running, agent.id, pushed.body["request_uri"]));
    const { action, fields } = formOf(page);
    const count = async () => (await running.database.asAdmin("select 1 from mandates")).length;
    const before = await count();
    setFailpoint(failpointOf("consent.given:error", "test"));
    expect((await browser.send(action, { ...fields, decision: "approve" })).status).toBe(500);
    expect(await count()).toBe(before + 1);
    const code = (await approve(browser, page)).searchParams.get("code") ?? "";
    const tokens = await exchange(agent, { asking, code, answer: new URL(running.issuer) });
    expect(tokens.body["mandate_jwt"]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+~/);
    expect(await count()).toBe(before + 1);
  });

  test("A17 nobody consents before signing in", async () => {
    const { body } = await push();
    const browser = new Browser();
    const page = await browser.open(authorizeUrl(running, agent.id, body["request_uri"]), redirectUri);
    const { action, fields } = formOf(page);
    const target = action.replace("/sign-in", "/consent");
    const answer = await browser.send(target, { csrf: fields["csrf"] ?? "", decision: "approve" });
    expect(answer.status).toBe(400);
  });
});

describe("sign-in", () => {
  test("A19 five failures lock this account at this address, whatever comes next, and parallel guesses count", async () => {
    const other = await startServer();
    try {
      const theirs = await newClient(other, "agent");
      const pushed = await theirs.post("/oauth/par", pushedForm(newAsking()));
      const browser = new Browser();
      const url = authorizeUrl(other, theirs.id, pushed.body["request_uri"]);
      const { action, fields } = formOf(await browser.open(url, redirectUri));
      const attempt = async (password: string, email = principal.email) =>
        (await browser.send(action, { ...fields, email, password })).status;
      const guesses = await Promise.all(Array.from({ length: 8 }, () => attempt("guess")));
      expect(guesses.filter((status) => status === 401)).toHaveLength(5);
      expect(guesses.filter((status) => status === 429)).toHaveLength(3);
      expect(await attempt(principal.password)).toBe(429);
      expect(await attempt("guess", "somebody@example.com")).toBe(401);
    } finally {
      await other.close();
    }
  });

  test("A18 a wrong password and an unknown address read the same", async () => {
    const { body } = await push();
    const browser = new Browser();
    const page = await browser.open(authorizeUrl(running, agent.id, body["request_uri"]), redirectUri);
    const { action, fields } = formOf(page);
    const texts: string[] = [];
    for (const email of [principal.email, "nobody@example.com"]) {
      const answer = await browser.send(action, { ...fields, email, password: "wrong" });
      expect(answer.status).toBe(401);
      // A challenge is new each time, and says nothing of anybody.
      const fresh = /name="passkey" value="[^"]*"|data-options="[^"]*"/g;
      texts.push((await answer.text()).replaceAll(email, "…").replaceAll(fresh, ""));
    }
    expect(texts[0]).toBe(texts[1]);
  });
});

describe("V04 a person gets a page, whatever the form holds", () => {
  test.each([
    ["a NUL", { email: "ada\0@example.com", password: "x" }],
    ["no password", { email: principal.email }],
    ["a field that is not of the form", { email: principal.email, password: "x", role: "admin" }],
  ])("V04 sign-in with %s", async (_what, sent: Record<string, string>) => {
    const { body } = await push();
    const browser = new Browser();
    const page = await browser.open(authorizeUrl(running, agent.id, body["request_uri"]), redirectUri);
    const { action, fields } = formOf(page);
    const answer = await browser.send(action, { csrf: fields["csrf"] ?? "", ...sent });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    expect(answer.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  });
});

describe("C09 a code is redeemed once", () => {
  test("C09 of two parallel redemptions one succeeds, and everything it got is taken back with the mandate", async () => {
    const consented = await obtainCode(running, agent);
    await agent.learnNonce();
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(agent, consented)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const { status, body } of answers) if (status !== 200) expect(body["error"]).toBe("invalid_grant");
    const rows = await running.database.asAdmin<{ revoked: boolean; state: string }>(
      `select g.revoked_at is not null as revoked, m.state from oauth_grants g join mandates m on m.id = g.mandate_id
       where m.id = $1`,
      [won[0]?.body["mandate_id"]],
    );
    expect(rows).toEqual([{ revoked: true, state: "revoked" }]);
    const refreshed = await agent.post("/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: String(won[0]?.body["refresh_token"]),
    });
    expect(refreshed).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  });

  test("C09 somebody else's try with the code is just refused and ends nothing", async () => {
    const consented = await obtainCode(running, agent);
    const tokens = await exchange(agent, consented);
    const other = await newClient(running, "agent");
    expect((await exchange(other, consented)).body["error"]).toBe("invalid_grant");
    const refreshed = await agent.post("/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: String(tokens.body["refresh_token"]),
    });
    expect(refreshed.status).toBe(200);
  });

  test("C08 a lost answer to a refresh is given again, the same one, while its successor is unused", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const refresh_token = String(tokens.body["refresh_token"]);
    const refresh = () => agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token });
    const first = await refresh();
    const second = await refresh();
    expect(second).toMatchObject({ status: 200 });
    expect(second.body).toEqual(first.body);
  });

  test("C08 eight refreshes at once give one successor, and nobody loses the family", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const refresh_token = String(tokens.body["refresh_token"]);
    const refresh = () => agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token });
    const answers = await Promise.all(Array.from({ length: 8 }, refresh));
    const successors = new Set(
      answers.filter(({ status }) => status === 200).map(({ body }) => body["refresh_token"]),
    );
    expect(successors.size).toBe(1);
    for (const { status } of answers) expect([200, 503]).toContain(status);
    const next = await agent.post("/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: String([...successors][0]),
    });
    expect(next.status).toBe(200);
  });

  /** What a process leaves behind that died between using a token and keeping the answer; so many seconds ago. */
  const dieOver = (token: string, secondsAgo: number): Promise<unknown> =>
    running.database.asAdmin(
      `update oauth_artifacts set consumed_at = now() - make_interval(secs => $2)
       where model = 'RefreshToken' and id_digest = $1`,
      [sha256b64url(token), secondsAgo],
    );
  const mandateStateOf = async (tokens: Answer): Promise<unknown> => {
    const text = "select state from mandates where id = $1";
    return (await running.database.asAdmin<{ state: string }>(text, [tokens.body["mandate_id"]]))[0]?.state;
  };

  const refreshWith = (client: OAuthClient, token: unknown) =>
    client.post("/oauth/token", { grant_type: "refresh_token", refresh_token: String(token) });
  /** From a page, and so answered by the core: in front of it use and answer are one, and nobody can come in between. */
  const refreshByCore = (token: string) =>
    agent.raw(
      "/oauth/token",
      {
        grant_type: "refresh_token",
        refresh_token: token,
        client_assertion_type: clientAssertionType,
        client_assertion: agent.assertion(),
      },
      { dpop: agent.proof(agent.url("/oauth/token")), origin: "https://page.example" },
    );
  /** The refresh tokens of the token's family that could be used now. */
  const usable = async (token: string): Promise<number> =>
    (
      await running.database.asAdmin(
        `select 1 from oauth_artifacts a where model = 'RefreshToken' and consumed_at is null and grant_digest =
           (select grant_digest from oauth_artifacts where model = 'RefreshToken' and id_digest = $1)`,
        [sha256b64url(token)],
      )
    ).length;

  test("C08 a refresh that died a moment ago before its answer was kept is put off, and is no theft", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const token = String(tokens.body["refresh_token"]);
    await dieOver(token, 0);
    const again = await refreshWith(agent, token);
    expect(again).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(await mandateStateOf(tokens)).toBe("active");
  });

  test("D02 a refresh that died 11 s ago before its answer was kept is made once more, by the same key alone", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const token = String(tokens.body["refresh_token"]);
    await dieOver(token, 11);
    const thief = new OAuthClient(running, agent.id, { ...agent.keys, dpop: newKeys().dpop });
    expect((await refreshWith(thief, token)).body["error"]).toBe("invalid_dpop_proof");
    const first = await refreshWith(agent, token);
    expect(first.status).toBe(200);
    expect((await refreshWith(agent, token)).body).toEqual(first.body);
    await dieOver(token, 11);
    expect(await refreshWith(agent, token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect(await mandateStateOf(tokens)).toBe("suspended");
  });

  test("D02 a refresh that was held up for 11 s finds its place taken, and leaves one successor", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const token = String(tokens.body["refresh_token"]);
    const asAdmin = (text: string) => running.database.asAdmin(text);
    await asAdmin(`create function hold_up() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(42); return new; end $$`);
    await asAdmin(`create trigger held_up before insert on oauth_artifacts for each row
      when (new.model = 'RefreshToken') execute function hold_up()`);
    const holding = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holder = running.database.open().global.transaction(async (tx) => {
      await tx.run(sql`select pg_advisory_xact_lock(42)`);
      held.resolve();
      await holding.promise;
    });
    await held.promise;
    const waiting = () =>
      asAdmin("select 1 from pg_locks where locktype = 'advisory' and objid = 42 and not granted");
    const slow = refreshByCore(token);
    await eventually(async () => expect(await waiting()).toHaveLength(1));
    await dieOver(token, 11);
    const quick = refreshByCore(token);
    await eventually(async () => expect(await waiting()).toHaveLength(2));
    holding.resolve();
    await holder;
    const answers = await Promise.all([slow, quick]);
    await asAdmin("drop trigger held_up on oauth_artifacts");
    expect(answers.map(({ status }) => status)).toEqual([503, 200]);
    expect(await usable(token)).toBe(1);
    expect((await refreshWith(agent, token)).body).toEqual(answers[1].body);
    expect((await refreshWith(agent, answers[1].body["refresh_token"])).status).toBe(200);
    expect(await mandateStateOf(tokens)).toBe("active");
  });

  test("A10 a refresh token used again 11 s after its answer is a replay, though its successor is unused", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const refresh_token = String(tokens.body["refresh_token"]);
    const refresh = () => agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token });
    expect((await refresh()).status).toBe(200);
    await dieOver(refresh_token, 11);
    expect((await refresh()).body["error"]).toBe("invalid_grant");
    expect(await mandateStateOf(tokens)).toBe("suspended");
  });

  test("A10 a refresh token used again after its successor ends the family and suspends the mandate", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    const refresh = (token: unknown) =>
      agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token: String(token) });
    const second = await refresh(tokens.body["refresh_token"]);
    const third = await refresh(second.body["refresh_token"]);
    expect(third.status).toBe(200);
    expect((await refresh(tokens.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    expect((await refresh(third.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    const call = { token: String(third.body["access_token"]), key: agent.keys.dpop };
    expect((await callApi(running, call)).status).toBe(401);
    const rows = await running.database.asAdmin("select state from mandates where id = $1", [
      tokens.body["mandate_id"],
    ]);
    expect(rows).toEqual([{ state: "suspended" }]);
    const events = await running.database.asAdmin<{ type: string }>(
      "select type from outbox where type = 'security.refresh_replay'",
    );
    expect(events.length).toBeGreaterThan(0);
  });

  test("a code is bound to the key that pushed the request", async () => {
    const consented = await obtainCode(running, agent);
    const thief = new OAuthClient(running, agent.id, { ...agent.keys, dpop: newKeys().dpop });
    expect((await exchange(thief, consented)).body["error"]).toBe("invalid_dpop_proof");
    expect((await exchange(agent, consented)).status).toBe(200);
  });
});
