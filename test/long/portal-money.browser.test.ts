import type { Agent } from "@remit/agent";
import { eventually, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentOf, grant, type Instance, paymentIntentsOf, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;
let agent: Agent;
let page: Page;
let shop: string;
let plan: string;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  agent = agentOf(remit.dev);
  await grant(remit.dev, agent, { amount_minor: 20_000 });
  ({ page } = await browser.visitor());
  page.setDefaultTimeout(240_000);
  await signInAt(page, remit.dev);
  const { wallet, tenant } = remit.dev;
  shop = `${wallet}/merchant/${tenant.id}`;
  plan = `${wallet}/console/${tenant.id}/plan`;
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

type Button = ReturnType<Page["locator"]>;

/**
 * Presses twice, as an impatient hand does, and then sends what was sent once more, as a browser does that runs no script, comes
 * back to the page or never had the answer. Gives where that led.
 */
async function pressAgainAndAgain(button: Button, until: () => Promise<unknown>): Promise<string> {
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await button.dblclick();
  const request = await sent;
  await until();
  const answer = await page.request.post(request.url(), {
    data: request.postData() ?? "",
    headers: {
      accept: "application/json",
      origin: remit.dev.wallet,
      "content-type": "application/x-www-form-urlencoded",
      "x-sveltekit-action": "true",
    },
  });
  const { location = "" } = Object(await answer.json());
  return String(location);
}

/** A purchase of $10.00. */
async function bought(): Promise<string> {
  const { charge, response } = await agent.fetch(remit.dev.paid_url);
  expect(response.status).toBe(200);
  if (charge === undefined) throw new TypeError("nothing was bought");
  return charge;
}

const shown = (text: string | RegExp) => () => page.getByText(text).first().waitFor();
const accounts = async (): Promise<number> => {
  const answer = await fetch(`${remit.dev.sandbox}/v1/accounts?limit=100`, {
    headers: { authorization: "Bearer sk_test_reader" },
  });
  return Object(await answer.json()).data.length;
};

describe("pressed again and again, one thing happens:", () => {
  test("a card is saved once", async () => {
    await page.goto(`${remit.dev.wallet}/payment-methods`);
    const before = await page.locator("li .card").count();
    await page.getByLabel("Test card").selectOption("pm_card_mastercard");
    await pressAgainAndAgain(page.getByRole("button", { name: "Save this card" }), shown(/is saved\./));
    await page.goto(`${remit.dev.wallet}/payment-methods`);
    expect(await page.locator("li .card").count()).toBe(before + 1);
  });

  test("an approval pays once", async () => {
    const before = (await paymentIntentsOf(remit.dev)).length;
    const asking = agentOf(remit.dev);
    await grant(remit.dev, asking, { amount_minor: 1000, step_up: [{ above_minor: 500 }] });
    const { pending } = await asking.fetch(remit.dev.paid_url);
    await page.goto(`${remit.dev.wallet}/approvals`);
    await page.locator("main a[href^='/approvals/']").first().click();
    await pressAgainAndAgain(page.getByRole("button", { name: "Approve" }), () =>
      page.getByRole("status").getByText("Approved").waitFor(),
    );
    expect((await pending?.again())?.response.status).toBe(200);
    expect((await paymentIntentsOf(remit.dev)).length).toBe(before + 1);
  });

  test("money is given back once, as much as was typed", async () => {
    const charge = await bought();
    await page.goto(`${shop}/charges/${charge}`);
    await page.getByRole("button", { name: "Give money back" }).click();
    await page.getByLabel(/^How much/).fill("2.00");
    await pressAgainAndAgain(page.getByRole("button", { name: "Give back", exact: true }), async () =>
      page.getByRole("dialog").waitFor({ state: "hidden" }),
    );
    await eventually(async () => expect((await agent.charge(charge))["refunded_minor"]).toBe(200));
    await page.goto(`${remit.dev.wallet}/activity/${charge}`);
    await page.getByText("$2.00 came back").waitFor();
  });

  test("a dispute is opened once, answered once, and withdrawn", async () => {
    const charge = await bought();
    await page.goto(`${remit.dev.wallet}/activity/${charge}`);
    await page.getByText("Dispute this purchase").click();
    await page.getByLabel("What happened, in your words").fill("It is of another day.");
    await pressAgainAndAgain(
      page.getByRole("button", { name: "Open the dispute" }),
      shown("The dispute is open. The merchant has been told."),
    );
    await page.goto(`${shop}/disputes`);
    expect(await page.locator("main a[href*='/disputes/dsp_']").count()).toBe(1);
    await page.locator("main a[href*='/disputes/dsp_']").click();
    await page.getByLabel("What happened, and what shows it").fill("It is of the day that was asked for.");
    await pressAgainAndAgain(page.getByRole("button", { name: "Send the answer" }), shown("Being judged"));
    await page.goto(`${remit.dev.wallet}/activity/${charge}`);
    await pressAgainAndAgain(
      page.getByRole("button", { name: "Withdraw it" }),
      shown("The dispute is withdrawn."),
    );
    expect((await agent.charge(charge))["refunded_minor"]).toBe(0);
  });

  test("a dispute that is accepted gives the money back once", async () => {
    const charge = await bought();
    await page.goto(`${remit.dev.wallet}/activity/${charge}`);
    await page.getByText("Dispute this purchase").click();
    await page.getByLabel("What happened, in your words").fill("It never came.");
    await page.getByRole("button", { name: "Open the dispute" }).click();
    await shown("The dispute is open. The merchant has been told.")();
    await page.goto(`${shop}/disputes?status=needs_response`);
    await page.locator("main a[href*='/disputes/dsp_']").click();
    await page.getByRole("button", { name: "Accept it" }).click();
    await pressAgainAndAgain(
      page.getByRole("button", { name: "Accept, and give the money back" }),
      shown("Decided against you"),
    );
    await eventually(async () => expect((await agent.charge(charge))["refunded_minor"]).toBe(1000));
  });

  test("a shop has one account at the processor, to whose one page each press leads", async () => {
    const before = await accounts();
    await page.goto(`${shop}/payouts`);
    await pressAgainAndAgain(page.getByRole("button", { name: /^(Begin|Go on) at the processor/ }), () =>
      page.waitForURL((url) => url.port === new URL(remit.dev.sandbox).port),
    );
    expect(await accounts()).toBeLessThanOrEqual(before + 1);
    await page.goto(`${shop}/payouts`);
    expect(await page.getByRole("button", { name: "Go on at the processor" }).count()).toBe(1);
  });

  test("a larger plan is bought at one Checkout, and ended once", async () => {
    await page.goto(plan);
    const again = await pressAgainAndAgain(page.getByRole("button", { name: "Choose a larger plan" }), () =>
      page.waitForURL((url) => url.port === new URL(remit.dev.sandbox).port),
    );
    expect(again).toBe(page.url());
    await page.getByRole("button", { name: /^Pay/ }).click();
    await page.waitForURL(/\/plan\?checkout=paid/);
    const tier = async (): Promise<string> => {
      await page.goto(plan);
      return page.locator("p.tier").innerText();
    };
    await eventually(async () => expect(await tier()).toBe("Pro"));
    await page.getByRole("button", { name: "End it", exact: true }).click();
    await pressAgainAndAgain(
      page.getByRole("button", { name: "End it with the period" }),
      shown("It ends with what is paid."),
    );
    expect(await tier()).toBe("Pro");
  });
});
