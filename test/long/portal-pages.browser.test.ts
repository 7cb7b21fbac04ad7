import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { newId } from "@remit/kernel";
import {
  addAuthenticator,
  eventually,
  expectAccessible,
  openBrowser,
  type Page,
  scratchFolder,
  type TestBrowser,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillWithLife } from "../../packages/cli/src/demo/life/index.ts";
import { organizationEndpoints } from "../../services/wallet/src/api/index.ts";
import { type Instance, manage, startInstance } from "../instance.ts";
import { everyPage, signInAt } from "../portal/visits.ts";
import { pointer, signUp } from "./portal-journey.ts";

/** Enough that every list and chart has something to show. */
const daysHere = 7;

let remit: Instance;
let browser: TestBrowser;
let pages: Readonly<Record<string, string>>;

/** What is shown to whoever is not signed in. */
const outside = ["/welcome", "/signed-out?because=ended", "/not-signed-in?because=sign_in_unknown"];

/** Of the newest purchase that can be disputed: life brings a dispute only after weeks. */
async function dispute(page: Page): Promise<void> {
  await page.goto(`${remit.dev.wallet}/activity`);
  const links = await page.locator("main a[href^='/activity/chg_']").all();
  const bought = await Promise.all(links.map((link) => link.getAttribute("href")));
  for (const at of new Set(bought)) {
    await page.goto(`${remit.dev.wallet}${at}`);
    if ((await page.getByText("Dispute this purchase").count()) === 0) continue;
    await page.getByText("Dispute this purchase").click();
    await page.getByLabel("What happened, in your words").fill("It never came.");
    await page.getByRole("button", { name: "Open the dispute" }).click();
    return page.getByText("The dispute is open. The merchant has been told.").waitFor();
  }
  throw new RangeError("no purchase can be disputed");
}

beforeAll(async () => {
  [remit, browser] = await Promise.all([startInstance(), openBrowser()]);
  await fillWithLife(remit.dev, daysHere);
  const { page, context } = await browser.visitor();
  await signInAt(page, remit.dev);
  await dispute(page);
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
  test("is one of those that are looked at here", async () => {
    const routes = path.resolve(import.meta.dirname, "../../services/wallet/app/src/routes");
    const files = await readdir(routes, { recursive: true });
    const walked = [...Object.values(pages), ...outside].map((at) => at.split("?")[0] ?? at);
    const unseen = files
      .filter((file) => path.basename(file) === "+page.svelte")
      .map((file) => `/${path.dirname(file).replace(/^(\(signed-in\)\/?|\.$)/, "")}`)
      .filter(
        (route) => !walked.some((at) => new RegExp(`^${route.replaceAll(/\[\w+\]/g, "[^/]+")}$`).test(at)),
      );
    expect(unseen).toEqual([]);
  });

  for (const width of [1280, 820, 390])
    test(`is accessible, light and dark, and never wider than ${width} px`, async () => {
      const { page, context } = await browser.visitor({ width });
      page.setDefaultTimeout(240_000);
      const broken: string[] = [];
      const look = async (name: string, at: string, status: number): Promise<void> => {
        const answer = await page.goto(remit.dev.wallet + at, { waitUntil: "load" });
        if (answer?.status() !== status) broken.push(`${name}: ${answer?.status()}`);
        if (Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0)
          broken.push(`${name} is too wide`);
        // Asked from outside, again and again: the page's policy lets nothing of ours ask within it.
        await eventually(async () => expect(await page.evaluate(placeInSight), name).toBe(true));
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await expectAccessible(page).catch((error: unknown) =>
            broken.push(`${name}, ${colorScheme}: ${String(error)}`),
          );
        }
      };
      for (const at of outside) await look(at, at, 200);
      await signInAt(page, remit.dev);
      for (const [name, at] of Object.entries(pages)) await look(name, at, 200);
      await look("nothing", "/mandates/mnd_01m8cqh27pft9s3thn3bqgfbdh", 404);
      await page.getByText("There is nothing of yours at this address.").waitFor();
      expect(broken).toEqual([]);
      await context.close();
    });
});

/** A menu that is wider than a phone is moved to where one is, once the page runs. */
const placeInSight = `(() => {
  const here = document.querySelector("nav [aria-current]")?.getBoundingClientRect();
  return here === undefined || (here.left >= 0 && here.right <= innerWidth);
})()`;

/** What is asked for beside the pages: documents, lists, and what a page asks by itself. */
const besides = (organization: string, of: Readonly<Record<string, string>>): readonly string[] => [
  `/console/${organization}/agents/export.csv`,
  `/console/${organization}/audit/export.csv`,
  `/console/${organization}/requests/export.csv`,
  `${of["console-webhook"]}/export.csv`,
  `/console/${organization}/compliance/report.json`,
  `/merchant/${organization}/charges/export.csv`,
  `${of["console-audit-entry"]}/proof.json`,
  `${of["merchant-charge"]}/evidence.zip`,
  `${of["approval"]}/confirm`,
];

/** What moves or stops money, or lets somebody in: the page, and the form of it. */
const forms = [
  ["approval", "approve"],
  ["approval", "deny"],
  ["mandate", "revoke"],
  ["mandate", "resume"],
  ["purchase", "dispute"],
  ["merchant-charge", "refund"],
  ["merchant-dispute", "accept"],
  ["merchant-payouts", "onboard"],
  ["console-plan", "upgrade"],
  ["console-agent", "issue"],
  ["console-offer", "drain"],
] as const;

describe("somebody else", () => {
  test("T07 finds nothing of another's at any address of theirs, not in their own organization's name either, and no form of them does anything", async () => {
    const { page, context } = await browser.visitor({});
    const [dataDir, agentDir] = [remit.dataDir, scratchFolder("remit-agent-")];
    const { wallet, paid_url: paidUrl, tenant } = remit.dev;
    await addAuthenticator(page);
    await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
    const email = "mallory@example.com";
    await signUp({ page, hands: pointer, wallet, paidUrl, dataDir, agentDir, email });
    await page.goto(`${wallet}/console`);
    const own = new URL(page.url()).pathname.split("/")[2] ?? "";
    expect(own).toMatch(/^org_/);
    expect(own).not.toBe(tenant.id);

    const theirs = [...Object.values(pages), ...besides(tenant.id, pages)].filter((at) => /_01/.test(at));
    const tried = theirs
      .flatMap((at) => [at, at.replace(tenant.id, own)])
      .filter((at) => /_01/.test(at.replace(own, "")));
    const found: string[] = [];
    for (const at of new Set(tried)) {
      const answer = await page.request.get(wallet + at, { maxRedirects: 0 });
      if (answer.status() !== 404) found.push(`${answer.status()} ${at}`);
    }
    expect(found).toEqual([]);
    const headers = { origin: wallet, accept: "application/json", "x-sveltekit-action": "true" };
    const form = { key: newId("request"), statement: "x", reason: "not_delivered", name: "x" };
    for (const [name, action] of forms) {
      const known = pages[name] ?? "";
      for (const at of new Set([known, known.replace(tenant.id, own)])) {
        if (!/_01/.test(at.replace(own, ""))) continue;
        const said = await page.request.post(`${wallet}${at}?/${action}`, { form, headers });
        expect(await said.text(), `${at}?/${action}`).toMatch(/not_found/);
      }
    }
    await context.close();
    await rm(agentDir, { recursive: true, force: true });
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
