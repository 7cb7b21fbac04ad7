import { expectAccessible, openBrowser, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillWithLife } from "../../packages/cli/src/demo/life/index.ts";
import { organizationEndpoints } from "../../services/wallet/src/api/index.ts";
import { type Instance, manage, startInstance } from "../instance.ts";
import { everyPage, signInAt } from "../portal/visits.ts";

/** Enough that every list and chart has something to show. */
const daysHere = 7;

let remit: Instance;
let browser: TestBrowser;
let pages: Readonly<Record<string, string>>;

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  await fillWithLife(remit.dev, daysHere);
  const { page, context } = await browser.visitor();
  await signInAt(page, remit.dev);
  pages = await everyPage(page, remit.dev);
  await context.close();
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
});

test("every address that the portal calls for an organization is one that the services document", async () => {
  const { issuer, directory, billing, gateway } = remit.dev;
  const known = new Set<string>();
  for (const [service, origin] of Object.entries({ issuer, directory, billing, gateway })) {
    const { paths } = Object(await (await fetch(`${origin}/openapi.json`)).json());
    for (const [path, methods] of Object.entries(Object(paths)))
      for (const method of Object.keys(Object(methods)))
        known.add(`${service} ${method} ${path.replaceAll(/\{\w+\}/g, "{}")}`);
  }
  expect(known.size).toBeGreaterThan(100);
  for (const { service, method, path } of Object.values(organizationEndpoints))
    expect([...known]).toContain(`${service} ${method.toLowerCase()} ${path.replaceAll(/:[a-z]+/g, "{}")}`);
});

describe("every page of the portal, filled with life", () => {
  for (const width of [1280, 820, 390])
    test(`is accessible, light and dark, and never wider than ${width} px`, async () => {
      const { page, context } = await browser.visitor({ width });
      await signInAt(page, remit.dev);
      const broken: string[] = [];
      for (const [name, at] of Object.entries(pages)) {
        const answer = await page.goto(remit.dev.wallet + at, { waitUntil: "load" });
        if (answer?.ok() !== true) broken.push(`${name}: ${answer?.status()}`);
        if (Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0)
          broken.push(`${name} is too wide`);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await expectAccessible(page).catch((error: unknown) =>
            broken.push(`${name}, ${colorScheme}: ${String(error)}`),
          );
        }
      }
      expect(broken).toEqual([]);
      await context.close();
    });
});

describe("another organization", () => {
  test("T07 is not found in any page of the console or the shop, nor in any form of theirs", async () => {
    const made = await manage(remit.dev, "POST", "/api/v1/organizations", {
      name: "Strangers",
      slug: "strangers",
    });
    const stranger = made.body["organizationId"];
    if (typeof stranger !== "string") throw new TypeError(JSON.stringify(made.body));
    const { page, context } = await browser.visitor({});
    await signInAt(page, remit.dev);
    for (const at of Object.values(pages).filter((path) => path.includes(remit.dev.tenant.id))) {
      const answer = await page.goto(remit.dev.wallet + at.replace(remit.dev.tenant.id, stranger));
      expect(answer?.status(), at).toBe(404);
    }
    const form = { id: "agt_01k0000000e8r8000000000000" };
    const posted = await page.request.post(
      `${remit.dev.wallet}/console/${stranger}/agents/${form.id}?/suspend`,
      {
        form,
        headers: { origin: remit.dev.wallet, accept: "application/json" },
      },
    );
    expect(JSON.stringify(await posted.json())).toContain("not_found");
    await context.close();
  });
});

describe("the console by the keyboard alone", () => {
  test("an agent is registered, given a secret that is shown once, and retired by typing its name", async () => {
    const { page, context } = await browser.visitor({});
    await signInAt(page, remit.dev);
    await page.goto(`${remit.dev.wallet}/console/${remit.dev.tenant.id}/agents/new`);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("location.hash")).toBe("#content");
    const fill = async (label: string, text: string): Promise<void> => {
      await page.getByLabel(label, { exact: true }).focus();
      await page.keyboard.type(text);
    };
    await fill("Name", "Night clerk");
    await fill("Owner", "front-desk");
    await fill("Its own e-mail address", "night@agents.example");
    await fill("Capabilities", "room:book");
    await page.getByRole("button", { name: "Register an agent" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Night clerk" }).waitFor();
    await page.getByRole("button", { name: "Make a credential" }).focus();
    await page.keyboard.press("Enter");
    const secret = await page.locator(".once code").innerText();
    expect(secret.length).toBeGreaterThan(30);
    await page.reload();
    expect(await page.content()).not.toContain(secret);

    await page.getByRole("button", { name: "Retire it" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Type Night clerk to confirm").fill("Night");
    await page.getByRole("button", { name: "Retire for good" }).press("Enter");
    expect(await page.getByText("It is retired for good.").count()).toBe(0);
    await page.getByLabel("Type Night clerk to confirm").fill("Night clerk");
    await page.keyboard.press("Enter");
    await page.getByText("It is retired for good.").waitFor();
    await context.close();
  });
});
