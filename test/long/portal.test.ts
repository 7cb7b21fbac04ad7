import { createAgent, type Exchange } from "@remit/agent";
import { expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpoints } from "../../services/wallet/src/api/index.ts";
import { grant, type Instance, startInstance } from "../instance.ts";

let remit: Instance;
let browser: TestBrowser;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

/** Through the issuer's pages, as everybody. */
async function signIn(page: Page): Promise<void> {
  const { wallet, principal } = remit.dev;
  // A busy machine is waited for.
  page.setDefaultTimeout(240_000);
  await page.goto(wallet);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.locator("input[name=email]").fill(principal.email);
  await page.locator("input[name=password]").fill(principal.password);
  await page.keyboard.press("Enter");
  const allow = page.locator("button[value=approve]");
  await allow.or(page.locator("nav a[href='/approvals']")).first().waitFor();
  if ((await allow.count()) > 0) await allow.click();
  await page.waitForURL(`${wallet}/`);
}

/** The demo's agent, and every message of its. */
function buyer(): { agent: ReturnType<typeof createAgent>; sent: Exchange[] } {
  const { dev } = remit;
  const sent: Exchange[] = [];
  const keys = { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk };
  const agent = createAgent({
    issuer: dev.issuer,
    clientId: dev.agent.client_id,
    keys,
    observe: (exchange) => sent.push(exchange),
  });
  return { agent, sent };
}

/** The address of the first link that begins so. */
const linkTo = async (page: Page, prefix: string): Promise<string> =>
  (await page.locator(`main a[href^="${prefix}"]`).first().getAttribute("href")) ?? "";

test("every address that the portal calls is one that the services document", async () => {
  const { issuer, directory, billing } = remit.dev;
  const documents = { issuer, directory, billing };
  const known = new Map<string, string>();
  for (const [service, origin] of Object.entries(documents)) {
    const { paths } = Object(await (await fetch(`${origin}/openapi.json`)).json());
    for (const [path, methods] of Object.entries(Object(paths)))
      for (const method of Object.keys(Object(methods))) known.set(`${service} ${method} ${path}`, path);
  }
  for (const { service, method, path } of Object.values(endpoints))
    expect([...known.keys()]).toContain(
      `${service} ${method.toLowerCase()} ${path.replace(/:([a-z]+)/g, "{$1}")}`,
    );
});

describe("the portal", () => {
  test("a principal answers an agent's question, sees it buy, checks the receipt in the browser, and freezes it", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    const { page } = await browser.visitor();
    await signIn(page);
    const asked = await agent.requestMandate({
      mode: "ciba",
      loginHint: dev.principal.email,
      bindingMessage: "Blue heron",
      resource: dev.merchant.origin,
      details: {
        type: "oid4ac_mandate",
        currency: "USD",
        amount_minor: 4000,
        merchants: [dev.merchant.origin],
        purpose: "Reports for the briefing",
      },
    });

    // The question, in words, and its answer.
    await page.goto(`${dev.wallet}/approvals`);
    await page.locator("main a[href^='/approvals/']").first().click();
    await page.getByRole("heading", { level: 1 }).getByText("$40.00").waitFor();
    await page.getByText("“Blue heron”").waitFor();
    await page.getByRole("button", { name: "Approve" }).dblclick();
    await page.getByText("Approved").waitFor();
    await asked.wait();

    // Bought, and seen at once.
    expect((await agent.fetch(dev.paid_url)).response.status).toBe(200);
    await page.goto(dev.wallet);
    await page.getByText("$30.00").first().waitFor();
    await page.goto(dev.wallet + (await linkTo(page, "/activity/")));

    // Checked by the browser itself, and not fooled by a receipt that was changed.
    await page.getByRole("button", { name: "Check it in this browser" }).click();
    await page.getByText("The receipt holds.").waitFor();
    expect(await page.locator("li.holds").count()).toBe(5);
    await expectAccessible(page);

    // Frozen: the next purchase is refused; lifted: it passes.
    await page.goto(`${dev.wallet}/agents`);
    await page.getByRole("button", { name: /^Freeze ?:/ }).click();
    await page.getByText("It is frozen.").waitFor();
    expect((await agent.fetch(dev.paid_url)).response.status).toBe(402);
    await page.getByRole("button", { name: /^Lift the freeze ?:/ }).click();
    await page.getByText("It may use its mandates again.").waitFor();
    expect((await agent.fetch(dev.paid_url)).response.status).toBe(200);
    await page.context().close();
  });

  test("a purchase above the limit comes to a page that is open, is approved once for a double click, and the agent's same request goes through", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    await grant(dev, agent, { amount_minor: 3000, step_up: [{ above_minor: 500 }] });
    const { page } = await browser.visitor({ width: 390 });
    await signIn(page);
    await page.goto(`${dev.wallet}/approvals`);
    const first = await agent.fetch(dev.paid_url, { reason: "For chapter 3" });
    expect(first.pending).toBeDefined();
    // Nobody has touched the page.
    await page
      .getByRole("link", { name: /asks to pay \$10\.00/ })
      .first()
      .click();
    await page.getByText("It is above what this agent may spend without asking.").waitFor();
    await page.getByText("For chapter 3").waitFor();
    await page.getByText("$20.00").waitFor();
    await page.getByRole("button", { name: "Approve" }).dblclick();
    await page.getByText("Approved").waitFor();
    await page.goBack();
    await page.goForward();
    await page.getByText("Approved").waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
    const paid = await first.pending?.again();
    expect(paid?.response.status).toBe(200);
    expect((await agent.charge(paid?.charge ?? ""))["captured_minor"]).toBe(1000);
    await page.context().close();
  });

  test("of two devices that answer one question the second is told what the first said", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    await grant(dev, agent, { amount_minor: 3000, step_up: [{ above_minor: 500 }] });
    const { pending } = await agent.fetch(dev.paid_url);
    const phone = await browser.visitor({ width: 390 });
    // No script tells this one anything.
    const laptop = await browser.visitor({ scripts: false });
    for (const { page } of [phone, laptop]) {
      await signIn(page);
      await page.goto(`${dev.wallet}/approvals`);
      await page.locator("main a[href^='/approvals/']").first().click();
      await page.getByRole("button", { name: "Approve" }).waitFor();
    }
    await phone.page.getByLabel("A reason for the agent (optional)").fill("Not this one.");
    await phone.page.getByRole("button", { name: "Refuse" }).click();
    await phone.page.getByRole("status").getByText("Refused").waitFor();
    await laptop.page.getByRole("button", { name: "Approve" }).click();
    await laptop.page.getByText("This question was answered already, perhaps on another device.").waitFor();
    await laptop.page.getByText("Refused").first().waitFor();
    expect(await laptop.page.getByRole("button", { name: "Approve" }).count()).toBe(0);
    expect((await pending?.again())?.response.status).toBe(402);
    await Promise.all([phone.context.close(), laptop.context.close()]);
  });

  test("a mandate is paused, narrowed and revoked by the keyboard alone, and no word of it can be undone by chance", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    const id = await grant(dev, agent, { amount_minor: 9000 });
    const { page } = await browser.visitor();
    await signIn(page);
    await page.goto(`${dev.wallet}/mandates/${id}`);
    const press = async (name: string): Promise<void> => {
      await page.getByRole("button", { name, exact: true }).focus();
      await page.keyboard.press("Enter");
    };
    await press("Pause");
    await page.getByText("It is paused.").waitFor();
    await press("Resume");
    await page.getByText("It is in force again.").waitFor();
    await press("Allow less");
    await page.getByLabel("In all (USD)").fill("50.00");
    await page.keyboard.press("Enter");
    await page.getByText("It allows less from now on.").waitFor();
    await page.getByRole("heading", { level: 1 }).getByText("$50.00").waitFor();
    await press("Revoke");
    await page.keyboard.type("revok");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("e");
    await page.keyboard.press("Enter");
    await page.getByText("It is revoked.").waitFor();
    await page.context().close();
  });

  test("what ends at the issuer ends here: an open page leaves by itself, and the next asks to sign in", async () => {
    const { dev } = remit;
    const [one, other] = [await browser.visitor(), await browser.visitor()];
    await signIn(one.page);
    await signIn(other.page);
    await other.page.goto(`${dev.wallet}/mandates`);
    await one.page.goto(`${dev.wallet}/security`);
    await one.page.getByRole("button", { name: "Sign out everywhere else" }).click();
    await one.page.getByText("Signed out there.").waitFor();
    // By the back channel, and from there to the page: nobody has touched it.
    await other.page.getByText("Your session ended, here or on another device.").waitFor();
    await other.page.goto(`${dev.wallet}/mandates`);
    expect(new URL(other.page.url()).origin).toBe(dev.issuer);
    await one.page.goto(`${dev.wallet}/mandates`);
    expect(new URL(one.page.url()).origin).toBe(dev.wallet);
    await one.page.getByRole("button", { name: "Sign out" }).click();
    await one.page.waitForURL((url) => url.origin === dev.issuer);
    await one.page.goto(`${dev.wallet}/mandates`);
    expect(new URL(one.page.url()).origin).toBe(dev.issuer);
    await Promise.all([one.context.close(), other.context.close()]);
  });

  test("rules are set and taken away, one that is set stops a purchase, and of two that change at once the second is told", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    await grant(dev, agent, { amount_minor: 9000 });
    const { page } = await browser.visitor();
    await signIn(page);
    await page.goto(`${dev.wallet}/rules`);
    await page.getByText("Nobody is blocked.").waitFor();
    await expectAccessible(page);
    const { page: stale } = await browser.visitor({ scripts: false });
    await signIn(stale);
    await stale.goto(`${dev.wallet}/rules`);
    await page.getByText("Block a merchant").click();
    await page.getByLabel("Address of the merchant").fill(`${dev.merchant.origin}/some/page`);
    await page.locator("details[open] button").click();
    await page.getByText("It is ruled so from now on.").waitFor();
    expect((await agent.fetch(dev.paid_url)).response.status).not.toBe(200);
    await stale.getByText("Set an amount").click();
    await stale.getByLabel("Ask me above").fill("5.00");
    await stale.locator("details[open] button").click();
    await stale.getByText("It was changed meanwhile, perhaps on another device.").waitFor();
    await page.getByRole("button", { name: /^Remove ?: localhost/ }).click();
    await page.getByText("Nobody is blocked.").waitFor();
    expect((await agent.fetch(dev.paid_url)).response.status).toBe(200);
    await Promise.all([page.context().close(), stale.context().close()]);
  });

  test("a purchase is disputed from its receipt, once, and the dispute is withdrawn", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    await grant(dev, agent, { amount_minor: 9000 });
    const { charge } = await agent.fetch(dev.paid_url);
    const { page } = await browser.visitor();
    await signIn(page);
    await page.goto(`${dev.wallet}/activity/${charge}`);
    await page.getByText("Dispute this purchase").click();
    await page.getByLabel("What happened, in your words").fill("The report is of another day.");
    await page.getByRole("button", { name: "Open the dispute" }).dblclick();
    await page.getByText("The dispute is open. The merchant has been told.").waitFor();
    await page.getByText("The merchant has to answer").waitFor();
    expect(await page.getByText("Dispute this purchase").count()).toBe(0);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Withdraw it" }).click();
    await page.getByText("The dispute is withdrawn.").waitFor();
    await page.context().close();
  });

  test("activity is drawn by day, agent, merchant and kind, and what is filtered stands in the address", async () => {
    const { dev } = remit;
    const { page } = await browser.visitor();
    await signIn(page);
    await page.goto(`${dev.wallet}/activity`);
    await page.getByRole("heading", { name: /^Spent in USD/ }).waitFor();
    await expectAccessible(page);
    await page.getByRole("link", { name: "Demo Research Ltd" }).click();
    await page.waitForURL(/merchant=mrc_/);
    await page.getByLabel("From", { exact: true }).fill("2020-01-01");
    await page.getByLabel("To", { exact: true }).fill("2020-02-01");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForURL(/since=2020-01-01.*until=2020-02-01/);
    await page.getByText("Nothing matches.").waitFor();
    await page.getByRole("link", { name: "Show everything" }).click();
    await page.getByRole("heading", { name: /^Spent in USD/ }).waitFor();
    await page.context().close();
  });

  test("C06 a form that was refused keeps its key, whatever happens elsewhere before it is sent again", async () => {
    const { dev } = remit;
    const { agent } = buyer();
    await grant(dev, agent, { amount_minor: 3000, step_up: [{ above_minor: 500 }] });
    const { page } = await browser.visitor();
    await signIn(page);
    await page.goto(`${dev.wallet}/mandates/new`);
    const key = page.locator("input[name=key]");
    const first = await key.inputValue();
    const amount = page.locator("input[name=amount]");
    await amount.fill("1.005");
    await page.locator("main form button[type=submit]").click();
    await page.getByRole("alert").waitFor();
    // The page is asked for anew, and has another key for whoever sends nothing.
    const waiting = await page.locator("nav a[href='/approvals']").innerText();
    const anew = page.waitForResponse((answer) => answer.url().includes("/mandates/new/__data.json"));
    await agent.fetch(dev.paid_url);
    await anew;
    await expect.poll(() => page.locator("nav a[href='/approvals']").innerText()).not.toBe(waiting);
    expect(await key.inputValue()).toBe(first);
    await amount.fill("1.00");
    await page.locator("main form button[type=submit]").click();
    await page.waitForURL(/\/mandates\/mnd_/);
    await page.context().close();
  });

  test("a form of another site moves nothing, an answer nobody asked for signs nobody in, and no page holds a token", async () => {
    const { dev } = remit;
    const { page, context } = await browser.visitor();
    await signIn(page);
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    const forged = await fetch(`${dev.wallet}/agents?/freezeAll`, {
      method: "POST",
      redirect: "manual",
      headers: {
        cookie,
        origin: "https://evil.example",
        "content-type": "application/x-www-form-urlencoded",
      },
    });
    expect(forged.status).toBe(400);
    const unasked = await fetch(`${dev.wallet}/callback?code=x&state=y&iss=${dev.issuer}`, {
      redirect: "manual",
    });
    expect(unasked.headers.get("location")).toBe("/not-signed-in?because=sign_in_unknown");
    const away = await fetch(`${dev.wallet}/sign-in?to=//evil.example`, { redirect: "manual" });
    expect(away.headers.get("location")).toContain(dev.issuer);
    const html = await (await fetch(`${dev.wallet}/mandates`, { headers: { cookie } })).text();
    expect(html).not.toMatch(/eyJ[\w-]{10,}\.[\w-]+\.[\w-]+/);
    const page404 = await fetch(`${dev.wallet}/mandates/mnd_01m8cqh27pft9s3thn3bqgfbdh`, {
      headers: { cookie },
    });
    expect(page404.status).toBe(404);
    expect(await page404.text()).toContain("There is nothing of yours at this address.");
    await context.close();
  });
});
