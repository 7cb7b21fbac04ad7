import { expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callWithProof } from "../../packages/cli/src/running/index.ts";
import { agentsApi, type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;
let worker: string;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  const call = await agentsApi(remit.dev);
  const { agentId } = await call("POST", "/api/v1/agents", {
    name: "Night filing clerk",
    email: "night@agents.example",
    agentType: "custom",
    version: "1.0.0",
    capabilities: ["task:run"],
    owner: "night-desk",
    deploymentEnv: "production",
  });
  if (typeof agentId !== "string") throw new TypeError("an agent was registered");
  worker = agentId;
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

/** Ten agents are the free plan's most; the operator agrees on a larger one. */
async function allowMany(): Promise<void> {
  const { operator, issuer, tenant } = remit.dev;
  if (operator === undefined) throw new TypeError("a new instance has an operator");
  await callWithProof(issuer, operator, {
    origin: issuer,
    method: "PUT",
    path: `/api/v1/organizations/${tenant.id}/plan`,
    scope: "admin:orgs",
    body: { tier: "enterprise" },
  });
}

async function visitor(): Promise<Page> {
  const { page } = await browser.visitor({ width: 1280 });
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
  return page;
}

/** Opened by its keys, which the page hears as soon as its scripts run. */
async function openPalette(page: Page): Promise<void> {
  await page.locator(".finder.ready").waitFor();
  await page.keyboard.press("Control+k");
  await page.locator("#palette-list").getByRole("option").first().waitFor();
}

/** What the server made and scripts would make anew, which is seen and takes a slow processor long. */
const countRowsTakenOut = `
  window.rowsTakenOut = 0;
  new MutationObserver((changes) => {
    for (const { removedNodes } of changes)
      for (const node of removedNodes) if (node instanceof Element) window.rowsTakenOut += node.matches("tr[class=''], tr:not([class])") + node.querySelectorAll("tr:not(.gap)").length;
  }).observe(document, { childList: true, subtree: true });
`;

describe("a long list", () => {
  test("is leafed through as one sheet, whose place stands in the address and holds when one comes back", async () => {
    const call = await agentsApi(remit.dev);
    const rows = Array.from({ length: 240 }, (_, index) => ({
      name: `Worker ${String(index).padStart(3, "0")}`,
      email: `worker-${index}@agents.example`,
      agentType: "custom",
      version: "1.0.0",
      capabilities: ["task:run"],
      owner: "night-desk",
      deploymentEnv: "production",
    }));
    await allowMany();
    for (let from = 0; from < rows.length; from += 80)
      expect(await call("POST", "/api/v1/agents/import", rows.slice(from, from + 80))).toMatchObject({
        created: 80,
      });
    const page = await visitor();
    const agents = `${remit.dev.wallet}/console/${remit.dev.tenant.id}/agents`;
    await page.addInitScript(countRowsTakenOut);
    await page.goto(`${agents}?page=3`);
    const sheet = page.getByRole("region", { name: "Agents" });
    await sheet.focus();
    expect(await page.evaluate("rowsTakenOut")).toBe(0);
    await page.goto(agents);
    await sheet.focus();
    expect(await sheet.locator("tbody tr[aria-rowindex]").count()).toBeLessThan(120);
    await page.keyboard.press("End");
    await page.waitForURL("**/agents?page=5");
    await sheet.locator("tr[aria-rowindex='242'] a").waitFor();
    expect(await sheet.locator("tbody tr[aria-rowindex]").count()).toBeLessThan(120);
    await expectAccessible(page);
    await sheet.locator("tr[aria-rowindex='242'] a").click();
    await page.waitForURL(/agents\/agt_/);
    await page.goBack();
    await page.waitForURL("**/agents?page=5");
    await sheet.locator("tr[aria-rowindex='242'] a").waitFor();
    await page.context().close();
  });

  test("has its columns put away by the address, is a page of rows without scripts, and is ordered when it is whole", async () => {
    const { page, context } = await browser.visitor({ scripts: false });
    await signInAt(page, remit.dev);
    const agents = `${remit.dev.wallet}/console/${remit.dev.tenant.id}/agents`;
    await page.goto(`${agents}?without=3`);
    expect(await page.locator("tbody tr").count()).toBe(50);
    expect(await page.getByRole("columnheader", { name: "Environment" }).count()).toBe(0);
    await page.locator("a[rel=next]").click();
    await page.waitForURL("**/agents?without=3&page=2");
    await page.goto(`${agents}?text=Worker+00&sort=-1`);
    await page.getByRole("columnheader", { name: /^Agent/ }).waitFor();
    expect(await page.locator("tbody th").first().innerText()).toBe("Worker 009");
    await page.locator("th a.sort").first().click();
    await page.waitForURL("**/agents?text=Worker+00");
    await page.goto(`${agents}?text=Worker+00&sort=1`);
    expect(await page.locator("tbody th").first().innerText()).toBe("Worker 000");
    await context.close();
  });
});

describe("a filter", () => {
  test("is given a name, opened by it, and removed, without scripts, and is nobody else's list", async () => {
    const { page, context } = await browser.visitor({ scripts: false });
    await signInAt(page, remit.dev);
    const agents = `${remit.dev.wallet}/console/${remit.dev.tenant.id}/agents`;
    await page.goto(`${agents}?text=Worker+00&status=&page=1`);
    await page.getByText("Name this view").click();
    await page.getByLabel("Name of the view").fill("Night workers");
    await page.getByRole("button", { name: "Keep", exact: true }).click();
    await page.waitForURL(`${agents}?text=Worker+00`);
    const sighted = await visitor();
    await sighted.goto(`${agents}?text=Worker+00`);
    await sighted.getByRole("link", { name: "Night workers" }).waitFor();
    await expectAccessible(sighted);
    await sighted.context().close();
    await page.goto(agents);
    await page.getByRole("link", { name: "Night workers" }).click();
    await page.waitForURL(`${agents}?text=Worker+00`);
    expect(await page.locator("tbody th").first().innerText()).toContain("Worker 00");
    await page.goto(`${remit.dev.wallet}/activity`);
    expect(await page.getByRole("link", { name: "Night workers" }).count()).toBe(0);
    await page.goto(`${agents}?text=Worker+00`);
    await page.getByRole("button", { name: "Remove “Night workers”" }).click();
    await page.waitForURL(agents);
    expect(await page.getByRole("link", { name: "Night workers" }).count()).toBe(0);
    await context.close();
  });
});

describe("the palette", () => {
  test("leads by the keyboard alone to what is called so, and to what an id names", async () => {
    const page = await visitor();
    await openPalette(page);
    await expectAccessible(page);
    const field = page.getByRole("combobox", { name: "Find or do anything" });
    await page.keyboard.type("night fil");
    const option = page.getByRole("option", { name: /^Night filing clerk/ });
    await option.waitFor();
    expect(await field.getAttribute("aria-activedescendant")).toBe(await option.getAttribute("id"));
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/console/${remit.dev.tenant.id}/agents/${worker}`);

    await openPalette(page);
    await page.keyboard.type(worker);
    await page.getByRole("option", { name: /^Night filing clerk/ }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.locator("#palette-list").getByRole("option").first().waitFor();
    expect(await field.inputValue()).toBe("");
    await page.keyboard.type("request");
    await page.getByRole("option", { name: /^Requests/ }).click();
    await page.waitForURL(`**/console/${remit.dev.tenant.id}/requests`);
    await page.context().close();
  });

  test("freezes everything only when that is chosen, and is loaded by nobody who does not open it", async () => {
    const page = await visitor();
    const scripts: string[] = [];
    page.on("response", (answer) => answer.url().endsWith(".js") && scripts.push(answer.url()));
    await page.goto(`${remit.dev.wallet}/mandates`, { waitUntil: "networkidle" });
    const before = scripts.length;
    await openPalette(page);
    expect(scripts.length).toBeGreaterThan(before);
    expect(await page.locator("#palette-list").getByRole("option", { selected: true }).innerText()).toContain(
      "Give a mandate",
    );
    await page.keyboard.type("freeze");
    await page.getByRole("option", { name: /^Freeze everything/, selected: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/agents?/freezeAll");
    await page.getByText("Everything is frozen.").waitFor();
    await page.getByRole("button", { name: "Lift the freeze on everything" }).click();
    await page.getByText("Everything is frozen.").waitFor({ state: "detached" });
    await page.context().close();
  });

  test("T07 finds nothing of an organization that the person does not belong to", async () => {
    const page = await visitor();
    const strangers = "org_01k0000000e8r8000000000000";
    const answer = await page.request.get(`${remit.dev.wallet}/find?text=night&org=${strangers}`);
    expect(await answer.json()).toMatchObject({
      organizations: [{ id: remit.dev.tenant.id }],
      found: [{ name: "Night filing clerk" }],
    });
    expect(await answer.text()).not.toContain(strangers);
    await page.context().close();
  });
});
