import { minuteMs } from "@remit/kernel";
import { eventually, jumpTime, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentOf, grant, type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  // Its principal knows an agent by what they allowed it.
  await grant(remit.dev, agentOf(remit.dev), { amount_minor: 100 });
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

async function visitor(how: Parameters<TestBrowser["visitor"]>[0] = {}): Promise<Page> {
  const { page } = await browser.visitor(how);
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
  return page;
}

const given = async (page: Page): Promise<number> => {
  await page.goto(`${remit.dev.wallet}/mandates`);
  return page.locator("main a[href^='/mandates/mnd_']").count();
};

/** The question that a purchase above the limit asks, and the purchase. */
async function question() {
  const agent = agentOf(remit.dev);
  await grant(remit.dev, agent, { amount_minor: 3000, step_up: [{ above_minor: 500 }] });
  const { pending } = await agent.fetch(remit.dev.paid_url);
  if (pending === undefined) throw new TypeError("nobody is asked");
  return pending;
}

async function open(page: Page): Promise<void> {
  await page.goto(`${remit.dev.wallet}/approvals`);
  await page.locator("main a[href^='/approvals/']").first().click();
  await page.getByRole("button", { name: "Approve" }).waitFor();
}

describe("a mandate that is given by a template", () => {
  const limits = [
    ["Reading and research", "$20.00", "$2.00"],
    ["Everyday errands", "$200.00", "$50.00"],
    ["A project", "$500.00", "$200.00"],
  ] as const;
  test.each([true, false])(
    "says what the template says, in a browser that runs scripts: %s",
    async (scripts) => {
      const page = await visitor({ scripts });
      const before = await given(page);
      for (const [name, all, each] of limits) {
        await page.goto(`${remit.dev.wallet}/mandates/new`);
        await page.getByRole("link", { name }).click();
        // By a script at once, without one with the page that the link leads to.
        await eventually(async () => (await page.getByLabel("At most, in all").inputValue()) !== "");
        await page.getByRole("button", { name: "Give it" }).dblclick();
        await page.getByRole("heading", { level: 1 }).getByText(all).waitFor();
        await page.getByRole("definition").getByText(each, { exact: true }).waitFor();
      }
      expect(await given(page)).toBe(before + limits.length);
      await page.context().close();
    },
  );

  test("follows the currency until the person types an amount of their own", async () => {
    const page = await visitor();
    await page.goto(`${remit.dev.wallet}/mandates/new`);
    await page.getByRole("link", { name: "Everyday errands" }).click();
    await page.getByLabel("Currency").selectOption("JPY");
    await page.getByText(/may spend up to ¥20,000 until .*, at most ¥5,000 at a time/).waitFor();
    await page.getByLabel("At most, in all").fill("1234");
    await page.getByLabel("Currency").selectOption("EUR");
    await page.getByText(/may spend up to €1,234\.00 until/).waitFor();
    await page.context().close();
  });
});

describe("a connection that breaks", () => {
  test("C06 keeps the form and its key: a mandate whose answer was lost is given once, however often it is sent", async () => {
    const page = await visitor();
    const before = await given(page);
    await page.goto(`${remit.dev.wallet}/mandates/new`);
    await page.getByRole("link", { name: "Reading and research" }).click();
    // It arrives, and its answer does not.
    await page.route("**/mandates/new", async (route) => {
      if (route.request().method() !== "POST") return route.continue();
      await route.fetch({ maxRedirects: 0 });
      await route.abort("connectionreset");
    });
    await page.getByRole("button", { name: "Give it" }).click();
    await page.getByText("It may have been done all the same.").waitFor();
    await page.getByText("it is done once, however often you send it").waitFor();
    await page.unroute("**/mandates/new");
    await page.context().setOffline(true);
    await page.getByRole("button", { name: "Give it" }).click();
    await page.getByRole("alert").waitFor();
    expect(await page.getByLabel("At most, in all").inputValue()).toBe("20.00");
    await page.context().setOffline(false);
    await page.getByRole("button", { name: "Give it" }).click();
    await page.waitForURL(/\/mandates\/mnd_/);
    expect(await given(page)).toBe(before + 1);
    await page.context().close();
  });

  test("or is slow says so, and an approval that was pressed thrice is one", async () => {
    const pending = await question();
    const page = await visitor({ width: 390 });
    await open(page);
    const cdp = await page.context().newCDPSession(page);
    const asked: string[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST") asked.push(request.url());
    });
    await cdp.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 5_000,
      downloadThroughput: 40_000,
      uploadThroughput: 20_000,
    });
    await page.getByRole("button", { name: "Approve" }).dblclick();
    await page.getByText("It is on its way.").waitFor();
    await page.getByRole("button", { name: "Approve" }).click({ force: true });
    await cdp.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
    await page.getByRole("status").getByText("Approved").waitFor();
    expect(asked).toHaveLength(1);
    expect((await pending.again())?.response.status).toBe(200);
    await page.context().close();
  });

  test("is said on a page that is open, and is over when it is back", async () => {
    const page = await visitor();
    // Open is a page whose scripts have all come: one that asks what happens.
    await Promise.all([page.waitForResponse(/\/live$/), page.goto(`${remit.dev.wallet}/mandates`)]);
    await page.context().setOffline(true);
    // Nobody has touched it: whoever looks again is told.
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await page.getByText("Not connected: what you see may be behind.").waitFor();
    await page.context().setOffline(false);
    await page.getByText("Not connected: what you see may be behind.").waitFor({ state: "hidden" });
    await page.context().close();
  });

  test("that is refused for a while, as by a server that is starting, is asked again", async () => {
    const page = await visitor();
    let refused = 0;
    await page.route(/\/live$/, async (request) => {
      refused += 1;
      if (refused > 2) return request.continue();
      return request.fulfill({ status: 503 });
    });
    await page.goto(`${remit.dev.wallet}/mandates`);
    await page.getByText("Not connected: what you see may be behind.").waitFor();
    await page.getByText("Not connected: what you see may be behind.").waitFor({ state: "hidden" });
    expect(refused).toBe(3);
    await page.context().close();
  });
});

test("C11 two devices that answer one question at the same moment: one is taken, and both show it", async () => {
  const pending = await question();
  const devices = [await visitor({ width: 390 }), await visitor()] as const;
  for (const page of devices) await open(page);
  const [phone, laptop] = devices;
  await phone.getByLabel("A reason for the agent (optional)").fill("Not this one.");
  await Promise.all([
    phone.getByRole("button", { name: "Refuse" }).click(),
    laptop.getByRole("button", { name: "Approve" }).click(),
  ]);
  const said = await Promise.all(
    devices.map(async (page) => {
      const answer = page.locator("p.state");
      await answer.waitFor();
      return (await answer.innerText()).includes("Approved") ? "approved" : "refused";
    }),
  );
  expect(new Set(said).size).toBe(1);
  expect((await pending.again())?.response.status).toBe(said[0] === "approved" ? 200 : 402);
  await Promise.all(devices.map((page) => page.context().close()));
});

describe("a session that nobody has used for half an hour", () => {
  test("ends in the tab that is open: who comes back to it is told, and what they press moves nothing", async () => {
    const [seen, pressed] = [await visitor(), await visitor({ scripts: false })];
    await seen.goto(`${remit.dev.wallet}/activity`);
    const before = await given(pressed);
    await pressed.goto(`${remit.dev.wallet}/mandates/new?template=errands`);
    const back = jumpTime(31 * minuteMs);
    await seen.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await seen.getByText("Your session ended, here or on another device.").waitFor();
    await pressed.getByRole("button", { name: "Give it" }).click();
    await pressed.waitForURL((url) => url.origin === remit.dev.issuer);
    back();
    expect(await given(pressed)).toBe(before);
    await Promise.all([seen.context().close(), pressed.context().close()]);
  });
});
