import { newId } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askPerson, newAgent, openWallet, pollPerson } from "./asking.ts";
import { nowhere } from "./at-device.ts";
import { Browser, formOf, formTo, type Page } from "./browser.ts";
import type { Answer, OAuthClient } from "./client.ts";
import { authorizeUrl, newAsking, openConsent, pushedForm } from "./consent.ts";
import { askAsWallet, walletOf } from "./person.ts";
import { principal, type Running, startServer } from "./running.ts";

const stranger = { email: "eve@example.com", name: "Eve", password: "another long and good password" };

let running: Running;
let agent: OAuthClient;
let ada: Browser;

/** A browser in which this person is signed in, by the interaction pages. */
async function signedIn(who?: typeof stranger): Promise<Browser> {
  const browser = new Browser();
  const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
  await openConsent(browser, authorizeUrl(running, agent.id, pushed.body["request_uri"]), who);
  return browser;
}

beforeAll(async () => {
  running = await startServer();
  agent = await newAgent(running);
  await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: stranger,
    admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
  });
  ada = await signedIn();
});
afterAll(() => running.close());

const url = (path = ""): string => `${running.issuer}/account/approvals${path}`;
const open = (browser: Browser, path = ""): Promise<Page> => browser.open(url(path), nowhere);

async function ask(): Promise<{ asked: Answer; page: Page }> {
  const asked = await askPerson(agent, { binding_message: "Order 17" });
  const list = await open(ada);
  const path = /\/account\/approvals(\/apv_\w+)/.exec(list.html)?.[1] ?? "";
  return { asked, page: await open(ada, path) };
}

async function send(browser: Browser, page: Page, verb: "approve" | "deny", more = {}): Promise<Page> {
  const { action, fields } = formTo(page, verb);
  return browser.open(action, nowhere, { ...fields, ...more });
}

describe("the pages where a person answers", () => {
  test("G03 show the question as every consent page does, and a yes gives the mandate", async () => {
    const { asked, page } = await ask();
    expect(page.html).toContain("“Test agent” asks to spend your money");
    expect(page.html).toContain("500.00 EUR");
    expect(page.html).toContain("The agent's own words: “Order 17”");
    const done = await send(ada, page, "approve");
    expect(done.html).toContain("Allowed.");
    expect(done.html).not.toContain("<form");
    expect((await pollPerson(agent, asked)).body["mandate_jwt"]).toMatch(/~$/);
    expect((await open(ada)).html).toContain("Nothing waits for your answer");
  });

  test("a no is kept with its reason, and the agent is told no more than that", async () => {
    const { asked, page } = await ask();
    expect((await send(ada, page, "deny", { reason: "Not mine." })).html).toContain("Declined.");
    const { body } = await pollPerson(agent, asked);
    expect(body["error"]).toBe("access_denied");
    expect(JSON.stringify(body)).not.toContain("Not mine.");
    expect((await send(ada, page, "approve")).status).toBe(409);
  });

  test("T01 show and answer nothing of another person's, and nothing at all to nobody", async () => {
    const { asked, page } = await ask();
    const path = new URL(page.url).pathname.slice("/account/approvals".length);
    const eve = await signedIn(stranger);
    expect((await open(eve)).html).toContain("Nothing waits for your answer");
    const [theirs, none] = [await open(eve, path), await open(eve, `/${newId("approval")}`)];
    expect([theirs.status, none.status]).toEqual([404, 404]);
    expect(theirs.html).toBe(none.html);
    for (const browser of [eve, new Browser()])
      expect((await send(browser, page, "approve")).status).toBeGreaterThanOrEqual(401);
    expect(await open(new Browser())).toMatchObject({ status: 401 });
    expect((await pollPerson(agent, asked)).body["error"]).toBe("authorization_pending");
    await send(ada, page, "deny");
  });

  test("A17 a form from another site, a forged secret, a link and a frame get no answer", async () => {
    const { asked, page } = await ask();
    const { action, fields } = formTo(page, "approve");
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }])
      expect((await ada.send(action, fields, headers)).status).toBe(403);
    expect((await ada.send(action, { ...fields, csrf: "x".repeat(43) })).status).toBe(403);
    expect((await ada.send(action, { ...fields, unknown: "1" })).status).toBe(400);
    expect((await ada.send(action)).status).toBeGreaterThanOrEqual(404);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect((await pollPerson(agent, asked)).body["error"]).toBe("authorization_pending");
    await send(ada, page, "deny");
  });
});

describe("A16 where the money is real", () => {
  let real: Running;
  beforeAll(async () => {
    // No setting makes it so yet; what is refused then is refused from the first day.
    real = await startServer({ livemode: true as unknown as false });
  });
  afterAll(() => real.close());

  test("A16 a yes needs a second factor of everybody: without one it is refused, and one can be added", async () => {
    const asker = await newAgent(real);
    const asked = await askPerson(asker);
    const wallet = await openWallet(real);
    const { body } = await wallet.send({ path: "/api/v1/approvals" });
    const id = String(Object(body["data"])[0].id);
    const byApi = await wallet.send({ method: "POST", path: `/api/v1/approvals/${id}/approve` });
    expect(byApi).toMatchObject({
      status: 401,
      body: { code: "insufficient_user_authentication", acr_values: "urn:remit:aal2" },
    });

    const browser = new Browser();
    await openConsent(browser, (await askAsWallet(real, walletOf(real))).url);
    const page = await browser.open(`${real.issuer}/account/approvals/${id}`, nowhere);
    expect(page.html).not.toContain(`${id}/approve`);
    const { action, fields } = formTo(page, "deny");
    const byForm = await browser.send(action.replace(/deny$/, "approve"), { csrf: fields["csrf"] ?? "" });
    expect(byForm.status).toBe(401);
    expect((await pollPerson(asker, asked)).body["error"]).toBe("authorization_pending");

    const signIn = await browser.open(`${real.issuer}/account/second-factor`, nowhere);
    expect(signIn.html).toContain('name="password"');
    const again = formOf(signIn);
    const adding = await browser.open(again.action, nowhere, {
      ...again.fields,
      password: principal.password,
    });
    expect(adding.html).toContain("/enrol/");
  });
});
