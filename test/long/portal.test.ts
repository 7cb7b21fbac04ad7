import { createAgent } from "@remit/agent";
import { expectAccessible, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpoints } from "../../services/wallet/src/api/index.ts";
import { type Instance, startInstance } from "../instance.ts";

let remit: Instance;
let browser: TestBrowser;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

/** Through the issuer's pages, as everybody; the keyboard alone when told so. */
async function signIn(page: Page): Promise<void> {
  const { wallet, principal } = remit.dev;
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

/** The demo's agent. */
function buyer(): ReturnType<typeof createAgent> {
  const { dev } = remit;
  const keys = { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk };
  return createAgent({ issuer: dev.issuer, clientId: dev.agent.client_id, keys });
}

/** The address of the first link that begins so. */
const linkTo = async (page: Page, prefix: string): Promise<string> =>
  (await page.locator(`main a[href^="${prefix}"]`).first().getAttribute("href")) ?? "";

test("every address that the portal calls is one that the services document", async () => {
  const documents = { issuer: remit.dev.issuer, directory: remit.dev.directory };
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
  test("a principal answers an agent's question, sees it buy, and checks the receipt in the browser", async () => {
    const { dev } = remit;
    const agent = buyer();
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
    await page.getByRole("heading", { name: /\$40\.00/ }).waitFor();
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

    await page.context().close();
  });
});
