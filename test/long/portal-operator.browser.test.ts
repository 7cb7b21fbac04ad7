import { openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

// Forms of the console that no other file presses.

let remit: Instance;
let browser: TestBrowser;
let page: Page;
let organization: string;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  ({ page } = await browser.visitor());
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
  organization = `${remit.dev.wallet}/console/${remit.dev.tenant.id}`;
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

const at = (path: string): Promise<unknown> => page.goto(organization + path);
const press = (name: string | RegExp): Promise<void> =>
  page
    .getByRole("button", { name, exact: typeof name === "string" })
    .first()
    .click();
const told = (text: string): Promise<void> => page.getByRole("status").getByText(text).waitFor();
const pressed = async (name: string | RegExp, text: string): Promise<void> => {
  await press(name);
  await told(text);
};
const fill = async (fields: Readonly<Record<string, string>>): Promise<void> => {
  for (const [id, text] of Object.entries(fields)) await page.locator(`#${id}`).fill(text);
};

describe("an operator", () => {
  test("invites somebody and thinks better of it, and sets the zone in which days are counted", async () => {
    await at("/members");
    await fill({ email: "eve@example.com" });
    await pressed("Invite", "A letter is on its way.");
    await pressed(/^Withdraw/, "The invitation opens nothing any more.");
    await page.getByText("Nobody is invited.").waitFor();
    await at("/settings");
    await fill({ zone: "Europe/Amsterdam" });
    await page
      .locator("form", { has: page.locator("#zone") })
      .getByRole("button", { name: "Save" })
      .click();
    await told("Saved.");
    await at("/analytics");
    await page.getByText("Days and hours are of Europe/Amsterdam.").waitFor();
    await at("/settings");
    await fill({ zone: "Mars/Olympus" });
    await page
      .locator("form", { has: page.locator("#zone") })
      .getByRole("button", { name: "Save" })
      .click();
    await page.getByRole("alert").first().waitFor();
  });

  test("L01 verifies the log, checks an entry in the browser, and takes its proof away", async () => {
    await at("/audit");
    await press("Verify the log");
    await page.getByText(/^The log holds: \d+ entries recomputed\.$/).waitFor();
    // The last row of the oldest page is old enough to be in a tree that was signed.
    await page.locator("main table a[href*='/audit/']").last().click();
    await press("Check it in this browser");
    await page.getByText("The entry stands in the log.").waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download the proof" }).click(),
    ]);
    expect(await download.failure()).toBeNull();
    expect(download.suggestedFilename()).toMatch(/\.json$/);
  });
});
