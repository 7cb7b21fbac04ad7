import { addAuthenticator, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { look } from "./look.ts";
import { codeMailedTo } from "./person.ts";
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

const path = "/account/sign-in-methods";

async function visitor(): Promise<Page> {
  const { page } = await browser.visitor();
  page.setDefaultTimeout(15_000);
  // A virtual authenticator is touched the moment it is asked, so the browser's own offer would be taken before a click.
  await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
  return page;
}

async function byPassword(page: Page): Promise<void> {
  await page.getByLabel("Password").fill(principal.password);
  await page.getByRole("button", { name: /^(Sign in|Continue)$/ }).click();
}

const names = (page: Page): Promise<string[]> => page.locator('tbody td[data-label="Name"]').allInnerTexts();

test("a person adds passkeys, signs in with the second, removes the first and the password, and keeps the last way in", async () => {
  const page = await visitor();
  const phone = await addAuthenticator(page);
  await page.goto(running.issuer + path);
  await page.getByLabel("E-mail").fill(principal.email);
  await byPassword(page);
  await page.getByText("None yet. With a passkey").waitFor();
  await look(page, "methods-empty");

  // A password alone adds nothing: the mailbox must be theirs, and the first factor comes with recovery codes.
  await page.getByRole("link", { name: "Add a passkey" }).click();
  await page.getByRole("heading", { name: "Show that it is you" }).waitFor();
  await byPassword(page);
  await page.getByLabel("Code from the letter").fill(await codeMailedTo(running, principal.email));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Create a passkey" }).click();
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
  await page.keyboard.type("Tablet <b>of</b> Ada");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("The passkey was added.").waitFor();
  expect(await names(page)).toEqual(["Chrome on Linux", "Tablet <b>of</b> Ada"]);
  await look(page, "methods");

  await page.getByRole("link", { name: "Add an authenticator app" }).click();
  await look(page, "methods-new-app");
  await page.getByLabel("Code of the app").fill("000 000");
  await page.getByRole("button", { name: "Add the app" }).click();
  await page.getByRole("alert").getByText("The code is not right").waitFor();
  await page.getByRole("link", { name: "Sign-in methods" }).click();
  await page.getByRole("link", { name: "Make new codes" }).click();
  await page.getByRole("button", { name: "Make new codes" }).click();
  await page.getByRole("button", { name: "Copy" }).waitFor();
  await look(page, "methods-new-codes");

  await page.context().clearCookies();
  await page.goto(running.issuer + path);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByRole("link", { name: "Change the passkey Chrome on Linux" }).click();
  await look(page, "methods-passkey");
  await page.getByRole("button", { name: "Remove the passkey" }).click();
  await page.getByText("The passkey was removed.").waitFor();
  expect(await names(page)).toEqual(["Tablet <b>of</b> Ada"]);

  await page.getByRole("link", { name: "Change or remove the password" }).click();
  await look(page, "methods-password");
  await page.getByRole("button", { name: "Remove the password" }).click();
  await page.getByText("The password was removed.").waitFor();
  await page.getByRole("link", { name: /^Change the passkey Tablet/ }).click();
  await page.getByText("This is your only way in").waitFor();
  expect(await page.getByRole("button", { name: "Remove the passkey" }).count()).toBe(0);
});
