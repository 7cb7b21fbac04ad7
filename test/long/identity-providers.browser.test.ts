import { expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ada, Federation } from "../../services/authorization-server/test/federated.ts";
import { look } from "../../services/authorization-server/test/look.ts";
import { principal } from "../../services/authorization-server/test/running.ts";

let at: Federation;
let browser: TestBrowser;

beforeAll(async () => {
  [at, browser] = await Promise.all([Federation.start(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await at?.close();
});

/** One width and theme for the record; all of them for whoever looks at the pictures. */
const seen = (page: Page, name: string): Promise<void> =>
  process.env["REMIT_TEST_SCREENSHOTS"] === undefined ? expectAccessible(page) : look(page, name);

test("a person goes out by their organization's button, comes back, links it with a yes, and finds it on their account", async () => {
  const { page } = await browser.visitor();
  await at.change(at.management, at.acme, { link_policy: "none" });
  at.upstream.person = ada();
  await page.goto(`${at.running.issuer}/account`);
  await page.getByRole("link", { name: "Continue with Anywhere" }).waitFor();
  await seen(page, "providers-sign-in");
  await page.getByRole("link", { name: "Sign in with your organization" }).click();
  await seen(page, "providers-organization");
  await page.getByLabel("Your e-mail at the organization").fill(principal.email);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("link", { name: "Continue with “Acme”" }).waitFor();
  await seen(page, "providers-organization-found");
  await page.getByRole("link", { name: "Continue with “Acme”" }).click();
  await page.getByRole("heading", { name: "This address has an account" }).waitFor();
  await seen(page, "providers-conflict");
  await page.getByRole("link", { name: "Sign in to your account" }).click();
  await page.getByLabel("E-mail").fill(principal.email);
  await page.getByLabel("Password").fill(principal.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "Link “Acme”?" }).waitFor();
  await seen(page, "providers-link");
  await page.getByRole("button", { name: "Link and continue" }).click();
  await page.waitForURL(`${at.running.issuer}/account`);
  await page.goto(`${at.running.issuer}/account/sign-in-methods`);
  await page.getByRole("heading", { name: "Linked identity providers" }).waitFor();
  await seen(page, "providers-methods");
  await page.getByRole("link", { name: "Unlink Acme" }).click();
  await seen(page, "providers-unlink");
  await page.getByRole("button", { name: "Unlink it" }).click();
  await page.getByText("It is unlinked.").waitFor();
  expect(await page.getByRole("heading", { name: "Linked identity providers" }).count()).toBe(0);

  const stranger = await browser.visitor();
  at.upstream.answer = (query) => query.set("code", "made-up");
  await stranger.page.goto(`${at.running.issuer}/account`);
  await stranger.page.getByRole("link", { name: "Continue with Anywhere" }).click();
  await stranger.page.getByText("proves nothing here").waitFor();
  await seen(stranger.page, "providers-trouble");
});
