import { expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

async function visitor(): Promise<Page> {
  const { page } = await browser.visitor({ width: 1280 });
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
  return page;
}

describe("a principal", () => {
  test("saves a card at its own form, makes it the one that pays, and removes the other", async () => {
    const page = await visitor();
    await page.goto(`${remit.dev.wallet}/payment-methods`);
    await page.getByRole("button", { name: "Enter a card at its own form" }).click();
    await page.waitForURL((url) => url.origin === remit.dev.sandbox);
    await page.locator("button").first().click();
    await page.waitForURL(/\/payment-methods\?setup=/);
    await page.getByText(/Visa ···· \d{4} is saved\./).waitFor();
    await page
      .getByRole("button", { name: /^Use this one/ })
      .first()
      .click();
    await page.getByText("From now on this card pays for what names no other.").waitFor();
    await expectAccessible(page);
    const before = await page.locator("li .card").count();
    await page
      .getByRole("button", { name: /^Remove/ })
      .first()
      .click();
    await page.getByRole("button", { name: "Remove it" }).dblclick();
    await page.getByText("It is removed.").waitFor();
    expect(await page.locator("li .card").count()).toBe(before - 1);
    await page.context().close();
  });

  test("has what the portal keeps forgotten only after typing the word", async () => {
    const page = await visitor();
    await page.goto(`${remit.dev.wallet}/privacy`);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Forget it" }).click();
    await page.getByLabel("Type forget to confirm").fill("forge");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.getByLabel("Type forget to confirm").fill("forget");
    await page.keyboard.press("Enter");
    await page.getByText("It is forgotten.").waitFor();
    await page.goto(`${remit.dev.wallet}/notifications`);
    await page.getByText("Nothing yet.").waitFor();
    await page.context().close();
  });
});
