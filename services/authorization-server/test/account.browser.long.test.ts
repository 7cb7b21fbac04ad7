import { addAuthenticator, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browser, formOf } from "./browser.ts";
import { newClient } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { type InWallet, openWallet } from "./in-wallet.ts";
import { look } from "./look.ts";
import { Management } from "./management.ts";
import { codeMailedTo, letterTo } from "./person.ts";
import { principal, type Running, startServer } from "./running.ts";

let running: Running;
let browser: TestBrowser;

beforeAll(async () => {
  [running, browser] = await Promise.all([startServer(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await running?.close();
});

const statusOf = async (person: InWallet): Promise<number> =>
  (await person.call("GET", "/api/v1/sessions")).status;

async function signIn(page: Page, path: string): Promise<void> {
  await page.goto(running.issuer + path);
  await page.getByLabel("E-mail").fill(principal.email);
  await page.getByLabel("Password").fill(principal.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${running.issuer}${path}`);
}

/** The link in the letter by which an organization asks somebody to join. */
async function invitationTo(email: string): Promise<string> {
  const manager = new Management(running);
  const asked = { name: "Shop of Grace", slug: "shop-of-grace" };
  const { body } = await manager.call("POST", "/api/v1/organizations", asked);
  const { clientId, clientSecret } = body["admin"] as { clientId: string; clientSecret: string };
  const own = new Management({ ...running, adminId: clientId }, clientSecret);
  const path = `/api/v1/organizations/${String(body["organizationId"])}/members`;
  await own.call("POST", path, { email, role: "admin" });
  return /^http\S+code=\S+$/m.exec((await letterTo(running, email)).text)?.[0] ?? "";
}

test("A11 a person signs in, finds the other session on the device list, ends it, and its next call is refused", async () => {
  const there = await openWallet(running);
  const agent = await newClient(running, "agent");
  const given = await exchange(agent, await obtainCode(running, agent));
  expect(await statusOf(there)).toBe(200);
  const { page } = await browser.visitor();
  await signIn(page, "/account/sessions");
  await expect(page.getByText("this device").count()).resolves.toBe(1);
  await look(page, "account-sessions");
  const rows = await page.getByRole("button", { name: /^End the session/ }).count();
  expect(rows).toBeGreaterThanOrEqual(2);
  await page.getByRole("button", { name: "End all other sessions" }).click();
  await page.getByText("All other sessions have ended.").waitFor();
  expect(await statusOf(there)).toBe(401);
  await expect(page.getByRole("button", { name: /^End the session/ }).count()).resolves.toBe(0);

  await page.getByRole("link", { name: "Applications" }).click();
  await page.getByText("500.00 EUR").waitFor();
  await look(page, "account-applications");
  await page.getByRole("button", { name: /Test agent/ }).click();
  await page.getByText("Its access has ended.").waitFor();
  const again = { grant_type: "refresh_token", refresh_token: String(given.body["refresh_token"]) };
  expect((await agent.post("/oauth/token", again)).body["error"]).toBe("invalid_grant");
  const [mandate] = await running.database.asAdmin("select state from mandates where agent_id = $1", [
    agent.id,
  ]);
  expect(mandate).toEqual({ state: "revoked" });

  await page.getByRole("link", { name: "Activity" }).click();
  await page.getByText("You ended a session").first().waitFor();
  await look(page, "account-events");
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText(principal.email).waitFor();
  await look(page, "account");
  await page.getByRole("link", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign out?" }).waitFor();
  await look(page, "sign-out");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
  await look(page, "signed-out");
  await page.goto(`${running.issuer}/account`);
  await page.getByLabel("Password").waitFor();
});

test("an invitation is read and accepted, and an organization left, on pages that everybody can use", async () => {
  const { page } = await browser.visitor();
  await signIn(page, "/account/organizations");
  await page.getByText("your own").waitFor();
  await look(page, "account-organizations");
  await page.goto(await invitationTo(principal.email));
  await page.getByText("“Shop of Grace”").waitFor();
  await look(page, "account-invitation");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("You have joined the organization.").waitFor();
  await page.getByRole("button", { name: "Leave Shop of Grace" }).click();
  await page.getByText("You have left the organization.").waitFor();
  await page.goto(`${running.issuer}/account/invitation`);
  await page.getByLabel("Code of the invitation").fill("rms_of-nobody");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("alert").waitFor();
});

const methodsPath = "/account/sign-in-methods";
const grace = { email: "grace@example.com", name: "Grace", password: "words that nobody else has" };

async function withPasskeys(): Promise<Page> {
  const { page } = await browser.visitor();
  page.setDefaultTimeout(60_000);
  // A virtual authenticator is touched the moment it is asked, so the browser's own offer would be taken before a click.
  await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
  return page;
}

async function byPassword(page: Page): Promise<void> {
  await page.getByLabel("Password").fill(grace.password);
  await page.getByRole("button", { name: /^(Sign in|Continue)$/ }).click();
}

const names = (page: Page): Promise<string[]> => page.locator('tbody td[data-label="Name"]').allInnerTexts();

test("a person adds passkeys, signs in with the second, removes the first and the password, and keeps the last way in", async () => {
  const admin = { clientSecret: "an-admin-secret-for-grace-of-many-random-bits-01" };
  await running.service.bootstrap({ tenant: { name: "Grace's" }, principal: grace, admin });
  const page = await withPasskeys();
  const phone = await addAuthenticator(page);
  await page.goto(running.issuer + methodsPath);
  await page.getByLabel("E-mail").fill(grace.email);
  await byPassword(page);
  await page.getByText("None yet. With a passkey").waitFor();
  await look(page, "methods-empty");

  // A password alone adds nothing: the mailbox must be theirs, and the first factor comes with recovery codes.
  await page.getByRole("link", { name: "Add a passkey" }).click();
  await page.getByRole("heading", { name: "Show that it is you" }).waitFor();
  await byPassword(page);
  await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, grace.email));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Create a passkey" }).click();
  await page.locator("ul.codes li").first().waitFor();
  expect(await page.locator("ul.codes li").count()).toBe(10);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("10 codes are left.").waitFor();
  expect(await names(page)).toEqual(["Chrome on Linux"]);

  // The second is kept elsewhere, and is named on the way. Nobody touches the mouse.
  await phone.remove();
  await addAuthenticator(page);
  await page.getByRole("link", { name: "Add a passkey" }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Name").waitFor();
  await look(page, "methods-new-passkey");
  await page.getByLabel("Name").focus();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("Tablet <b>of</b> Grace");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("The passkey was added.").waitFor();
  expect(await names(page)).toEqual(["Chrome on Linux", "Tablet <b>of</b> Grace"]);
  await look(page, "methods");

  await page.getByRole("link", { name: "Add an authenticator app" }).click();
  await look(page, "methods-new-app");
  await page.getByLabel("Code of the app").fill("000 000");
  await page.getByRole("button", { name: "Add the app" }).click();
  await page.getByRole("alert").getByText("The code is not right").waitFor();
  await page.getByRole("link", { name: "Back to sign-in methods" }).click();
  await page.getByRole("link", { name: "Make new codes" }).click();
  await page.getByRole("button", { name: "Make new codes" }).click();
  await page.getByRole("button", { name: "Copy" }).waitFor();
  await look(page, "methods-new-codes");

  await page.context().clearCookies();
  await page.goto(running.issuer + methodsPath);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByRole("link", { name: "Change the passkey Chrome on Linux" }).click();
  await look(page, "methods-passkey");
  await page.getByRole("button", { name: "Remove the passkey" }).click();
  await page.getByText("The passkey was removed.").waitFor();
  expect(await names(page)).toEqual(["Tablet <b>of</b> Grace"]);

  await page.getByRole("link", { name: "Change or remove the password" }).click();
  await look(page, "methods-password");
  await page.getByRole("button", { name: "Remove the password" }).click();
  await page.getByText("The password was removed.").waitFor();
  await page.getByRole("link", { name: /^Change the passkey Tablet/ }).click();
  await page.getByText("This is your only way in").waitFor();
  expect(await page.getByRole("button", { name: "Remove the passkey" }).count()).toBe(0);
});

/** A person on the account pages, in a browser without a window. */
async function onAccount(who = principal): Promise<Browser> {
  const visitor = new Browser();
  const page = await visitor.open(`${running.issuer}/account`, "none");
  const { action, fields } = formOf(page);
  const { email, password } = who;
  await visitor.open(action, "none", { ...fields, email, password });
  return visitor;
}

const rowOf = async ({ access }: InWallet): Promise<Record<string, unknown>> => {
  const { sid } = Object(JSON.parse(Buffer.from(access.split(".")[1] ?? "", "base64url").toString("utf8")));
  return (await running.database.asAdmin("select * from sessions where sid = $1", [sid]))[0] ?? {};
};

const sessionIn = (html: string): string => /name="id" value="(ses_[^"]+)"/.exec(html)?.[1] ?? "";

describe("A17 only our own page's form ends anything", () => {
  test("A17 not without its secret, not with another browser's, not from elsewhere, and never by GET", async () => {
    const [me, other, there] = [await onAccount(), await onAccount(), await openWallet(running)];
    const url = `${running.issuer}/account/sessions`;
    const [mine, theirs] = [await me.open(url, "none"), await other.open(url, "none")];
    const id = sessionIn(mine.html);
    const csrf = formOf(mine).fields["csrf"] ?? "";
    const wrong = [{ csrf: "" }, { csrf: "x".repeat(43) }, { csrf: formOf(theirs).fields["csrf"] ?? "" }];
    for (const form of wrong) expect((await me.send(`${url}/end`, { id, ...form })).status).toBe(403);
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }])
      expect((await me.send(`${url}/end`, { id, csrf }, headers)).status).toBe(403);
    expect((await new Browser().send(`${url}/end`, { id, csrf })).status).toBe(403);
    expect((await me.send(`${url}/end-others`)).status).toBe(405);
    expect(await statusOf(there)).toBe(200);
    expect(mine.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect((await me.send(`${url}/end`, { id, csrf })).headers.get("location")).toBe(
      "/account/sessions?done=session-ended",
    );
    expect((await me.send(`${url}/end`, { id, csrf })).status).toBe(404);
  });
});

describe("T01 another person's sessions and applications", () => {
  test("T01 are neither shown nor ended", async () => {
    const eve = { email: "eve@example.com", name: "Eve", password: "another correct horse" };
    const admin = { clientSecret: "another-admin-secret-of-many-random-bits-012345" };
    await running.service.bootstrap({ tenant: { name: "Eve's" }, principal: eve, admin });
    const [attacker, victim] = [await onAccount(eve), await openWallet(running)];
    const page = await attacker.open(`${running.issuer}/account/applications`, "none");
    expect(page.html).toContain("No application has access");
    // Another session of her own, so that the page has a form with a good secret.
    await onAccount(eve);
    const mine = await attacker.open(`${running.issuer}/account/sessions`, "none");
    expect(mine.html).not.toContain(String((await rowOf(victim))["id"]));
    const [grant] = await running.database.asAdmin<{ grant_digest: string }>(
      "select grant_digest from oauth_grants where client_id = 'wallet' and revoked_at is null limit 1",
    );
    const end = (path: string, form: Record<string, string>) =>
      attacker.send(`${running.issuer}/account/${path}/end`, {
        csrf: formOf(mine).fields["csrf"] ?? "",
        ...form,
      });
    expect((await end("applications", { grant: grant?.grant_digest ?? "" })).status).toBe(404);
    expect((await end("sessions", { id: String((await rowOf(victim))["id"]) })).status).toBe(404);
    expect(await statusOf(victim)).toBe(200);
  });
});

test("A20 the way back from signing in leads to a page of ours, whatever the address says", async () => {
  for (const state of ["https://evil.example", "//evil.example", "../oauth", "constructor", "__proto__"]) {
    const query = new URLSearchParams({ state });
    const answer = await new Browser().send(`${running.issuer}/account/signed-in?${query}`);
    expect(answer.headers.get("location"), state).toBe("/account");
  }
});

test("V06 ids and outcomes that are none are refused, and an application's name stays text", async () => {
  const me = await onAccount();
  for (const path of ["/account?done=<script>", "/account/sessions?done=__proto__", "/account?more=1"])
    expect((await me.send(running.issuer + path)).status).toBe(400);
  await running.database.asAdmin(
    "update clients set name = '<img src=x onerror=alert(1)>' where id = 'wallet'",
  );
  await openWallet(running);
  const { html } = await me.open(`${running.issuer}/account/applications`, "none");
  expect(html).toContain("&lt;img src=x");
  expect(html).not.toContain("<img");
});
