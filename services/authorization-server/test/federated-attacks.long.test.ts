import { minuteMs, systemClock } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { generateJwk } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { codeAt, stepAt } from "../src/factors/totp.ts";
import { decodeBase32 } from "./authenticator.ts";
import { Browser, formTo, type Page } from "./browser.ts";
import { ada, codeOn, Federation, person, tokenOf, type Visitor } from "./federated.ts";
import { principal, walletRedirect } from "./running.ts";

let at: Federation;

beforeAll(async () => {
  at = await Federation.start();
});
afterAll(() => at?.close());
beforeEach(() => at.reset());

const nowS = (): number => Math.floor(systemClock.now() / 1000);
/** The text of a page, without what differs from conversation to conversation. */
const textOf = (page: Page): string =>
  /<main[\s\S]*<\/main>/.exec(page.html)?.[0].replace(/[\w-]{43}/g, "") ?? "";
/** A page, followed to its end by this browser. */
const openedBy = (browser: Browser, url: string): Promise<Page> => browser.open(url, walletRedirect);

describe("A07 an answer that is not the provider's, or not for us, signs nobody in", () => {
  const refused = async (): Promise<void> => {
    at.upstream.person = person("forged");
    await visitor.through(at.anywhere);
    expect(visitor.page.status).toBe(403);
    expect(visitor.page.html).toContain("proves nothing here");
    expect(visitor.page.html).toContain("Try again");
    expect(
      await at.rows(
        "select 1 from accounts a join identities i on i.account_id = a.id where i.provider_id = $1",
        at.anywhere,
      ),
    ).toEqual(before);
  };
  let before: object[];
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await at.visitor();
    before = await at.rows("select 1 from identities where provider_id = $1", at.anywhere);
  });

  const answers: [string, (query: URLSearchParams) => void][] = [
    ["of another issuer (mix-up)", (query) => query.set("iss", "https://other.example")],
    ["without iss, where the provider says that it names itself", (query) => query.delete("iss")],
    ["with a code of its own making", (query) => query.set("code", "made-up")],
    ["without a code", (query) => query.delete("code")],
  ];
  test.each(answers)("A07 an answer %s", async (_what, wrong) => {
    at.upstream.answer = wrong;
    await refused();
  });

  const claims: [string, Record<string, unknown>][] = [
    ["of another issuer", { iss: "https://other.example" }],
    ["for another client", { aud: "somebody-else" }],
    ["for several clients and authorized for another", { aud: ["remit", "other"], azp: "other" }],
    ["with the nonce of another sign-in", { nonce: "another" }],
    ["without a nonce", { nonce: undefined }],
    ["that has expired", { iat: nowS() - 600, exp: nowS() - 300 }],
    ["that never expires", { exp: undefined }],
    ["of nobody", { sub: undefined }],
  ];
  test.each(claims)("A07 an ID token %s", async (_what, wrong) => {
    at.upstream.claims = wrong;
    await refused();
  });

  test("A01 an ID token by another key of the same name", async () => {
    at.upstream.signWith = generateJwk("ES256", "up-1");
    await refused();
  });

  const tokens: [string, (token: string) => string][] = [
    ["that is not signed", (token) => `${header({ alg: "none" })}.${token.split(".")[1]}.`],
    [
      "signed with a secret",
      (token) => `${header({ alg: "HS256", kid: "up-1" })}.${token.split(".").slice(1).join(".")}`,
    ],
    [
      "changed after it was signed",
      (token) => token.replace(/\.[^.]+\./, (part) => `${part.slice(0, -2)}A.`),
    ],
    ["that is none", () => "not-a-token"],
  ];
  test.each(tokens)("A01 an ID token %s", async (_what, change) => {
    at.upstream.idToken = change;
    await refused();
  });

  test("in the very same conversation the answer that nobody touched does", async () => {
    at.upstream.person = person("forged");
    await visitor.through(at.anywhere);
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
  });
});

const header = (of: object): string =>
  Buffer.from(JSON.stringify({ typ: "JWT", ...of })).toString("base64url");

describe("A17 an answer is good once, in the browser and the conversation that asked", () => {
  let visitor: Visitor;
  let answer: string;
  beforeEach(async () => {
    at.upstream.person = person("careful");
    visitor = await at.visitor();
    answer = await visitor.answerOf(at.anywhere);
  });

  test("A17 not in another browser (login CSRF), which does not use it up either", async () => {
    const stranger = await at.visitor();
    const page = await openedBy(stranger.browser, answer);
    expect(page.status).toBe(400);
    expect(page.html).toContain("another browser");
    const nobody = await openedBy(new Browser(), answer);
    expect(nobody.status).toBe(400);
    await visitor.go(answer);
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
  });

  test("A17 not twice, and of two at once one counts", async () => {
    const both = await Promise.all([visitor.browser.send(answer), visitor.browser.send(answer)]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([303, 400]);
    expect((await visitor.browser.send(answer)).status).toBe(400);
  });

  test("A07 not at the address of another provider", async () => {
    const elsewhere = answer.replace(at.anywhere, at.acme);
    expect((await visitor.browser.send(elsewhere)).status).toBe(400);
  });

  test("A17 not after ten minutes", async () => {
    at.aheadMs = 10 * minuteMs;
    expect((await visitor.browser.send(answer)).status).toBe(400);
  });

  test("A17 what it led to is no use in another conversation", async () => {
    const response = await visitor.browser.send(answer);
    const arrival = new URL(response.headers.get("location") ?? "", at.running.issuer).href;
    const stranger = await at.visitor();
    expect((await openedBy(stranger.browser, arrival.replace(visitor.uid, stranger.uid))).status).toBe(400);
    expect((await openedBy(stranger.browser, arrival)).status).toBe(404);
  });

  test("V05 a state sent twice, none, or one of no length", async () => {
    for (const query of ["", "?state=", `?state=${"x".repeat(200)}`, "?state=a&state=b"])
      expect((await visitor.browser.send(answer.split("?")[0] + query)).status).toBe(400);
  });

  test("nor once the provider is suspended", async () => {
    await at.change(at.operator, at.anywhere, { status: "suspended" });
    expect((await visitor.browser.send(answer)).status).toBe(404);
    expect((await visitor.browser.send(at.running.issuer + visitor.startOf(at.anywhere))).status).toBe(404);
    await at.change(at.operator, at.anywhere, { status: "active" });
  });
});

describe("T01 a stranger's provider gets nobody else's account", () => {
  test("T01 not by asserting an address, and it learns nothing of who has one", async () => {
    const known = await at.signIn(at.evilProvider, ada("any"));
    const unknown = await at.signIn(at.evilProvider, person("any-2", { email: "nobody@example.com" }));
    expect(codeOn(known.page)).toBe("jit_domain_not_allowed");
    expect(textOf(known.page)).toBe(textOf(unknown.page));
    expect(await at.rows("select 1 from identities where provider_id = $1", at.evilProvider)).toEqual([]);
  });

  test("T01 not by leading its owner there: whoever is no member is not asked to link", async () => {
    const visitor = await at.signIn(at.evilProvider, ada("lure"));
    await visitor.signInAs();
    expect(visitor.page.html).toContain("/consent");
    expect(await at.adasIdentities()).toEqual([]);
  });

  test("T01 not with a domain that it had, nor for a member who left", async () => {
    await at.assign("eve.example", at.evilTenant);
    await at.change(at.evil, at.evilProvider, { email_domains: ["eve.example"] });
    const who = person("worker", { email: "worker@eve.example" });
    const worker = await at.signIn(at.evilProvider, who);
    const { sub } = tokenOf(await worker.allow());
    await at.operator.call("DELETE", "/api/v1/email-domains/eve.example");
    const next = await at.signIn(at.evilProvider, person("second", { email: "second@eve.example" }));
    expect(codeOn(next.page)).toBe("jit_domain_not_allowed");
    await (await at.signIn(at.evilProvider, who)).allow();
    await at.rows("delete from memberships where account_id = $1 and tenant_id = $2", sub, at.evilTenant);
    const left = await at.signIn(at.evilProvider, who);
    expect([left.page.status, codeOn(left.page)]).toEqual([403, "not_a_member"]);
  });

  test("T01 nor does its word for a second factor count beyond its own people", async () => {
    const acr = "urn:example:mfa";
    await at.change(at.management, at.acme, { aal2_acr_values: [acr] });
    const own = await at.signIn(at.acme, ada("ada", { acr }), { acr_values: "urn:remit:aal2" });
    expect(Object.fromEntries(at.upstream.asked ?? [])).toMatchObject({ acr_values: acr });
    expect(tokenOf(await own.allow())).toMatchObject({ acr: "urn:remit:aal2", amr: ["fed", "mfa"] });
    await at.operator.call("DELETE", "/api/v1/email-domains/example.com");
    const beyond = await at.signIn(at.acme, ada("ada", { acr }));
    expect(tokenOf(await beyond.allow())).toMatchObject({ acr: "urn:remit:aal1", amr: ["fed"] });
    await at.assign("example.com", at.running.tenant);
    await at.forgetAda();
  });
});

describe("A18 an address that nobody has verified", () => {
  const unverified = { email: "typed@people.example", email_verified: false };

  test("A18 is not linked at an open provider, where anybody may have typed it, though its owner signs in", async () => {
    await (await at.signIn(at.anywhere, person("typed", { email: unverified.email }))).allow();
    await at.rows("delete from identities where provider_id = $1", at.anywhere);
    const mallory = await at.signIn(at.anywhere, person("mallory", unverified));
    expect(codeOn(mallory.page)).toBe("jit_requires_verified_email");
    expect(mallory.page.html).not.toContain("Sign in to your account");
    const nobodys = await at.signIn(
      at.anywhere,
      person("mallory", { ...unverified, email: "free@people.example" }),
    );
    expect(textOf(nobodys.page)).toBe(textOf(mallory.page));
  });

  test("may be linked at a tenant's own directory, by its owner's yes alone", async () => {
    const visitor = await at.signIn(at.acme, ada("entra", { email_verified: undefined }));
    expect(codeOn(visitor.page)).toBe("jit_requires_verified_email");
    await visitor.signInAs();
    await visitor.send("/identity/link", { decision: "link" });
    expect(tokenOf(await visitor.allow())["sub"]).toBe(at.running.account);
    const next = await at.signIn(at.acme, ada("entra", { email_verified: undefined }));
    expect(tokenOf(await next.allow())).toMatchObject({ sub: at.running.account, amr: ["fed"] });
    await at.forgetAda();
  });
});

describe("who comes first", () => {
  test("C08 of five browsers with one new subject at once, one makes the account and all are that person", async () => {
    at.upstream.person = person("crowd");
    const visitors = await Promise.all(Array.from({ length: 5 }, () => at.visitor()));
    await Promise.all(visitors.map((visitor) => visitor.through(at.anywhere)));
    const subs = await Promise.all(visitors.map(async (visitor) => tokenOf(await visitor.allow())["sub"]));
    expect(new Set(subs).size).toBe(1);
    const linked = await at.rows(
      "select event from audit_rows where subject = $1 and event = 'identity.linked'",
      subs[0],
    );
    expect(linked).toHaveLength(1);
  });

  test("C08 of two subjects with one new address at once, one has the account", async () => {
    const visitors: Visitor[] = [];
    const answers: string[] = [];
    for (const sub of ["twin-1", "twin-2"]) {
      at.upstream.person = person(sub, { email: "twins@people.example" });
      const visitor = await at.visitor();
      visitors.push(visitor);
      answers.push(await visitor.answerOf(at.anywhere));
    }
    await Promise.all(visitors.map((visitor, i) => visitor.go(answers[i] ?? "")));
    const statuses = visitors.map(({ page }) => page.status).sort((a, b) => a - b);
    expect(statuses).toEqual([200, 409]);
  });

  test("A18 a sign-up that somebody else began with the address and could not finish takes nothing (pre-hijacking)", async () => {
    const email = "victim@people.example";
    const thief = await at.visitor();
    await thief.go(`/oauth/interactions/${thief.uid}/sign-up`);
    await thief.send("/sign-up", { name: "Thief", email });
    const code = await at.codeTo(email);
    const owner = await at.signIn(at.anywhere, person("victim"));
    const first = tokenOf(await owner.allow());
    // Even with the code of the letter: the account is its owner's by now.
    await thief.send("/sign-up/code", { code });
    const late = await thief.send("/sign-up/password", { password: "four words make a phrase" });
    expect(late.status).toBe(409);
    expect(tokenOf(await (await at.signIn(at.anywhere, person("victim"))).allow())["sub"]).toBe(first["sub"]);
  });

  test("A11 whoever gets back in by the mailbox throws out what somebody had linked", async () => {
    const thief = await at.signIn(at.anywhere, person("false", { email: "true@people.example" }));
    const { sub } = tokenOf(await thief.allow());
    const owner = await at.visitor();
    await owner.go(`/oauth/interactions/${owner.uid}/recovery`);
    await owner.send("/recovery", { email: "true@people.example" });
    await owner.send("/recovery/code", { code: await at.codeTo("true@people.example") });
    await owner.send("/recovery/password", { password: "four words make a phrase" });
    expect(tokenOf(await owner.allow())["sub"]).toBe(sub);
    const again = await at.signIn(at.anywhere, person("false", { email: "true@people.example" }));
    expect(codeOn(again.page)).toBe("email_conflict");
  });
});

describe("A11 a recovery overtakes the last form of a sign-in that began before it", () => {
  /** Sends a form while the account's person gets back in: it has looked before, and takes its turn after. */
  async function overtaken(account: string, form: () => Promise<Response>): Promise<Response> {
    const [holding, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const db = at.running.database.open();
    const owner = db.global.transaction(async (tx) => {
      await tx.run(sql`select from accounts where id = ${account} for update`);
      held.resolve();
      await holding.promise;
      await tx.run(sql`update accounts set sign_ins_from = clock_timestamp() where id = ${account}`);
    });
    await held.promise;
    const sent = form();
    await eventually(async () => {
      const waiting = await at.rows(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      expect(waiting).toHaveLength(1);
    }).finally(() => holding.resolve());
    await owner;
    await db.close();
    return sent;
  }

  test("A11 the yes to a link links nothing", async () => {
    const visitor = await at.signIn(at.acme, ada("late", { email_verified: undefined }));
    await visitor.signInAs();
    const { action, fields } = formTo(visitor.page, "/identity/link");
    const yes = () => visitor.browser.send(action, { ...fields, decision: "link" });
    const answer = await overtaken(at.running.account, yes);
    await at.rows("update accounts set sign_ins_from = null where id = $1", at.running.account);
    expect([answer.status, await at.adasIdentities()]).toEqual([400, []]);
  });

  test("A11 a second factor is not added", async () => {
    const more = { acr_values: "urn:remit:aal2" };
    const visitor = await at.signIn(at.anywhere, person("enrols"), more);
    await visitor.send("/enrol/code", { code: await at.codeTo("enrols@people.example") });
    const key = /Key: <code>([^<]+)<\/code>/.exec(visitor.page.html)?.[1]?.replaceAll(" ", "") ?? "";
    const code = codeAt(decodeBase32(key), stepAt(systemClock.now()));
    const [last] = await at.rows<{ account: string }>(
      "select account_id as account from identities order by created_at desc limit 1",
    );
    const { action, fields } = formTo(visitor.page, "/enrol/app");
    const answer = await overtaken(last?.account ?? "", () =>
      visitor.browser.send(action, { ...fields, code }),
    );
    expect([answer.status, (await answer.text()).includes("Begin again")]).toEqual([400, true]);
  });
});

describe("A16 the word of a provider is one factor", () => {
  test("A16 whoever has a second one is asked for it, and whoever needs one adds it by their mailbox", async () => {
    const email = "two@people.example";
    const visitor = await at.signIn(at.anywhere, person("two"), { acr_values: "urn:remit:aal2" });
    await visitor.send("/enrol/code", { code: await at.codeTo(email) });
    const key = /Key: <code>([^<]+)<\/code>/.exec(visitor.page.html)?.[1]?.replaceAll(" ", "") ?? "";
    const secret = decodeBase32(key);
    const codeNow = (ahead = 0) => codeAt(secret, stepAt(systemClock.now()) + ahead);
    await visitor.send("/enrol/app", { code: codeNow() });
    await visitor.send("/kept-codes", {});
    expect(tokenOf(await visitor.allow())).toMatchObject({
      acr: "urn:remit:aal2",
      amr: ["fed", "otp", "mfa"],
    });
    const next = await at.signIn(at.anywhere, person("two"));
    expect(next.page.html).toContain("One more step");
    await next.send("/second-factor", { code: codeNow(1) });
    expect(tokenOf(await next.allow())).toMatchObject({ amr: ["fed", "otp", "mfa"] });
  });

  test("A16 a request for a new sign-in asks the provider for one, and looks whether there was", async () => {
    const fresh = { prompt: "login" };
    const unproven = await at.signIn(at.anywhere, person("fresh", { auth_time: undefined }), fresh);
    expect(Object.fromEntries(at.upstream.asked ?? [])).toMatchObject({ prompt: "login", max_age: "0" });
    expect(unproven.page.status).toBe(403);
    // Who never says when is no way to allow anything; the page leads to one.
    expect(unproven.page.html).toContain("does not say that you signed in there just now");
    await unproven.go(/href="([^"]*)">Sign in another way/.exec(unproven.page.html)?.[1] ?? "");
    expect(unproven.page.html).toContain("I cannot sign in");
    const old = await at.signIn(at.anywhere, person("fresh", { auth_time: nowS() - 3600 }), fresh);
    expect(old.page.status).toBe(403);
    const now = await at.signIn(at.anywhere, person("fresh", { auth_time: nowS() }), fresh);
    expect(tokenOf(await now.allow())).toMatchObject({ amr: ["fed"] });
  });

  test("A16 a sign-in is as old as the provider says, and one of which it does not say is never a recent one", async () => {
    const hourAgo = nowS() - 3600;
    const visitor = await at.signIn(at.anywhere, person("aged", { auth_time: hourAgo }));
    expect(at.upstream.asked?.get("max_age")).toBe("43200");
    expect(tokenOf(await visitor.allow())["auth_time"]).toBe(hourAgo);
    const change = async (): Promise<Page> => {
      await visitor.go("/account/sign-in-methods");
      return visitor.go(/href="([^"]*\/identities\/idn_[^"]*)"/.exec(visitor.page.html)?.[1] ?? "");
    };
    expect((await change()).html).toContain("Show that it is you");
    at.upstream.person = person("aged");
    await visitor.through(at.anywhere);
    expect(at.upstream.asked?.get("prompt")).toBe("login");
    expect(visitor.page.html).toContain("This is your only way in");
    const silent = await at.signIn(at.anywhere, person("aged", { auth_time: undefined }));
    expect(nowS() - Number(tokenOf(await silent.allow())["auth_time"])).toBeGreaterThanOrEqual(43_200);
  });

  test("A16 an answer that was kept and opened minutes later is no newer for it", async () => {
    at.upstream.person = person("kept");
    const visitor = await at.visitor();
    const back = await visitor.browser.send(await visitor.answerOf(at.anywhere));
    at.aheadMs = 9 * minuteMs;
    await visitor.go(back.headers.get("location") ?? "");
    expect(visitor.page.html).toContain("/consent");
    const [session] = await at.rows<{ earlier: boolean }>(
      "select authenticated_at <= now() as earlier from sessions order by created_at desc limit 1",
    );
    expect(session).toEqual({ earlier: true });
  });

  test("A16 what the provider asked before its person got back in here is asked anew, and then counts", async () => {
    const { sub } = tokenOf(await (await at.signIn(at.anywhere, person("returns"))).allow());
    await at.rows("update accounts set sign_ins_from = now() - interval '5 minutes' where id = $1", sub);
    const stale = await at.signIn(at.anywhere, person("returns", { auth_time: nowS() - 600 }));
    expect([stale.page.status, stale.page.html.includes("Sign in anew")]).toEqual([403, true]);
    at.upstream.person = person("returns");
    await stale.go(`${stale.startOf(at.anywhere)}?again=1`);
    expect(at.upstream.asked?.get("prompt")).toBe("login");
    expect(tokenOf(await stale.allow())).toMatchObject({ amr: ["fed"] });
  });

  test("A16 somebody signed in is shown what they linked, and shows it once more with that alone", async () => {
    const visitor = await at.signIn(at.anywhere, person("again", { auth_time: nowS() }));
    await visitor.allow();
    await visitor.ask({ prompt: "login" });
    expect(visitor.page.html).toContain(`identity-providers/${at.anywhere}"`);
    expect(visitor.page.html).not.toContain("Sign in with your organization");
    expect(visitor.page.html).not.toContain("A passkey needs JavaScript");
    const conversation = visitor.page;
    at.upstream.person = person("somebody-new", { auth_time: nowS() });
    await visitor.through(at.anywhere);
    expect(codeOn(visitor.page)).toBe("not_linked");
    visitor.page = conversation;
    at.upstream.person = person("lin-other", { auth_time: nowS() });
    await (await at.signIn(at.anywhere, person("lin-other"))).allow();
    await visitor.through(at.anywhere);
    expect(visitor.page.status).toBe(403);
    visitor.page = conversation;
    at.upstream.person = person("again", { auth_time: nowS() });
    await visitor.through(at.anywhere);
    expect(tokenOf(await visitor.allow())).toMatchObject({ amr: ["fed"] });
  });
});

describe("a provider that is away", () => {
  test("before and after it is asked: a page with ways on, and no failure of ours", async () => {
    const away = await at.create(at.operator, { name: "Away", email_domains: ["*"] });
    at.upstream.status = 503;
    const visitor = await at.visitor();
    const start = visitor.startOf(away);
    await visitor.go(start);
    expect(visitor.page.status).toBe(502);
    expect(visitor.page.html).toContain("Away does not answer");
    expect(visitor.page.html).toContain(`href="${start}"`);
    at.upstream.reset();
    at.upstream.person = person("patient");
    const answer = await visitor.answerOf(away);
    at.upstream.status = 500;
    await visitor.go(answer);
    expect(visitor.page.status).toBe(502);
    at.upstream.reset();
    at.upstream.person = person("patient");
    await visitor.go(start);
    expect(codeOn(visitor.page)).toBe("not_linked");
  });

  test.each([
    ["access_denied", 403, "You are not signed in"],
    ["temporarily_unavailable", 502, "does not answer"],
    ["invalid_scope", 403, "proves nothing here"],
  ])("that answers %s: %d", async (error, status, text) => {
    at.upstream.answer = (query) => {
      query.delete("code");
      query.set("error", error);
      query.set("error_description", "<script>alert(1)</script>");
    };
    const visitor = await at.signIn(at.anywhere, person("no"));
    expect(visitor.page.status).toBe(status);
    expect(visitor.page.html).toContain(text);
    expect(visitor.page.html).not.toContain("<script>alert");
  });
});

describe("A18 which providers are shown depends on no person", () => {
  const shows = ({ page }: Visitor, provider: string): boolean =>
    page.html.includes(`identity-providers/${provider}`);

  test("A18 the operator's to everybody, a tenant's by the domain that is hinted at, for whomever", async () => {
    const plain = await at.visitor();
    expect([shows(plain, at.anywhere), shows(plain, at.acme), shows(plain, at.evilProvider)]).toEqual([
      true,
      false,
      false,
    ]);
    for (const who of [principal.email, "nobody-at-all@example.com"]) {
      const hinted = await at.visitor({ login_hint: who });
      expect([shows(hinted, at.acme), shows(hinted, at.evilProvider)]).toEqual([true, false]);
    }
    const strong = await at.visitor({ acr_values: "urn:remit:aal3" });
    expect(shows(strong, at.anywhere)).toBe(false);
  });

  test("A18 an organization is found by the domain of an address, whoever has it", async () => {
    const pages: string[] = [];
    for (const email of [principal.email, "nobody-at-all@example.com"]) {
      const visitor = await at.visitor();
      await visitor.go(`/oauth/interactions/${visitor.uid}/organization`);
      await visitor.send("/organization", { email });
      expect(visitor.page.html).toContain("Continue with “Acme”");
      pages.push(textOf(visitor.page).replaceAll(encodeURIComponent(email), ""));
    }
    expect(pages[0]).toBe(pages[1]);
    const visitor = await at.visitor();
    await visitor.go(`/oauth/interactions/${visitor.uid}/organization`);
    await visitor.send("/organization", { email: "ada@nowhere.example" });
    expect(visitor.page.html).toContain("No organization signs its people in here");
  });

  test("A20 the way out leads to the provider's own page with our own address, whatever is asked", async () => {
    const visitor = await at.visitor();
    const start = at.running.issuer + visitor.startOf(at.anywhere);
    for (const more of ["?redirect_uri=https://evil.example", "?issuer=https://evil.example"])
      expect((await visitor.browser.send(start + more)).status).toBe(400);
    const out = await visitor.browser.send(`${start}?login_hint=ada%40example.com`);
    const location = new URL(out.headers.get("location") ?? "");
    expect(location.origin + location.pathname).toBe(`${at.upstream.origin}/authorize`);
    expect(location.searchParams.get("login_hint")).toBe(principal.email);
    expect(out.headers.getSetCookie().join()).toMatch(
      /Path=\/oauth\/identity-providers\/; HttpOnly; SameSite=Lax/,
    );
  });

  test("what a tenant removes is forgotten, with whom it named", async () => {
    const gone = await at.create(at.operator, { email_domains: ["*"], jit_policy: "domain" });
    await (await at.signIn(gone, person("leaver"))).allow();
    expect(await at.rows("select 1 from identities where provider_id = $1", gone)).toHaveLength(1);
    expect((await at.operator.call("DELETE", `/api/v1/identity-providers/${gone}`)).status).toBe(204);
    expect(await at.rows("select 1 from identities where provider_id = $1", gone)).toEqual([]);
    await at.letter("leaver@people.example", "An account was made");
  });
});
