import path from "node:path";
import { systemClock } from "@remit/kernel";
import { lettersIn } from "@remit/platform/mail";
import { sql } from "@remit/platform/sql";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeAt, stepAt } from "../src/factors/totp.ts";
import { decodeBase32, SoftwarePasskey } from "./authenticator.ts";
import { Browser, formOf, formTo, type Page } from "./browser.ts";
import { codeMailedTo } from "./person.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
beforeAll(async () => {
  // As behind an ingress: everybody comes from an address of their own.
  running = await startServer({ trustedProxies: ["127.0.0.1"] });
  lin = await withPasskey();
});
afterAll(() => running?.close());

/** Somebody with a password and a passkey, for tests after which they have both still. */
let lin: Awaited<ReturnType<typeof withPasskey>>;

const root = "/account/sign-in-methods";
const password = "correct horse battery staple";
const another = "four quite other words";

let people = 0;

/** Somebody with a password, in a browser in front of a page. */
class Person {
  readonly email: string;
  readonly ip: string;
  readonly account: string;
  browser = new Browser();
  page!: Page; // set by `newPerson`, which makes everybody

  constructor({ email, account }: { email: string; account: string }) {
    this.email = email;
    this.account = account;
    this.ip = `203.0.113.${people}`;
  }

  async go(path: string): Promise<Page> {
    this.page = await this.browser.open(running.issuer + path, "none");
    return this.page;
  }

  /** Sends the form that goes to this step, with what else is filled in; reads the page after it. */
  async send(step: string, filled: Record<string, string> = {}): Promise<Page> {
    const { action, fields } = formTo(this.page, step);
    const response = await this.post(action, { ...fields, ...filled });
    const location = response.headers.get("location");
    this.page =
      location === null
        ? { url: action, status: response.status, headers: response.headers, html: await response.text() }
        : await this.browser.open(new URL(location, action).href, "none");
    return this.page;
  }

  post = (url: string, form: Record<string, string>): Promise<Response> =>
    this.browser.send(url, form, { "x-forwarded-for": this.ip });

  signIn = (given = password): Promise<Page> => this.send("/sign-in", { email: this.email, password: given });

  /** A new browser of the same person, signed in by the password alone. */
  async elsewhere(): Promise<Person> {
    const there = new Person(this);
    await there.go(root);
    await there.signIn();
    return there;
  }

  /** As if they had shown who they are so long ago, and so surely. */
  signedIn = ({ minutesAgo = 0, aal = 2 }: { minutesAgo?: number; aal?: number }): Promise<unknown> =>
    running.database.asAdmin(
      "update sessions set authenticated_at = now() - make_interval(secs => $2), acr = $3 where account_id = $1",
      [this.account, minutesAgo * 60, `urn:remit:aal${aal}`],
    );

  /** By a letter, whenever it comes. */
  isTold = (words: string): Promise<void> =>
    eventually(async () => {
      const letters = await lettersIn(path.join(running.dataDir, "mail"), this.email);
      expect(letters.map(({ text }) => text).join()).toContain(words);
    });

  events = async (): Promise<string[]> => {
    const rows = await running.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 and event like 'account.%' order by event_id",
      [this.account],
    );
    return rows.map(({ event }) => event.slice(8));
  };
}

async function newPerson(): Promise<Person> {
  const email = `person-${++people}@example.com`;
  const admin = { clientSecret: `admin-secret-of-many-random-bits-0123456789-${people}` };
  const principal = { email, name: "Lin", password };
  const { account } = await running.service.bootstrap({ tenant: { name: "Lin's" }, principal, admin });
  const person = new Person({ email, account });
  await person.go(root);
  await person.signIn();
  return person;
}

const optionsIn = ({ html }: Page): string =>
  /data-options="([^"]*)"/.exec(html)?.[1]?.replaceAll("&quot;", '"') ?? "";
const keysIn = ({ html }: Page): string[] =>
  [...html.matchAll(/passkeys\/([\w-]{43})"/g)].map(([, key]) => key ?? "");
const newPasskey = (more = {}) => new SoftwarePasskey({ origin: running.issuer, ...more });
const secretIn = ({ html }: Page): Uint8Array =>
  decodeBase32(/Key: <code>([A-Z2-7 ]+)</.exec(html)?.[1]?.replaceAll(" ", "") ?? "");
const codeNow = (secret: Uint8Array): string => codeAt(secret, stepAt(systemClock.now()));

/** Their first passkey: a password alone adds none, so it comes by the step-up that asks for the mailbox too. */
async function withPasskey(): Promise<{ person: Person; passkey: SoftwarePasskey; key: string }> {
  const person = await newPerson();
  await person.go(`${root}/new-passkey`);
  await person.signIn();
  await person.send("/enrol/code", { code: await codeMailedTo(running, person.email) });
  const passkey = newPasskey();
  await person.send("/enrol/passkey", { response: passkey.create(optionsIn(person.page)) });
  await person.send("/kept-codes");
  return { person, passkey, key: keysIn(person.page)[0] ?? "" };
}

/** Shows the passkey at the page that asks once more who it is. */
const stepUp = (person: Person, passkey: SoftwarePasskey): Promise<Page> =>
  person.send("/passkey", { response: passkey.get(optionsIn(person.page)) });

const isStepUp = ({ html }: Page): boolean => html.includes("Show that it is you");

describe("A16 whoever changes how they sign in shows that it is them", () => {
  test("A16 a sign-in of more than five minutes ago changes nothing, and the page leads on and back", async () => {
    const { person, passkey, key } = lin;
    const before = await person.events();
    const page = await person.go(`${root}/passkeys/${key}`);
    await person.signedIn({ minutesAgo: 5.1 });
    for (const [step, form] of [
      ["rename", { name: "Mine" }],
      ["remove", {}],
    ] as const) {
      const { action, fields } = formTo(page, `/${step}`);
      const late = await person.post(action, { ...fields, ...form });
      expect(late.headers.get("location")).toContain("/oauth/authorize");
    }
    expect(await person.events()).toEqual(before);
    expect(isStepUp(await person.go(`${root}/passkeys/${key}`))).toBe(true);
    await stepUp(person, passkey);
    expect(person.page.url).toBe(`${running.issuer}${root}/passkeys/${key}`);
    await person.send("/rename", { name: "Mine <3" });
    expect(person.page.html).toContain("Mine &lt;3");
    expect(await person.events()).toEqual([...before, "passkey_renamed"]);
    await person.isTold("another name");
  });

  test("A16 a page is opened only with time enough left to send its form", async () => {
    const { person, key } = lin;
    await person.signedIn({ minutesAgo: 2.9 });
    expect(isStepUp(await person.go(`${root}/passkeys/${key}`))).toBe(false);
    const form = formTo(person.page, "/rename");
    await person.signedIn({ minutesAgo: 4.5 });
    const sent = await person.post(form.action, { ...form.fields, name: "In time" });
    expect(sent.headers.get("location")).toContain("passkey-renamed");
    expect(isStepUp(await person.go(`${root}/passkeys/${key}`))).toBe(true);
  });

  test("A16 of whoever has two factors a password alone opens no page of a change", async () => {
    const { person } = lin;
    for (const step of ["password", "new-app", "new-passkey", "recovery-codes"]) {
      // As if the session had begun before there was a passkey, by the password.
      await person.signedIn({ aal: 1 });
      expect(isStepUp(await person.go(`${root}/${step}`)), step).toBe(true);
    }
  });

  test("A16 of whoever has a key that cannot leave its device, that key", async () => {
    const { person, passkey } = await withPasskey();
    await person.go(`${root}/new-passkey`);
    const key = newPasskey({ deviceBound: true });
    await person.send("/new-passkey", { response: key.create(optionsIn(person.page)), name: "Key" });
    expect(person.page.html).toContain("on one device only");
    expect(isStepUp(await person.go(`${root}/password`))).toBe(true);
    expect((await stepUp(person, passkey)).status).toBe(403);
    await person.go(`${root}/password`);
    await stepUp(person, key);
    expect(person.page.url).toBe(`${running.issuer}${root}/password`);
  });

  test("A16 a password alone adds no second factor: the mailbox must be theirs", async () => {
    const person = await newPerson();
    for (const step of ["new-app", "new-passkey", "recovery-codes"]) {
      expect(isStepUp(await person.go(`${root}/${step}`)), step).toBe(true);
      expect((await person.signIn()).html).toContain("Check your mail");
    }
    expect(await person.events()).toEqual(["created"]);
  });

  test("A16 a password alone changes nothing once a second factor is there, however long its form was under way", async () => {
    const person = await newPerson();
    await person.go(`${root}/password`);
    const { action, fields } = formTo(person.page, "/password");
    const [holding, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const owner = running.database.open().global.transaction(async (tx) => {
      await tx.run(sql`select from accounts where id = ${person.account} for update`);
      held.resolve();
      await holding.promise;
      await tx.run(sql`insert into passkeys
          (credential_digest, account_id, sealed, sign_count, device_bound, created_at)
        values ('\\x0a', ${person.account}, '\\x0b', 0, false, now())`);
    });
    await held.promise;
    const thief = person.post(action, { ...fields, password: another });
    await eventually(async () => {
      const waiting = await running.database.asAdmin(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%from accounts%for update%'",
      );
      expect(waiting).toHaveLength(1);
    });
    holding.resolve();
    await owner;
    const answer = await thief;
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("second way by now");
    expect(await person.events()).toEqual(["created"]);
    await running.database.asAdmin("delete from passkeys where account_id = $1", [person.account]);
  });

  test("going back from the step-up leads to the page, and changes nothing", async () => {
    const { person } = lin;
    await person.signedIn({ minutesAgo: 3.1 });
    await person.go(`${root}/password`);
    await person.send("/leave");
    expect(person.page.url).toBe(`${running.issuer}${root}`);
  });
});

describe("the last way in stays", () => {
  const removing = async (person: Person, path: string) => {
    await person.go(`${root}/${path}`);
    return formTo(person.page, "/remove");
  };

  test("A16 of the last two ways removed at once one stays, whichever comes first", async () => {
    const { person, key } = await withPasskey();
    const ways = [await removing(person, `passkeys/${key}`), await removing(person, "password")];
    const answers = await Promise.all(ways.map(({ action, fields }) => person.post(action, fields)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303, 400]));
    const refused = answers.find(({ status }) => status === 400);
    expect(await refused?.text()).toContain("only way into the account");
    const [left] = await running.database.asAdmin(
      `select (password_digest is not null)::int + (select count(*)::int from passkeys where account_id = id) as ways
        from accounts where id = $1`,
      [person.account],
    );
    expect(left).toEqual({ ways: 1 });
    // What was refused left no trace: neither event nor letter.
    const removed = (await person.events()).filter((event) => event.endsWith("_removed"));
    expect(removed).toHaveLength(1);
  });

  test("A16 a password is not removed by whoever has no passkey, whatever form they send", async () => {
    const person = await newPerson();
    await person.go(`${root}/password`);
    const { fields } = formTo(person.page, "/password");
    const url = `${running.issuer}${root}/password/remove`;
    const refused = await person.post(url, { csrf: fields["csrf"] ?? "" });
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("only way into the account");
    expect(await person.events()).toEqual(["created"]);
  });

  test("an app is added and removed, and the page says what is left", async () => {
    const { person } = lin;
    await person.signedIn({});
    const before = await person.events();
    await person.go(`${root}/new-app`);
    const secret = secretIn(person.page);
    const added = formTo(person.page, "/new-app");
    expect((await person.send("/new-app", { code: "000000" })).html).toContain("The code is not right");
    expect((await person.post(added.action, { ...added.fields, code: codeNow(secret) })).status).toBe(303);
    expect((await person.post(added.action, { ...added.fields, code: codeNow(secret) })).status).toBe(400);
    expect((await person.go(`${root}/new-app`)).status).toBe(400);
    expect((await person.go(`${root}/app`)).html).toContain("Remove the app");
    await person.send("/app/remove");
    expect(person.page.html).toContain("The authenticator app was removed");
    expect((await person.go(`${root}/app`)).status).toBe(404);
    expect(await person.events()).toEqual([...before, "app_added", "app_removed"]);
    await person.isTold("authenticator app was removed");
  });

  test("new recovery codes are shown once, and the former no longer work", async () => {
    const { person } = lin;
    await person.signedIn({});
    await person.go(`${root}/recovery-codes`);
    await person.send("/recovery-codes");
    const codes = [...person.page.html.matchAll(/<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){2})<\/li>/g)];
    expect(codes).toHaveLength(10);
    expect(person.page.headers.get("cache-control")).toBe("no-store");
    const there = await person.elsewhere();
    await there.send("/second-factor", { code: codes[0]?.[1] ?? "" });
    expect((await there.go(root)).html).toContain("9 codes are left");
    expect(await person.events()).toContain("recovery_code_used");
  });
});

const isSignedIn = async (person: Person): Promise<boolean> =>
  (await person.go(root)).html.includes("<h1>Sign-in methods</h1>");

describe("A11 what no longer opens the account lets nobody stay", () => {
  test("A11 a changed password ends the other sessions, this one goes on, and the person is told", async () => {
    const person = await newPerson();
    const there = await person.elsewhere();
    expect(await isSignedIn(there)).toBe(true);
    await person.go(`${root}/password`);
    expect((await person.send("/password", { password: "short" })).html).toContain("at least 12");
    expect((await person.send("/password", { password })).html).toContain("used this password before");
    await person.send("/password", { password: another, end_others: "yes" });
    expect(person.page.html).toContain("The password is set");
    expect(await isSignedIn(there)).toBe(false);
    expect(await isSignedIn(person)).toBe(true);
    expect((await there.signIn(password)).status).toBe(401);
    expect((await there.signIn(another)).url).toBe(running.issuer + root);
    await person.isTold("password was changed");
    expect(await person.events()).toEqual(["created", "password_changed"]);
    const ended = await running.database.asAdmin(
      "select ended_because from sessions where account_id = $1 and ended_at is not null",
      [person.account],
    );
    expect(ended).toEqual([{ ended_because: "password_changed" }]);
  });

  test("A11 the box is ticked unless the person unticks it; then the others go on", async () => {
    const person = await newPerson();
    const there = await person.elsewhere();
    await person.go(`${root}/password`);
    expect(person.page.html).toMatch(/name="end_others" value="yes" checked/);
    const { action, fields } = formTo(person.page, "/password");
    const { end_others: _, ...unticked } = fields;
    expect((await person.post(action, { ...unticked, password: another })).status).toBe(303);
    expect(await isSignedIn(there)).toBe(true);
  });

  test("A11 a sign-in that waits for its second step got so far by the former password, and ends there", async () => {
    const { person, passkey } = await withPasskey();
    const there = new Person(person);
    await there.go(root);
    await there.signIn();
    expect(there.page.html).toContain("One more step");
    await person.go(`${root}/password`);
    await person.send("/password", { password: another });
    const waiting = await there.send("/second-factor/passkey", {
      response: passkey.get(optionsIn(there.page)),
    });
    expect(waiting.status).toBe(400);
    expect(waiting.html).toContain("Begin again");
  });

  test("A11 a removed passkey signs nobody in, and ends the sessions that it began", async () => {
    const { person, key, passkey } = await withPasskey();
    const there = new Person(person);
    await there.go(root);
    await stepUp(there, passkey);
    expect(await isSignedIn(there)).toBe(true);
    await person.go(`${root}/passkeys/${key}`);
    await person.send("/remove");
    expect(await isSignedIn(there)).toBe(false);
    expect((await stepUp(there, passkey)).status).toBe(401);
    await person.isTold("passkey was removed");
  });

  test("a password that is removed opens nothing, and is not chosen again when one is set anew", async () => {
    const { person } = await withPasskey();
    await person.go(`${root}/password`);
    await person.send("/password/remove");
    expect(person.page.html).toContain("You have no password");
    const there = new Person(person);
    await there.go(root);
    expect((await there.signIn()).status).toBe(401);
    await person.go(`${root}/password`);
    expect((await person.send("/password", { password })).html).toContain("used this password before");
    await person.send("/password", { password: another });
    expect((await person.events()).slice(-2)).toEqual(["password_removed", "password_changed"]);
  });
});

describe("a recovery by passkey", () => {
  test("A11 leaves only what it proved: the password that was not shown opens nothing any more", async () => {
    const person = await newPerson();
    const lost = new Person(person);
    await lost.go(root);
    await lost.go(lost.page.url.slice(running.issuer.length) + "/recovery");
    await lost.send("/recovery", { email: person.email });
    const code = await codeMailedTo(running, person.email);
    await lost.send("/recovery/code", { code, second: "" });
    expect(lost.page.html).toContain("with a new passkey your password too");
    await lost.send("/recovery/passkey", { response: newPasskey().create(optionsIn(lost.page)) });
    await lost.send("/kept-codes");
    expect(lost.page.html).toContain("You have no password");
    expect(await isSignedIn(person)).toBe(false);
    expect((await person.signIn()).status).toBe(401);
    expect(await person.events()).toEqual([
      "created",
      "passkey_added",
      "password_removed",
      "recovery_codes_made",
      "recovered",
    ]);
    await person.isTold("the password unless a new one was set");
  });
});

describe("A17 only our own page's form changes anything", () => {
  test("A17 not without its secret, not with another browser's, not from elsewhere, and never by GET", async () => {
    const { person, key } = lin;
    await person.signedIn({});
    const other = await newPerson();
    await other.go(`${root}/password`);
    const theirs = formOf(other.page).fields["csrf"] ?? "";
    await person.go(`${root}/password`);
    const csrf = formOf(person.page).fields["csrf"] ?? "";
    const before = await person.events();
    const forms: readonly [string, Record<string, string>][] = [
      ["new-passkey", { passkey: "A".repeat(60), response: "{}", name: "x" }],
      [`passkeys/${key}/rename`, { name: "x" }],
      [`passkeys/${key}/remove`, {}],
      ["password", { username: person.email, password: another }],
      ["password/remove", {}],
      ["new-app", { app: "A".repeat(60), code: "123456" }],
      ["app/remove", {}],
      ["recovery-codes", {}],
    ];
    for (const [step, form] of forms) {
      const url = `${running.issuer}${root}/${step}`;
      for (const wrong of ["", "x".repeat(43), theirs])
        expect((await person.post(url, { ...form, csrf: wrong })).status, step).toBe(403);
      for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }])
        expect((await person.browser.send(url, { ...form, csrf }, headers)).status, step).toBe(403);
      expect((await new Browser().send(url, { ...form, csrf })).status, step).toBe(403);
      if (/re(name|move)$/.test(step)) expect((await person.browser.send(url)).status, step).toBe(405);
      expect((await person.post(url, { ...form, csrf, more: "1" })).status, step).toBe(400);
    }
    expect(await person.events()).toEqual(before);
    expect(person.page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  });

  test("T01 another person's passkey is not found, neither to see nor to rename nor to remove", async () => {
    const { key } = lin;
    const { person } = await withPasskey();
    expect((await person.go(`${root}/passkeys/${key}`)).status).toBe(404);
    await person.go(`${root}/password`);
    const csrf = formOf(person.page).fields["csrf"] ?? "";
    for (const [step, form] of [
      ["rename", { name: "Mine" }],
      ["remove", {}],
    ] as const) {
      const url = `${running.issuer}${root}/passkeys/${key}/${step}`;
      expect((await person.post(url, { csrf, ...form })).status, step).toBe(404);
    }
  });

  test("A15 a passkey made for another account, or for another conversation, is not added to mine", async () => {
    const { person } = lin;
    await person.signedIn({});
    const { person: eve } = await withPasskey();
    await person.go(`${root}/new-passkey`);
    await eve.go(`${root}/new-passkey`);
    const planted = formTo(eve.page, "/new-passkey").fields["passkey"] ?? "";
    const response = newPasskey().create(optionsIn(eve.page));
    const refused = await person.send("/new-passkey", { passkey: planted, response });
    expect(refused.status).toBe(400);
    expect((await person.events()).filter((event) => event === "passkey_added")).toHaveLength(1);
  });

  test("A20 the way back leads to a passkey's page by its key alone", async () => {
    const key = "k".repeat(43);
    const at = async (state: string) => {
      const query = new URLSearchParams({ state });
      const answer = await new Browser().send(`${running.issuer}/account/signed-in?${query}`);
      return answer.headers.get("location");
    };
    expect(await at(`passkey.${key}`)).toBe(`${root}/passkeys/${key}`);
    for (const state of [`passkey.${"../".repeat(14)}x`, `passkey.${key}x`, "passkey.", "toString"])
      expect(await at(state), state).toBe("/account");
  });
});
