import type { Agent } from "@remit/agent";
import { eventually, expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentOf, grant, type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;
let agent: Agent;
let page: Page;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  agent = agentOf(remit.dev);
  // It is one of the principal's own from its first mandate on.
  await grant(remit.dev, agent, { amount_minor: 1_000, purpose: "Only to be known" });
  ({ page } = await browser.visitor());
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

const at = (path: string): Promise<unknown> => page.goto(remit.dev.wallet + path);
/** In the words of another language, as its menu sets it. */
const inLanguage = (lang: string): Promise<void> =>
  page.context().addCookies([{ name: "lang", value: lang, url: remit.dev.wallet }]);

describe("a mandate that is given with more limits", () => {
  /** What the first of them says in each language. */
  const said = {
    de: ["höchstens 90,00", "höchstens 3 Käufe in der Woche", "nur für books oder news"],
    es: ["como máximo 90,00", "como máximo 3 compras a la semana", "solo para books o news"],
    ja: ["1 か月 $90.00 まで", "books"],
    en: [
      "at most $90.00 a month",
      "at most 3 purchases a week",
      "for books or news alone",
      "paid by Card alone",
    ],
  } as const;

  const fill = async (): Promise<void> => {
    await page.locator("#amount").fill("100");
    await page.locator("#purpose").fill("Reading of all kinds");
    await page.locator("form details summary").click();
    await page.locator("input[name=month_amount]").fill("90");
    await page.locator("input[name=week_count]").fill("3");
    await page.locator("#categories").fill("books, news");
    await page.locator("input[name=rails][value=card]").check();
    await page.locator("input[name=first]").check();
    await page.locator("input[name=auto]").check();
  };

  test("says each of them in a sentence, in four languages, and is given as it says", async () => {
    for (const [lang, parts] of Object.entries(said)) {
      await inLanguage(lang);
      await at("/mandates/new");
      await page.locator("form details summary").waitFor();
      expect(await page.locator("#categories").isVisible()).toBe(false);
      await fill();
      const sentence = (await page.locator(".sentence").innerText()).replaceAll("\u00a0", " ");
      for (const part of parts) expect(sentence).toContain(part);
    }
    await expectAccessible(page);
    await page.getByRole("button", { name: "Give it" }).click();
    await page.waitForURL(/\/mandates\/mnd_/);
    await page.getByText("$0.00 of $90.00").waitFor();
    await page.getByText("0 of 3 purchases").waitFor();
    await page.getByText("You are asked before the first purchase at a merchant").waitFor();
    expect(await page.getByText("books or news").count()).toBeGreaterThan(0);
  });

  test("is refused with what cannot be read, and nothing is given", async () => {
    await at("/mandates/new");
    await page.locator("#amount").fill("5");
    await page.locator("form details summary").click();
    await page.locator("input[name=day_count]").fill("often");
    await page.getByRole("button", { name: "Give it" }).click();
    await page.getByText("often").first().waitFor();
    expect(page.url()).toContain("/mandates/new");
  });

  test("has what was granted out of it below it, and neither is counted twice", async () => {
    const { merchant, principal } = remit.dev;
    const asked = await agent.requestMandate({
      mode: "ciba",
      loginHint: principal.email,
      resource: merchant.origin,
      details: {
        type: "oid4ac_mandate",
        currency: "USD",
        amount_minor: 4_000,
        categories: ["books"],
        rails: ["card"],
        purpose: "Reports for the briefing",
      },
    });
    const { id } = await asked.wait();
    await at("/");
    expect(await page.locator(".totals .total").first().innerText()).toBe("$110.00");
    await at("/mandates");
    await page.getByText("Reading of all kinds").waitFor();
    expect(await page.getByText("Reports for the briefing").count()).toBe(0);
    await page.getByRole("link", { name: "Show those handed on as well" }).click();
    await page.getByText("Reports for the briefing").waitFor();
    expect(await page.getByRole("link", { name: /^Handed on from …/ }).count()).toBe(1);
    await expectAccessible(page);

    await at(`/mandates/${id}`);
    await page.getByRole("heading", { name: "Handed on from" }).waitFor();
    await page.getByText("$40.00 can be spent now").waitFor();
    await expectAccessible(page);
    await page.locator("section ol a[href^='/mandates/mnd_']").click();
    await page.getByRole("heading", { name: "Handed on from it" }).waitFor();
    await page.getByText("Reports for the briefing").waitFor();
  });
});

test("a purchase that waits is held against its mandate, and says which of its rules asks", async () => {
  const asking = agentOf(remit.dev);
  const rules = { per_charge_minor: 1_200, step_up: [{ above_minor: 500 }], purpose: "One report a month" };
  const mandate = await grant(remit.dev, asking, { amount_minor: 2_000, ...rules });
  expect((await asking.fetch(remit.dev.paid_url)).pending).toBeDefined();
  await at("/approvals");
  await page.locator("main a[href^='/approvals/']").first().click();
  await page.getByRole("heading", { name: "What its mandate allows" }).waitFor();
  await page.getByText("$10.00 of $12.00").waitFor();
  await page.getByText("You are asked above $5.00").getByText("You are asked because of this").waitFor();
  expect(await page.getByText("One of your own rules").count()).toBe(0);
  await expectAccessible(page);
  await page.getByRole("link", { name: "One report a month" }).click();
  await page.waitForURL(`${remit.dev.wallet}/mandates/${mandate}`);
});

test("what was bought is found by its number, by where it was and by its category, as the address says", async () => {
  const buying = agentOf(remit.dev);
  await grant(remit.dev, buying, { amount_minor: 3_000 });
  const { charge } = await buying.fetch(remit.dev.paid_url);
  const rows = page.locator("main table a[href^='/activity/chg_']");
  /** Again where the page was not awake yet: what is typed before it is, is not kept. */
  const seek = (words: string): Promise<unknown> =>
    eventually(async () => {
      await page.getByRole("searchbox").fill(words);
      await page.getByRole("button", { name: "Show", exact: true }).click();
      expect(new URL(page.url()).searchParams.get("q")).toBe(words);
    });
  await at("/activity");
  await seek(String(charge));
  await eventually(async () =>
    expect(await rows.evaluateAll((all) => all.map((one) => one.getAttribute("href")))).toEqual([
      `/activity/${charge}`,
    ]),
  );
  await seek(new URL(remit.dev.merchant.origin).host.toUpperCase());
  await rows.first().waitFor();
  await expectAccessible(page);
  await seek("nothing of the kind");
  await page.getByText("Nothing matches.").waitFor();

  await at("/activity");
  await page.locator("main a[href*='category=']").first().click();
  await page.getByText("Category:").waitFor();
  await rows.first().waitFor();
  await page.getByRole("link", { name: /^Show all ?: Category/ }).click();
  await page.waitForURL((url) => !url.searchParams.has("category"));
});
