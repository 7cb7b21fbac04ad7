import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  addAuthenticator,
  openBrowser,
  type Page,
  type TestBrowser,
  type VirtualAuthenticator,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { newClient, type OAuthClient } from "./client.ts";
import { authorizeUrl, newAsking, pushedForm } from "./consent.ts";
import { look } from "./look.ts";
import { askAsWallet, codeMailedTo, walletOf } from "./person.ts";
import { principal, type Running, startServer } from "./running.ts";

let running: Running;
let browser: TestBrowser;
let wallet: OAuthClient;

beforeAll(async () => {
  [running, browser] = await Promise.all([startServer(), openBrowser()]);
  wallet = walletOf(running);
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  // It listens on a TCP port, so the address is one of these. A loopback address may have any port (RFC 8252 §7.3).
  callback = `http://127.0.0.1:${(application.address() as AddressInfo).port}/callback`;
});
afterAll(async () => {
  await browser?.close();
  await running?.close();
  application.close();
});

/** Where the application waits. */
const application = createServer((_, res) => res.end("arrived"));
let callback: string;

async function arrive(page: Page, act: () => Promise<void>): Promise<string> {
  await Promise.all([page.waitForURL((url) => url.href.startsWith(callback)), act()]);
  return page.url();
}

const ask = (more: Record<string, string> = {}) =>
  askAsWallet(running, wallet, { redirect_uri: callback, ...more });

const allow = (page: Page): Promise<string> =>
  arrive(page, () => page.getByRole("button", { name: "Allow" }).click());

const signInByPasskey = (page: Page): Promise<void> =>
  page.getByRole("button", { name: /^(Sign in with|Use) a passkey$/ }).click();

async function signInByPassword(page: Page, password = principal.password): Promise<void> {
  await page.getByLabel("E-mail").fill(principal.email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

describe("a person with a passkey", () => {
  const email = "grace@example.com";
  let page: Page;
  let authenticator: VirtualAuthenticator;

  beforeAll(async () => {
    ({ page } = await browser.visitor());
    page.setDefaultTimeout(60_000);
    // A virtual authenticator is touched the moment it is asked, so the browser's own offer would be taken before a click.
    await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
    authenticator = await addAuthenticator(page);
  });

  test("signs up with a passkey, keeps the recovery codes, and arrives with two factors", async () => {
    const asked = await ask();
    await page.goto(asked.url);
    await look(page, "sign-in");
    await page.getByRole("link", { name: "Create an account" }).click();
    await look(page, "sign-up");
    await page.getByLabel("Your name").fill("Grace");
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("button", { name: "Continue" }).click();
    await look(page, "mailed-code");
    await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, email));
    await page.getByRole("button", { name: "Continue" }).click();
    await look(page, "choose");
    await page.getByRole("button", { name: "Create a passkey" }).click();
    await page.getByRole("heading", { name: "Keep these codes" }).waitFor();
    await look(page, "codes");
    expect(await page.locator("ul.codes li").count()).toBe(10);
    await page.getByRole("button", { name: "I have kept them" }).click();
    await look(page, "consent-access");
    const token = await asked.redeem(await allow(page));
    expect(token.status).toBe(200);
    const methods = await callApi(running, {
      token: String(token.body["access_token"]),
      key: wallet.keys.dpop,
      path: "/api/v1/account/sign-in-methods",
    });
    expect(methods.body).toMatchObject({ password: false, recovery_codes_left: 10 });
    expect(methods.body["passkeys"]).toMatchObject([{ device_bound: false, name: "Chrome on Linux" }]);
    const [credential] = await authenticator.credentials();
    expect(credential?.isResidentCredential).toBe(true);
  });

  test("signs in without a name, and a call that wants a fresh second factor is accepted after a step-up", async () => {
    await page.context().clearCookies();
    const asked = await ask();
    await page.goto(asked.url);
    await signInByPasskey(page);
    const token = await asked.redeem(await allow(page));
    const call = (given: typeof token) =>
      callApi(running, {
        token: String(given.body["access_token"]),
        key: wallet.keys.dpop,
        method: "POST",
        path: "/api/v1/account/recovery-codes",
      });
    expect((await call(token)).status).toBe(200);
    // Half an hour passes at the keyboard: the same session is no longer fresh (RFC 9470 §4, max_age).
    const again = await ask({ acr_values: "urn:remit:aal2", max_age: "0" });
    await page.goto(again.url);
    await page.getByRole("heading", { name: "Show that it is you" }).waitFor();
    await look(page, "step-up");
    await signInByPasskey(page);
    const stepped = await again.redeem(await allow(page));
    const answer = await call(stepped);
    expect(answer.status).toBe(200);
    expect(answer.body["recovery_codes"]).toHaveLength(10);
  });

  test("A16 is asked for a security key where the request wants one, and no lesser key will do", async () => {
    const asked = await ask({ acr_values: "urn:remit:aal3" });
    await page.goto(asked.url);
    await page.getByText("This needs a security key").waitFor();
    await look(page, "security-key");
    await signInByPasskey(page);
    await page.getByRole("alert").getByText("not enough here").waitFor();
    const back = await arrive(page, () => page.getByRole("button", { name: "Back to" }).click());
    expect(new URL(back).searchParams.get("error")).toBe("access_denied");
  });

  test("A15 a passkey whose counter ran backwards is refused, and its owner is told", async () => {
    await page.context().clearCookies();
    const [credential] = await authenticator.credentials();
    await authenticator.setCounter(credential?.credentialId ?? "", 0);
    await page.goto((await ask()).url);
    await signInByPasskey(page);
    await page.getByRole("alert").getByText("The passkey was not accepted").waitFor();
  });
});

describe("a person with a password", () => {
  test("reads what an agent may spend, in both themes and at every width", async () => {
    const agent = await newClient(running, "agent");
    const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
    const { page } = await browser.visitor();
    await page.goto(authorizeUrl(running, agent.id, pushed.body["request_uri"]));
    await signInByPassword(page, "not the password");
    await page.getByRole("alert").getByText("not right").waitFor();
    await signInByPassword(page);
    await page.getByRole("button", { name: "Allow spending" }).waitFor();
    await look(page, "consent-mandate");
  });

  test("reaches everything but passkeys without scripts", async () => {
    const { page } = await browser.visitor({ scripts: false });
    await page.goto((await ask({ acr_values: "urn:remit:aal2" })).url);
    expect(await page.getByRole("button", { name: "Sign in with a passkey" }).isVisible()).toBe(false);
    await signInByPassword(page);
    await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, principal.email));
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("heading", { name: "Add a second way" }).waitFor();
    expect(await page.getByRole("button", { name: "Add the app" }).isVisible()).toBe(true);
  });

  test("adds a passkey where two factors are asked for, is asked for it after the password, and gets back in by a recovery code", async () => {
    const { page } = await browser.visitor();
    page.setDefaultTimeout(60_000);
    await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
    await addAuthenticator(page);
    const asked = await ask({ acr_values: "urn:remit:aal2" });
    await page.goto(asked.url);
    await signInByPassword(page);
    await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, principal.email, 2));
    await page.getByRole("button", { name: "Continue" }).click();
    await look(page, "add-factor");
    await page.getByRole("button", { name: "Create a passkey" }).click();
    const code = await page.locator("ul.codes li").first().innerText();
    await page.getByRole("button", { name: "I have kept them" }).click();
    expect((await asked.redeem(await allow(page))).status).toBe(200);
    await page.context().clearCookies();
    await page.goto((await ask()).url);
    await signInByPassword(page);
    await look(page, "second-factor");
    await signInByPasskey(page);
    await allow(page);
    await page.context().clearCookies();
    const lost = await ask();
    await page.goto(lost.url);
    await page.getByRole("link", { name: "I cannot sign in" }).click();
    await look(page, "recovery");
    await page.getByLabel("E-mail").fill(principal.email);
    await page.getByRole("button", { name: "Send me a code" }).click();
    await look(page, "recovery-code");
    await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, principal.email, 4));
    await page.getByLabel("Recovery code").fill(code);
    await page.getByRole("button", { name: "Continue" }).click();
    await look(page, "renew");
    await page.getByLabel("A new password").fill("quite another four words");
    await page.getByRole("button", { name: "Set the password" }).click();
    expect((await lost.redeem(await allow(page))).status).toBe(200);
  });
});
