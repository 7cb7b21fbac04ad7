import { after, type Clock, minuteMs, secondMs, systemClock } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeAt, stepAt } from "../src/factors/totp.ts";
import { callApi } from "./api.ts";
import { decodeBase32 } from "./authenticator.ts";
import { Browser, formTo, type Page } from "./browser.ts";
import type { Answer, OAuthClient } from "./client.ts";
import { newClient } from "./client.ts";
import { approve, authorizeUrl, newAsking, pushedForm, redirectUri } from "./consent.ts";
import { askAsWallet, codeMailedTo, letterTo, walletOf } from "./person.ts";
import { principal, type Running, startServer, walletRedirect } from "./running.ts";

let running: Running;
let wallet: OAuthClient;

/** By how much the server is ahead, for somebody who takes long over a page. */
let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => after(systemClock.now(), aheadMs) };

beforeAll(async () => {
  // As behind an ingress: each attempt may come from an address of its own.
  running = await startServer({ trustedProxies: ["127.0.0.1"] }, { clock });
  wallet = walletOf(running);
});
afterAll(() => running?.close());

let addresses = 0;
const newAddress = (): string => `203.0.113.${++addresses % 250}`;

/** Somebody in front of the sign-in page of the wallet. */
class Visitor {
  readonly browser = new Browser();
  readonly ip = newAddress();
  page!: Page; // set by `open`, which makes every visitor
  #asked!: Awaited<ReturnType<typeof askAsWallet>>;

  static async open(more: Record<string, string> = {}): Promise<Visitor> {
    const visitor = new Visitor();
    await visitor.ask(more);
    return visitor;
  }

  async ask(more: Record<string, string> = {}): Promise<void> {
    this.#asked = await askAsWallet(running, wallet, more);
    this.page = await this.browser.open(this.#asked.url, walletRedirect);
  }

  async follow(step: string): Promise<void> {
    const at = /(.*\/oauth\/interactions\/[\w-]+)/.exec(this.page.url)?.[1] ?? "";
    this.page = await this.browser.open(at + step, walletRedirect);
  }

  /** Fills the form that goes to that step, sends it, and reads the page after it. */
  async send(step: string, filled: Record<string, string>): Promise<Page> {
    const { action, fields } = formTo(this.page, step);
    const response = await this.browser.send(
      action,
      { ...fields, ...filled },
      { "x-forwarded-for": this.ip },
    );
    const location = response.headers.get("location");
    this.page =
      location === null
        ? { url: action, status: response.status, headers: response.headers, html: await response.text() }
        : await this.browser.open(new URL(location, action).href, walletRedirect);
    return this.page;
  }

  signIn = (email: string, password: string): Promise<Page> => this.send("/sign-in", { email, password });

  async allow(): Promise<Answer> {
    await this.send("/consent", { decision: "approve" });
    return this.#asked.redeem(this.page.url);
  }
}

const claimsOf = (answer: Answer): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(answer.body["access_token"]).split(".")[1] ?? "", "base64url").toString());

const methodsOf = async (token: Answer): Promise<Record<string, unknown>> => {
  const of = { token: String(token.body["access_token"]), key: wallet.keys.dpop };
  return (await callApi(running, { ...of, path: "/api/v1/account/sign-in-methods" })).body;
};

const password = "four words make a phrase";

async function signUp(email: string): Promise<Visitor> {
  const visitor = await Visitor.open();
  await visitor.follow("/sign-up");
  await visitor.send("/sign-up", { name: "Lin", email });
  await visitor.send("/sign-up/code", { code: await codeMailedTo(running, email) });
  await visitor.send("/sign-up/password", { password });
  return visitor;
}

/** Adds an authenticator app in the middle of a request that wants two factors; returns its secret. */
async function addApp(visitor: Visitor, email: string, mails: number): Promise<Uint8Array> {
  const secret = await offerApp(visitor, email, mails);
  await visitor.send("/enrol/app", { code: codeNow(secret) });
  return secret;
}

/** As far as the page that shows the secret of an app to be added. */
async function offerApp(visitor: Visitor, email: string, mails: number): Promise<Uint8Array> {
  await visitor.ask({ acr_values: "urn:remit:aal2" });
  await visitor.signIn(email, password);
  await visitor.send("/enrol/code", { code: await codeMailedTo(running, email, mails) });
  return secretIn(visitor.page);
}

const secretIn = ({ html }: Page): Uint8Array =>
  decodeBase32(/Key: <code>([A-Z2-7 ]+)</.exec(html)?.[1]?.replaceAll(" ", "") ?? "");

const codeNow = (secret: Uint8Array): string => codeAt(secret, stepAt(clock.now()));

const recoveryCodesIn = (page: Page): string[] =>
  [...page.html.matchAll(/<li>([a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4})<\/li>/g)].map(([, code]) => code ?? "");

describe("A18 nobody learns who has an account", () => {
  test("A18 signing up with a known address shows the same page; only the mailbox is told, and no code opens it", async () => {
    const pages: string[] = [];
    for (const email of [principal.email, "new-1@example.com"]) {
      const visitor = await Visitor.open();
      await visitor.follow("/sign-up");
      const page = await visitor.send("/sign-up", { name: "Lin", email });
      expect(page.status).toBe(200);
      pages.push(withoutSecrets(page.html, email));
      const { text } = await letterTo(running, email);
      expect(text).toContain(email === principal.email ? "There is one already" : "Your code is");
      const refused = await visitor.send("/sign-up/code", { code: "1234 5678" });
      pages.push(withoutSecrets(refused.html, email));
      expect(refused.status).toBe(401);
    }
    expect(pages.slice(0, 2)).toEqual(pages.slice(2));
  });

  test("A18 recovery of an unknown address shows the same pages", async () => {
    const pages: string[] = [];
    for (const email of [principal.email, "unknown-1@example.com"]) {
      const visitor = await Visitor.open();
      await visitor.follow("/recovery");
      const page = await visitor.send("/recovery", { email });
      expect(page.status).toBe(200);
      pages.push(withoutSecrets(page.html, email));
      const refused = await visitor.send("/recovery/code", { code: "1234 5678" });
      pages.push(withoutSecrets(refused.html, email));
    }
    expect(pages.slice(0, 2)).toEqual(pages.slice(2));
  });

  test("A18 a wrong password takes as long with an account as without (rank test)", async () => {
    const times: { known: boolean; ms: number }[] = [];
    const visitor = await Visitor.open();
    const { action, fields } = formTo(visitor.page, "/sign-in");
    for (let i = 0; i < 60; i++) {
      const known = i % 2 === 0;
      const email = known ? principal.email : `nobody-${i}@example.com`;
      const from = performance.now();
      const sent = { ...fields, email, password: `wrong ${i}` };
      const answer = await visitor.browser.send(action, sent, { "x-forwarded-for": newAddress() });
      await answer.text();
      expect(answer.status).toBe(401);
      if (i >= 10) times.push({ known, ms: performance.now() - from });
    }
    // Mann-Whitney: were one kind slower by a comparison of passwords, z would be above 8.
    expect(Math.abs(rankScore(times))).toBeLessThan(4);
  });
});

function withoutSecrets(html: string, email: string): string {
  return html
    .replaceAll(email, "…")
    .replace(/value="[\w-]{40,}"/g, "")
    .replace(/interactions\/[\w-]+/g, "");
}

function rankScore(times: readonly { known: boolean; ms: number }[]): number {
  const sorted = [...times].sort((a, b) => a.ms - b.ms);
  const ranks = sorted.map(({ known }, i) => (known ? i + 1 : 0)).reduce((sum, rank) => sum + rank, 0);
  const n = times.filter(({ known }) => known).length;
  const m = times.length - n;
  const u = ranks - (n * (n + 1)) / 2;
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}

describe("A18 an address that the application has for a person", () => {
  const emailIn = (visitor: Visitor, step: string): string | undefined =>
    formTo(visitor.page, step).fields["email"];

  test("A18 fills the field, the same whoever has it, and says nothing of anybody", async () => {
    const pages: string[] = [];
    for (const hint of [principal.email, "nobody-has-this@example.com"]) {
      const visitor = await Visitor.open({ login_hint: hint });
      expect(emailIn(visitor, "/sign-in")).toBe(hint);
      pages.push(withoutSecrets(visitor.page.html, hint));
      await visitor.follow("/recovery");
      expect(emailIn(visitor, "/recovery")).toBe(hint);
      await visitor.follow("/sign-up");
      expect(emailIn(visitor, "/sign-up")).toBe(hint);
    }
    expect(withoutOptions(pages[0])).toBe(withoutOptions(pages[1]));
  });

  test.each([
    ['"><script>alert(1)</script>'],
    ['"onfocus=alert(1) autofocus="@example.com'],
    ["not an address"],
    [`${"x".repeat(250)}@example.com`],
    ["a@example.com\r\nSet-Cookie: x=1"],
  ])("V06 is left out when it is none: %s", async (hint) => {
    const visitor = await Visitor.open({ login_hint: hint });
    expect(emailIn(visitor, "/sign-in")).toBe("");
    expect(visitor.page.html).not.toContain("alert(1)");
  });
});

const withoutOptions = (html = ""): string => html.replace(/data-options="[^"]*"/, "");

describe("A19 guesses are stopped where they come from", () => {
  test("A19 what others guess elsewhere never locks the owner out", async () => {
    const email = "owner@example.com";
    await signUp(email);
    for (let from = 0; from < 6; from++) {
      const thief = await Visitor.open();
      for (let i = 0; i < 5; i++) expect((await thief.signIn(email, `guess ${i}`)).status).toBe(401);
      const locked = await thief.signIn(email, password);
      expect(locked.status).toBe(429);
      expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const owner = await Visitor.open();
    await owner.signIn(email, password);
    expect((await owner.allow()).status).toBe(200);
  });
});

describe("a new account", () => {
  test("signs in with a password that is long and not one everybody tries", async () => {
    const email = "picky@example.com";
    const visitor = await Visitor.open();
    await visitor.follow("/sign-up");
    await visitor.send("/sign-up", { name: "<b>Lin</b>", email });
    const code = await codeMailedTo(running, email);
    const letter = visitor.page;
    await visitor.send("/sign-up/code", { code });
    for (const weak of ["short", "password1234", "Password1234", "qwertyuiop123"]) {
      const page = await visitor.send("/sign-up/password", { password: weak });
      expect(page.status).toBe(400);
      expect(page.html).toMatch(/at least 12|stolen/);
    }
    const chosen = visitor.page;
    await visitor.send("/sign-up/password", { password });
    const token = await visitor.allow();
    expect(claimsOf(token)).toMatchObject({ acr: "urn:remit:aal1", amr: ["pwd"] });
    expect(claimsOf(token)["auth_time"]).toBeTypeOf("number");
    // Neither the letter's code nor the page after it makes a second account.
    for (const [page, step, more] of [
      [letter, "/sign-up/code", { code }],
      [chosen, "/sign-up/password", { password }],
    ] as const) {
      visitor.page = page;
      expect((await visitor.send(step, { ...more })).status).toBeGreaterThanOrEqual(400);
    }
    const rows = await running.database.asAdmin(
      "select t.kind from memberships m join tenants t using (tenant_id) join accounts a on a.home_tenant = t.tenant_id and a.id = m.account_id where m.account_id = $1",
      [claimsOf(token)["sub"]],
    );
    expect(rows).toEqual([{ kind: "personal" }]);
  });

  test("A17 a mailed code opens nothing in another browser, and five wrong ones close it", async () => {
    const email = "other@example.com";
    const [mine, theirs] = [await Visitor.open(), await Visitor.open()];
    for (const visitor of [mine, theirs]) await visitor.follow("/sign-up");
    await mine.send("/sign-up", { name: "Lin", email });
    const code = await codeMailedTo(running, email);
    await theirs.send("/sign-up", { name: "Eve", email: "eve@example.com" });
    const { fields } = formTo(mine.page, "/sign-up/code");
    expect((await theirs.send("/sign-up/code", { ticket: fields["ticket"] ?? "", code })).status).toBe(400);
    for (let i = 0; i < 5; i++)
      expect((await mine.send("/sign-up/code", { code: `0000 000${i}` })).status).toBe(401);
    expect((await mine.send("/sign-up/code", { code })).html).toContain("Too many attempts");
  });

  test("cannot be made where the operator has closed sign-up", async () => {
    const closed = await startServer({ signUp: "closed" });
    try {
      const asked = await askAsWallet(closed, walletOf(closed));
      const browser = new Browser();
      const page = await browser.open(asked.url, walletRedirect);
      expect(page.html).not.toContain("Create an account");
      expect((await browser.send(`${page.url}/sign-up`)).status).toBe(404);
    } finally {
      await closed.close();
    }
  });
});

describe("A16 more is shown where more is asked for", () => {
  const email = "stepper@example.com";
  let secret: Uint8Array;
  let recoveryCodes: string[];
  let visitor: Visitor;

  const makeCodes = (token: Answer) =>
    callApi(running, {
      token: String(token.body["access_token"]),
      key: wallet.keys.dpop,
      method: "POST",
      path: "/api/v1/account/recovery-codes",
    });

  test("A16 a call refuses a one-factor token, the client asks again with acr_values, and the new token is taken", async () => {
    visitor = await signUp(email);
    const refused = await makeCodes(await visitor.allow());
    expect(refused).toMatchObject({ status: 401, body: { code: "insufficient_user_authentication" } });
    const challenge = refused.headers.get("www-authenticate") ?? "";
    expect(challenge).toContain('error="insufficient_user_authentication"');
    expect(challenge).toContain('acr_values="urn:remit:aal2 urn:remit:aal3"');
    expect(challenge).toContain('max_age="300"');
    // Only the mailbox's owner adds a second factor: the password alone does not.
    secret = await addApp(visitor, email, 2);
    recoveryCodes = recoveryCodesIn(visitor.page);
    expect(recoveryCodes).toHaveLength(10);
    await visitor.send("/kept-codes", {});
    const token = await visitor.allow();
    expect(claimsOf(token)).toMatchObject({ acr: "urn:remit:aal2", amr: ["pwd", "otp", "mfa"] });
    const made = await makeCodes(token);
    expect(made.status).toBe(200);
    // The former ones no longer work.
    recoveryCodes = made.body["recovery_codes"] as string[]; // as its contract says
  });

  test("A16 from then on a password alone signs nobody in, a used code neither, and a recovery code once", async () => {
    const thief = await Visitor.open();
    const second = await thief.signIn(email, password);
    expect(second.html).toContain("One more step");
    const used = codeAt(secret, stepAt(systemClock.now()));
    expect((await thief.send("/second-factor", { code: used })).status).toBe(401);
    const [code = ""] = recoveryCodes;
    expect((await thief.send("/second-factor", { code: "aaaa-aaaa-aaaa" })).status).toBe(401);
    await thief.send("/second-factor", { code: code.toUpperCase() });
    const token = await thief.allow();
    expect(claimsOf(token)).toMatchObject({ acr: "urn:remit:aal2" });
    expect((await letterTo(running, email, 5)).text).toContain("recovery code was used");
    const again = await Visitor.open();
    await again.signIn(email, password);
    expect((await again.send("/second-factor", { code })).status).toBe(401);
  });

  test("A16 an old session of one factor gives no mandate once its person has two", async () => {
    const old = "old-session@example.com";
    const [first, second] = [await signUp(old), await Visitor.open()];
    await addApp(second, old, 2);
    const agent = await newClient(running, "agent");
    const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
    const url = authorizeUrl(running, agent.id, pushed.body["request_uri"]);
    const page = await first.browser.open(url, redirectUri);
    expect(page.html).toContain("Show that it is you");
    expect(page.html).not.toContain("Allow spending");
  });

  test("A16 five wrong codes lock that address, and nobody else's", async () => {
    const thief = await Visitor.open();
    await thief.signIn(email, password);
    for (let i = 0; i < 5; i++)
      expect((await thief.send("/second-factor", { code: "000000" })).status).toBe(401);
    expect((await thief.send("/second-factor", { code: recoveryCodes[1] ?? "" })).status).toBe(429);
    const owner = await Visitor.open();
    await owner.signIn(email, password);
    await owner.send("/second-factor", { code: recoveryCodes[1] ?? "" });
    expect((await owner.allow()).status).toBe(200);
  });

  test("A16 of two who add a second factor at once one does; who comes later, or again, replaces nothing", async () => {
    const mine = "two-at-once@example.com";
    const visitors = [await signUp(mine), await Visitor.open(), await Visitor.open()];
    const secrets: Uint8Array[] = [];
    for (const [i, visitor] of visitors.entries()) secrets.push(await offerApp(visitor, mine, 2 + i));
    const send = (i: number) => visitors[i]?.send("/enrol/app", { code: codeNow(secrets[i] ?? Buffer.of()) });
    const pages = await Promise.all([send(0), send(1)]);
    expect(new Set(pages.map((page) => page?.status))).toEqual(new Set([200, 400]));
    const kept = () =>
      running.database.asAdmin(
        "select a.sealed, c.digest from authenticator_apps a join recovery_codes c using (account_id) order by 1, 2",
      );
    const before = await kept();
    expect((await send(2))?.html).toContain("second way by now");
    expect(await kept()).toEqual(before);
  });

  test("A16 the page that adds a second factor adds one, once", async () => {
    const mine = "once@example.com";
    const adding = await signUp(mine);
    const unused = await offerApp(adding, mine, 2);
    const app = formTo(adding.page, "/enrol/app").fields["app"] ?? "";
    await adding.send("/enrol/app", { code: "wrong" });
    const page = adding.page;
    await adding.send("/enrol/app", { code: codeNow(secretIn(page)) });
    expect(recoveryCodesIn(adding.page)).toHaveLength(10);
    await running.database.asAdmin(
      "delete from authenticator_apps where created_at = (select max(created_at) from authenticator_apps)",
    );
    adding.page = page;
    expect((await adding.send("/enrol/app", { app, code: codeNow(unused) })).status).toBe(400);
  });

  test("A16 auth_time is when the password was shown, however long the pages after it take, each sent once", async () => {
    const mine = "slow@example.com";
    const slow = await signUp(mine);
    const authTimeOf = async (): Promise<number> => {
      aheadMs = 0;
      return Number(claimsOf(await slow.allow())["auth_time"]);
    };
    try {
      const secret = await offerApp(slow, mine, 2);
      const shownBy = clock.now() / secondMs;
      aheadMs = 6 * minuteMs;
      await slow.send("/enrol/app", { code: codeNow(secret) });
      const codes = recoveryCodesIn(slow.page);
      aheadMs = 12 * minuteMs;
      const { action, fields } = formTo(slow.page, "/kept-codes");
      const [sent, again] = [
        await slow.browser.send(action, fields),
        await slow.browser.send(action, fields),
      ];
      expect([sent.status, again.status]).toEqual([303, 400]);
      slow.page = await slow.browser.open(sent.headers.get("location") ?? "", walletRedirect);
      expect(await authTimeOf()).toBeLessThanOrEqual(shownBy);
      await slow.ask({ prompt: "login" });
      await slow.signIn(mine, password);
      const againBy = clock.now() / secondMs;
      aheadMs = 6 * minuteMs;
      await slow.send("/second-factor", { code: codes[0] ?? "" });
      expect(await authTimeOf()).toBeLessThanOrEqual(againBy);
    } finally {
      aheadMs = 0;
    }
  });

  test("a request for a level that is not ours, essential, is refused at once", async () => {
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: "phr" } } });
    const visitor = await Visitor.open({ claims });
    expect(new URL(visitor.page.url).searchParams.get("error")).toBe("unmet_authentication_requirements");
  });
});

describe("recovery is never weaker than what it replaces", () => {
  const email = "lost@example.com";
  const recover = async (mails: number): Promise<Visitor> => {
    const visitor = await Visitor.open();
    await visitor.follow("/recovery");
    await visitor.send("/recovery", { email });
    await visitor.send("/recovery/code", { code: await codeMailedTo(running, email, mails), second: "" });
    return visitor;
  };

  /** Nobody gets back in twice in a second, nor in that of another change of how they sign in. */
  const newSecond = async (): Promise<void> => {
    await eventually(async () => {
      const [row] = await running.database.asAdmin<{ over: boolean }>(
        "select bool_and(coalesce(sign_ins_from < date_trunc('second', now()), true)) as over from accounts",
      );
      return row?.over === true;
    });
  };

  test("with one factor the mailbox suffices: a new password, none of the last, and the former is gone", async () => {
    const before = await (await signUp(email)).allow();
    const callBefore = () =>
      callApi(running, {
        token: String(before.body["access_token"]),
        key: wallet.keys.dpop,
        path: "/api/v1/account/sign-in-methods",
      });
    expect((await callBefore()).status).toBe(200);
    const visitor = await recover(2);
    const repeated = await visitor.send("/recovery/password", { password });
    expect(repeated.html).toContain("used this password before");
    const finalPage = visitor.page;
    await visitor.send("/recovery/password", { password: "another four words here" });
    // What another session gave is worth nothing from here on.
    expect((await callBefore()).status).toBe(401);
    expect((await visitor.allow()).status).toBe(200);
    expect((await letterTo(running, email, 3)).text).toContain("got back into your account");
    visitor.page = finalPage;
    const again = await visitor.send("/recovery/password", { password: "yet another phrase" });
    expect(again.status).toBeGreaterThanOrEqual(400);
    const old = await Visitor.open();
    expect((await old.signIn(email, password)).status).toBe(401);
    const events = await running.database.asAdmin(
      "select type from outbox where type in ('account.recovered', 'account.password_changed')",
    );
    expect(events).toHaveLength(2);
  });

  test("with two factors it takes a second one, or a recovery code", async () => {
    const visitor = await Visitor.open({ acr_values: "urn:remit:aal2" });
    await visitor.signIn(email, "another four words here");
    await visitor.send("/enrol/code", { code: await codeMailedTo(running, email, 4) });
    const key = /Key: <code>([A-Z2-7 ]+)</.exec(visitor.page.html)?.[1]?.replaceAll(" ", "") ?? "";
    await visitor.send("/enrol/app", { code: codeAt(decodeBase32(key), stepAt(systemClock.now())) });
    const [code = ""] = recoveryCodesIn(visitor.page);
    await newSecond();
    const lost = await recover(6);
    expect(lost.page.html).toContain("has a second factor");
    const mailed = await codeMailedTo(running, email, 6);
    expect((await lost.send("/recovery/code", { code: mailed, second: "aaaa-aaaa-aaaa" })).status).toBe(401);
    await lost.send("/recovery/code", { code: mailed, second: code });
    await lost.send("/recovery/password", { password: "a third phrase of words" });
    const token = await lost.allow();
    expect(claimsOf(token)).toMatchObject({ acr: "urn:remit:aal2" });
    // A recovery code says nothing of who has the app by now: it is gone, and the codes with it.
    expect(await methodsOf(token)).toMatchObject({
      password: true,
      authenticator_app: false,
      recovery_codes_left: 0,
    });
  });
});

describe("a recovery overtakes every sign-in that is under way", () => {
  const email = "overtaken@example.com";
  const liveSessions = async (): Promise<number> => {
    const rows = await running.database.asAdmin(
      "select 1 from sessions join accounts on accounts.id = account_id where sign_ins_from is not null and ended_at is null",
    );
    return rows.length;
  };

  test("A11 a sign-in parked before its last redirect gives no session afterwards, and no step of another goes on", async () => {
    await signUp(email);
    const [beforeKeeping, beforeSecond, parked] = [
      await Visitor.open(),
      await Visitor.open(),
      await Visitor.open(),
    ];
    await addApp(beforeKeeping, email, 2);
    const [first = "", second = "", third = ""] = recoveryCodesIn(beforeKeeping.page);
    await beforeSecond.signIn(email, password);
    await parked.signIn(email, password);
    const { action, fields } = formTo(parked.page, "/second-factor");
    const signedIn = await parked.browser.send(action, { ...fields, code: first });
    const last = new URL(signedIn.headers.get("location") ?? "", action).href;

    const owner = await Visitor.open();
    await owner.follow("/recovery");
    await owner.send("/recovery", { email });
    const mailed = await codeMailedTo(running, email, 5);
    await owner.send("/recovery/code", { code: mailed, second });
    await owner.send("/recovery/password", { password: "another four words here" });
    expect((await owner.allow()).status).toBe(200);
    // The core knows sign-ins by whole seconds: as if the owner had taken two more.
    await running.database.asAdmin(
      "update accounts set sign_ins_from = sign_ins_from + interval '2 seconds'",
    );

    const before = await liveSessions();
    parked.page = await parked.browser.open(last, walletRedirect);
    if (parked.page.html.includes("/consent")) await parked.send("/consent", { decision: "approve" });
    expect(new URL(parked.page.url).searchParams.get("code")).toBeNull();
    expect(await liveSessions()).toBe(before);
    expect((await beforeSecond.send("/second-factor", { code: third })).status).toBe(400);
    expect((await beforeKeeping.send("/kept-codes", {})).status).toBe(400);
  });
});

describe("a recovery that began before a second factor was added", () => {
  const email = "late-factor@example.com";

  test("A16 changes nothing by the mailbox alone", async () => {
    await signUp(email);
    const thief = await Visitor.open();
    await thief.follow("/recovery");
    await thief.send("/recovery", { email });
    await thief.send("/recovery/code", { code: await codeMailedTo(running, email, 2), second: "" });
    await addApp(await Visitor.open(), email, 3);
    const refused = await thief.send("/recovery/password", { password: "words of somebody else" });
    expect(refused.status).toBe(400);
    expect(refused.html).toContain("second factor by now");
    expect((await (await Visitor.open()).signIn(email, password)).status).toBe(200);
  });
});

describe("a recovery takes from others what they may have added or been given", () => {
  const email = "robbed@example.com";

  test("A11 passkeys, codes and offline access are gone, mandates are suspended, and what was just proven stays", async () => {
    const visitor = await signUp(email);
    const secret = await addApp(visitor, email, 2);
    const former = recoveryCodesIn(visitor.page);
    await visitor.send("/kept-codes", {});
    const token = await visitor.allow();
    const { sid } = claimsOf(token);
    const asAdmin = (text: string, values: unknown[]) => running.database.asAdmin(text, values);
    await asAdmin("update oauth_grants set outlives_session = true where session_sid = $1", [sid]);
    const agent = await newClient(running, "agent");
    const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
    const url = authorizeUrl(running, agent.id, pushed.body["request_uri"]);
    await approve(visitor.browser, await visitor.browser.open(url, redirectUri));
    const ofPerson = (what: string) =>
      asAdmin(`${what} in (select account_id from sessions where sid = $1)`, [sid]);
    const mandates = () => ofPerson("select state, because from mandates where principal_id");
    expect(await mandates()).toMatchObject([{ state: "active" }]);

    const owner = await Visitor.open();
    await owner.follow("/recovery");
    await owner.send("/recovery", { email });
    const code = await codeMailedTo(running, email, 4);
    await owner.send("/recovery/code", { code, second: codeAt(secret, stepAt(systemClock.now()) + 1) });
    expect(owner.page.html).toContain("suspended until you resume it");
    await asAdmin(
      `insert into passkeys (credential_digest, account_id, sealed, sign_count, device_bound, created_at)
        select '\\x01', account_id, '\\x02', 0, false, now() from sessions where sid = $1`,
      [sid],
    );
    await owner.send("/recovery/password", { password: "another four words here" });
    const made = recoveryCodesIn(owner.page);
    expect(made).toHaveLength(10);
    expect(made).not.toContain(former[0]);
    await owner.send("/kept-codes", {});
    expect(await methodsOf(await owner.allow())).toMatchObject({
      passkeys: [],
      authenticator_app: true,
      recovery_codes_left: 10,
    });
    expect(await mandates()).toMatchObject([{ state: "suspended", because: "recovery" }]);
    expect(await ofPerson("select 1 from passkeys where account_id")).toEqual([]);
    const refresh = { grant_type: "refresh_token", refresh_token: String(token.body["refresh_token"]) };
    expect((await wallet.post("/oauth/token", refresh)).body["error"]).toBe("invalid_grant");
    expect((await letterTo(running, email, 5)).text).toContain(
      "Other passkeys, the former recovery codes and what was linked",
    );
    const thief = await Visitor.open();
    await thief.signIn(email, "another four words here");
    expect((await thief.send("/second-factor", { code: former[0] ?? "" })).status).toBe(401);
    await thief.send("/second-factor", { code: made[0] ?? "" });
    expect((await thief.allow()).status).toBe(200);
  });
});

describe("V04 every form refuses what it does not ask for, with a page", () => {
  test.each([
    ["sign-up", "/sign-up", { name: "Lin\0", email: "x@example.com" }],
    ["sign-up", "/sign-up", { name: "Lin", email: "no address" }],
    ["sign-up", "/sign-up", { name: " ", email: "x@example.com" }],
    ["sign-up", "/sign-up", { name: "Lin", email: "x@example.com", role: "admin" }],
    ["sign-up", "/sign-up", { name: "Lin", email: "x@example.com", __proto__x: "1" }],
    ["sign-up", "/sign-up", { name: "L".repeat(81), email: "x@example.com" }],
    ["sign-up", "/sign-up", { name: "Lin", email: `${"x".repeat(250)}@example.com` }],
    ["recovery", "/recovery", { email: "a@b.example\r\nBcc: c@d.example" }],
    ["recovery", "/recovery", {}],
    ["", "/passkey", { response: "{" }],
    ["", "/passkey", { response: '{"id":"a","id":"b"}' }],
    ["", "/passkey", { response: JSON.stringify({ id: "a", rawId: "a", type: "public-key" }) }],
    ["", "/passkey", { response: "{}", passkey: "A".repeat(60) }],
    ["", "/leave", { csrf: "" }],
  ])("V04 %s: %s with %o", async (place, step, sent) => {
    const visitor = await Visitor.open();
    if (place !== "") await visitor.follow(`/${place}`);
    const { action, fields } = formTo(visitor.page, step);
    const answer = await visitor.browser.send(action, { ...fields, ...(sent as Record<string, string>) });
    expect([400, 401, 403]).toContain(answer.status);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    expect(answer.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  });

  test("V06 a name full of markup is shown as it was written", async () => {
    const email = "markup@example.com";
    const visitor = await Visitor.open();
    await visitor.follow("/sign-up");
    await visitor.send("/sign-up", { name: `"><script>alert(1)</script>`, email });
    await visitor.send("/sign-up/code", { code: await codeMailedTo(running, email) });
    await visitor.send("/sign-up/password", { password });
    expect(visitor.page.html).not.toContain("<script>alert");
  });

  test("A17 no step is reached by GET, from another site, or without the one before", async () => {
    const visitor = await Visitor.open();
    const base = visitor.page.url;
    for (const step of [
      "sign-in",
      "passkey",
      "second-factor",
      "enrol/code",
      "sign-up/password",
      "recovery/password",
      "kept-codes",
      "leave",
    ])
      expect((await visitor.browser.send(`${base}/${step}`)).status, step).toBe(405);
    const { fields } = formTo(visitor.page, "/sign-in");
    const csrf = fields["csrf"] ?? "";
    const ticket = "A".repeat(80);
    for (const [step, form] of [
      ["second-factor", { csrf, ticket, code: "123456" }],
      ["kept-codes", { csrf, ticket }],
      ["enrol/code", { csrf, ticket, code: "1" }],
      ["sign-up/password", { csrf, ticket, username: "a@example.com", password }],
      ["recovery/password", { csrf, ticket, username: "a@example.com", password }],
    ] as const) {
      const form2: Record<string, string> = form;
      expect((await visitor.browser.send(`${base}/${step}`, form2)).status, step).toBe(400);
      const foreign = { origin: "https://evil.example" };
      expect((await visitor.browser.send(`${base}/${step}`, form2, foreign)).status, step).toBe(403);
    }
  });
});
