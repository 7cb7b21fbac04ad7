import { sha256b64url } from "@remit/protocol/node";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { askingForm, askPerson, deviceGrant, newAgent } from "./asking.ts";
import { consentAtDevice, decide, nowhere, typeCodeAt } from "./at-device.ts";
import { Browser, formOf, type Page } from "./browser.ts";
import { type Answer, newClient, type OAuthClient } from "./client.ts";
import { newKeys, principal, type Running, startServer } from "./running.ts";

const stranger = { email: "eve@example.com", name: "Eve", password: "another long and good password" };

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newAgent(running);
  await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: stranger,
    admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
  });
});
afterEach(() => void vi.useRealTimers());
afterAll(() => running.close());

const ask = (more: Record<string, string> = {}): Promise<Answer> =>
  agent.post("/oauth/device", askingForm({ scope: "oid4ac:payment", ...more }));

const poll = (asked: Answer, by = agent): Promise<Answer> =>
  by.post("/oauth/token", { grant_type: deviceGrant, device_code: String(asked.body["device_code"]) });

const userCodeOf = (asked: Answer): string => String(asked.body["user_code"]);
const typeCode = (browser: Browser, code: string): Promise<Page> => typeCodeAt(running.issuer, browser, code);
const toConsent = (browser: Browser, asked: Answer, who = principal): Promise<Page> =>
  consentAtDevice({ issuer: running.issuer, browser, code: userCodeOf(asked), who });

describe("a mandate asked for on another screen (RFC 8628)", () => {
  test("is given by the person who typed the device's code and allowed it", async () => {
    const asked = await ask();
    expect(asked).toMatchObject({
      status: 200,
      body: { expires_in: 600, interval: 5, verification_uri: `${running.issuer}/device` },
    });
    expect(userCodeOf(asked)).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect((await poll(asked)).body["error"]).toBe("authorization_pending");
    const browser = new Browser();
    const confirm = await typeCode(browser, userCodeOf(asked).toLowerCase().replace("-", " "));
    expect(confirm.html).toContain(userCodeOf(asked));
    expect(confirm.html).toContain("“Test agent”");
    const consent = await toConsent(browser, asked);
    expect(consent.html).toContain("500.00 EUR");
    const done = await decide(browser, consent, "approve");
    expect(done).toMatchObject({ status: 200 });
    expect(done.html).toContain("Allowed");
    const token = await poll(asked);
    expect(token.body).toMatchObject({ token_type: "DPoP", scope: "oid4ac:payment" });
    expect(token.body["mandate_jwt"]).toMatch(/~$/);
    expect(token.body["mandate_id"]).toMatch(/^mnd_/);
    expect((await poll(asked)).body["error"]).toBe("invalid_grant");
  });

  test("is refused by the person who said no, and the device hears it", async () => {
    const asked = await ask();
    const browser = new Browser();
    const done = await decide(browser, await toConsent(browser, asked), "deny");
    expect(done.html).toContain("Declined");
    expect((await poll(asked)).body["error"]).toBe("access_denied");
    expect((await poll(asked)).body["error"]).toBe("invalid_grant");
  });

  test("is not asked of a person who says that the code is not theirs", async () => {
    const asked = await ask();
    const browser = new Browser();
    const { action, fields } = formOf(await typeCode(browser, userCodeOf(asked)));
    const done = await browser.open(action, nowhere, { ...fields, abort: "yes" });
    expect(done.html).toContain("Declined");
    expect((await poll(asked)).body["error"]).toBe("access_denied");
  });

  test("C09 is fetched by one of 50 polls at once, and its tokens live on", async () => {
    const asked = await ask();
    const browser = new Browser();
    await decide(browser, await toConsent(browser, asked), "approve");
    const polls = await Promise.all(Array.from({ length: 50 }, () => poll(asked)));
    const won = polls.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(new Set(polls.map(({ body }) => body["error"]))).toEqual(new Set([undefined, "invalid_grant"]));
    const form = { grant_type: "refresh_token", refresh_token: String(won[0]?.body["refresh_token"]) };
    expect((await agent.post("/oauth/token", form)).status).toBe(200);
  });

  test("is nobody's but the agent's who asked, and not for ever", async () => {
    const asked = await ask();
    expect((await poll(asked, await newAgent(running))).body["error"]).toBe("invalid_grant");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11 * 60_000 });
    expect((await poll(asked)).body["error"]).toBe("expired_token");
    expect((await typeCode(new Browser(), userCodeOf(asked))).html).toContain("no such code");
  });

  test("polled for too early is told to slow down", async () => {
    const asked = await ask();
    const errors = [await poll(asked), await poll(asked), await poll(asked)].map(({ body }) => body["error"]);
    expect(errors).toEqual(["authorization_pending", "slow_down", "slow_down"]);
  });
});

describe("C11 a device's code has one answer", () => {
  const mandates = async (): Promise<number> => {
    const [row] = await running.database.asAdmin("select count(*)::int as count from mandates");
    return Number(Object(row).count);
  };

  test("C11 two people, one who allows and one who declines: the first of them", async () => {
    for (const first of ["approve", "deny"] as const) {
      const asked = await ask();
      const [ada, eve] = [new Browser(), new Browser()];
      const confirms = [await typeCode(ada, userCodeOf(asked)), await typeCode(eve, userCodeOf(asked))];
      const consents: Page[] = [];
      for (const [i, browser] of [ada, eve].entries()) {
        const form = formOf(confirms[i] as Page);
        const signIn = await browser.open(form.action, nowhere, { ...form.fields, confirm: "yes" });
        if (signIn.html.includes("no such code")) continue;
        const { action, fields } = formOf(signIn);
        const { email, password } = i === 0 ? principal : stranger;
        consents.push(await browser.open(action, nowhere, { ...fields, email, password }));
      }
      // The core lets one browser have the code; whoever comes after it is told that there is none.
      expect(consents).toHaveLength(1);
      await decide(ada, consents[0] as Page, first);
      expect((await poll(asked)).body["error"]).toBe(first === "deny" ? "access_denied" : undefined);
    }
  });

  test("C11 allowed and declined at once in two windows: one of them, and at most one mandate", async () => {
    const before = await mandates();
    let given = 0;
    for (let round = 0; round < 3; round++) {
      const asked = await ask();
      const browser = new Browser();
      const consent = await toConsent(browser, asked);
      const { action, fields } = formOf(consent);
      const pages = await Promise.all(
        (["approve", "deny", "approve"] as const).map((decision) =>
          browser.open(action, nowhere, { ...fields, decision }),
        ),
      );
      expect(pages.length).toBe(3);
      const error = (await poll(asked)).body["error"];
      expect(["access_denied", undefined]).toContain(error);
      if (error === undefined) given += 1;
    }
    expect(await mandates()).toBe(before + given);
  });
});

describe("a user code is not to be guessed", () => {
  test("A19 ten wrong ones lock the address out, also of the right one, and a good one costs nothing", async () => {
    await running.database.asAdmin("delete from user_code_guesses");
    const asked = await ask();
    const browser = new Browser();
    for (let i = 0; i < 3; i++)
      expect((await typeCode(browser, userCodeOf(asked))).html).toContain("Is this your device?");
    const wrong = await Promise.all(
      Array.from({ length: 10 }, (_, i) => typeCode(new Browser(), `BBBB-BBB${"BCDFGHJKLM"[i]}`)),
    );
    for (const page of wrong) expect(page).toMatchObject({ status: 200 });
    expect(wrong[0]?.html).toContain("There is no such code");
    const locked = await typeCode(browser, userCodeOf(asked));
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(locked.html).toContain("Too many codes were tried");
    await running.database.asAdmin("delete from user_code_guesses");
  });

  test("nothing, markup and SQL are no codes, and none of it comes back", async () => {
    for (const code of ["", "<script>alert(1)</script>", "' or 1=1 --", "ÄÖÜ", "B".repeat(5000)]) {
      const page = await typeCode(new Browser(), code);
      expect(page.status).toBe(200);
      expect(page.html).toMatch(/no such code|Type the code/);
      expect(page.html).not.toContain("<script>");
    }
    await running.database.asAdmin("delete from user_code_guesses");
  });

  test("it stands in the database neither in clear nor under a digest that a guess could be held against", async () => {
    const code = userCodeOf(await ask()).replace("-", "");
    const rows = await running.database.asAdmin(
      "select uid_digest, encode(sealed, 'escape') as sealed from oauth_artifacts where model = 'DeviceCode'",
    );
    const held = JSON.stringify(rows);
    expect(held).not.toContain(code);
    expect(held).not.toContain(sha256b64url(code));
    expect(held).not.toContain(sha256b64url(sha256b64url(code)));
  });
});

describe("A17 the pages answer to nobody but the person at them", () => {
  test("A17 a form from another site, without its secret or of another browser is refused", async () => {
    const asked = await ask();
    const [browser, other] = [new Browser(), new Browser()];
    const { action, fields } = formOf(await typeCode(browser, userCodeOf(asked)));
    const form = { ...fields, confirm: "yes" };
    for (const headers of [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ])
      expect((await browser.send(action, form, headers)).status).toBe(403);
    for (const xsrf of ["", "0".repeat(48)])
      expect((await browser.send(action, { ...form, xsrf })).status).toBe(400);
    expect((await other.send(action, form)).status).toBe(403);
    expect((await other.send(`${running.issuer}/device/${"x".repeat(21)}`)).status).toBe(403);
    expect((await poll(asked)).body["error"]).toBe("authorization_pending");
  });

  test("A17 no link allows anything, and no page is framed or runs a script", async () => {
    const asked = await ask();
    const browser = new Browser();
    const complete = String(asked.body["verification_uri_complete"]);
    expect(complete).toBe(`${running.issuer}/device?user_code=${userCodeOf(asked)}`);
    for (const url of [complete, `${complete}&confirm=yes&xsrf=x`]) {
      const page = await browser.open(url, nowhere);
      expect(page.html).toContain(userCodeOf(asked));
      expect(page.html).not.toContain("<script");
      expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(page.headers.get("x-frame-options")).toBe("DENY");
    }
    expect((await poll(asked)).body["error"]).toBe("authorization_pending");
    // Compared by the person and sent: the code goes straight to sign-in.
    const { action, fields } = formOf(await browser.open(complete, nowhere));
    expect((await browser.open(action, nowhere, fields)).html).toContain("Sign in");
    const hostile = await browser.open(`${running.issuer}/device?user_code=%3Cscript%3Ealert(1)`, nowhere);
    expect(hostile.html).toContain("Which device is asking?");
    expect(hostile.html).not.toContain("alert(1)");
  });
});

describe("what cannot be asked is refused where it is asked", () => {
  test("no mandate, a resource that is none, a proof of another key, and another client than an agent", async () => {
    const bare = { scope: "oid4ac:payment", resource: askingForm()["resource"] ?? "" };
    expect((await agent.post("/oauth/device", bare)).body["error"]).toBe("invalid_authorization_details");
    expect((await ask({ resource: "https://shop.example/x" })).body["error"]).toBe("invalid_target");
    await agent.learnNonce();
    const dpop = agent.proof(agent.url("/oauth/device"), { key: newKeys().dpop });
    const assertion = {
      client_id: agent.id,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: agent.assertion(),
    };
    const foreign = await agent.raw("/oauth/device", { ...askingForm(), ...assertion }, { dpop });
    expect(foreign.body["error"]).toBe("invalid_dpop_proof");
    const merchant = await newClient(running, "merchant");
    expect((await merchant.post("/oauth/device", askingForm())).status).toBe(400);
  });

  test("the principal allows the key that asked and no other", async () => {
    const asked = await ask();
    const browser = new Browser();
    const consent = await toConsent(browser, asked);
    const change = (to: string) =>
      running.database.asAdmin(`update agents set dpop_thumbprint = '${to}' where id = '${agent.id}'`);
    const [row] = await running.database.asAdmin(
      `select dpop_thumbprint as kept from agents where id = '${agent.id}'`,
    );
    await change("another");
    expect((await decide(browser, consent, "approve")).status).toBe(403);
    await change(String(Object(row).kept));
    expect((await poll(asked)).body["error"]).toBe("authorization_pending");
  });
});

test("A18 a person who gave this agent a mandate may be asked by it again, and a stranger still may not", async () => {
  expect((await askPerson(agent, { login_hint: stranger.email })).body["error"]).toBe("unknown_user_id");
  const asked = await ask();
  const browser = new Browser();
  await decide(browser, await toConsent(browser, asked, stranger), "approve");
  expect((await poll(asked)).status).toBe(200);
  expect((await askPerson(agent, { login_hint: stranger.email })).status).toBe(200);
  const other = await newAgent(running);
  expect((await askPerson(other, { login_hint: stranger.email })).body["error"]).toBe("unknown_user_id");
});
