import { type BrowserContext, eventually, openBrowser, type Page, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browserKeys, pushService } from "../../services/wallet/test/outside.ts";
import { agentOf, grant, type Instance, startInstance } from "../instance.ts";
import { signInAt } from "../portal/visits.ts";

let remit: Instance;
let browser: TestBrowser;
let service: Awaited<ReturnType<typeof pushService>>;
const keys = browserKeys();

beforeAll(async () => {
  service = await pushService();
  [remit, browser] = await Promise.all([startInstance({ pushAllow: [service.host] }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await remit?.close();
  await service?.close();
});

/**
 * What a browser without a window lacks: a push service behind it, and a place where notices are shown. The subscription is
 * one of ours, with keys that this test holds.
 */
const subscribing = (subscription: object): string => `
  Object.defineProperty(Notification, "permission", { get: () => "granted" });
  const made = { ...${JSON.stringify(subscription)}, toJSON() { return this; },
    unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; } };
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    if (applicationServerKey.length !== 65) throw new TypeError("this is no key of P-256");
    localStorage.setItem("subscribed", "yes");
    return made;
  };
  PushManager.prototype.getSubscription = async () => localStorage.getItem("subscribed") === null ? null : made;`;

const showing = `
  self.shown = [];
  self.opened = [];
  ServiceWorkerRegistration.prototype.showNotification = async (title, options) => void self.shown.push({ title, ...options });
  Clients.prototype.openWindow = async (href) => void self.opened.push(href);
  self.tap = async ({ data }) => {
    const event = Object.assign(new Event("notificationclick"), { notification: { data, close() {} } });
    event.waitUntil = (opening) => (self.opening = opening);
    self.dispatchEvent(event);
    await self.opening;
  };`;

type Shown = { readonly title: string; readonly body: string; readonly tag: string };

/** The page's own worker, to which messages come as the browser's push service hands them on. */
async function workerOf(page: Page, context: BrowserContext) {
  const cdp = await context.newCDPSession(page);
  const known = new Promise<string>((resolve) =>
    cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const [first] = registrations;
      if (first !== undefined) resolve(first.registrationId);
    }),
  );
  await cdp.send("ServiceWorker.enable");
  const registrationId = await known;
  const [worker] = context.serviceWorkers();
  if (worker === undefined) throw new TypeError("there is no worker");
  await worker.evaluate(showing);
  return {
    deliver: (data: string) =>
      cdp.send("ServiceWorker.deliverPushMessage", { origin: remit.dev.wallet, registrationId, data }),
    shown: () => worker.evaluate<Shown[]>("self.shown"),
    tap: (at: number) => worker.evaluate<string[]>(`self.tap(self.shown[${at}]).then(() => self.opened)`),
  };
}

test("a person turns notices on, a question is pushed that only this browser can read, says who asks for how much in their language, and a tap leads to it", async () => {
  const { dev } = remit;
  const agent = agentOf(dev);
  await grant(dev, agent, { amount_minor: 3000, step_up: [{ above_minor: 500 }] });
  const { page, context } = await browser.visitor({ width: 390 });
  page.setDefaultTimeout(240_000);
  await context.grantPermissions(["notifications"], { origin: dev.wallet });
  const { p256dh, auth } = keys;
  await page.addInitScript(subscribing({ endpoint: `${service.origin}/phone`, keys: { p256dh, auth } }));
  await signInAt(page, dev);
  await context.addCookies([{ name: "lang", value: "de", url: dev.wallet }]);

  await page.goto(`${dev.wallet}/notifications`);
  await page.getByRole("button", { name: "Auf diesem Gerät benachrichtigen" }).dblclick();
  await page.getByRole("button", { name: "Auf diesem Gerät aufhören" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Auf diesem Gerät aufhören" }).waitFor();
  expect(await page.getByRole("button", { name: /^Entfernen/ }).count()).toBe(1);

  const worker = await workerOf(page, context);
  const { pending } = await agent.fetch(dev.paid_url);
  await eventually(() => expect(service.pushed).toHaveLength(1));
  // RFC 8291: it is for the keys of this browser, and names nobody and no amount to whoever carries it.
  const message = keys.open(service.pushed[0]?.body ?? Buffer.alloc(0));
  expect(JSON.parse(message)).toMatchObject({ title: "Ein Agent fragt Sie etwas" });
  expect(message).not.toMatch(/10,00|localhost/);

  await worker.deliver(message);
  await eventually(async () => expect(await worker.shown()).toHaveLength(1));
  const host = new URL(dev.merchant.origin).host;
  const [first] = await worker.shown();
  expect(first?.title).toMatch(new RegExp(`10,00\\s\\$ an ${host}`));
  const [address = ""] = await worker.tap(0);
  expect(address).toMatch(/\/approvals\/apv_\w+$/);

  await page.goto(address);
  await page.getByRole("heading", { level: 1 }).getByText("10,00").waitFor();
  await page.getByRole("button", { name: "Freigeben" }).click();
  await page.getByRole("status").getByText("Freigegeben").waitFor();
  expect((await pending?.again())?.response.status).toBe(200);

  // What has its answer, and whoever is not signed in any more, is told no more than the push itself says.
  await worker.deliver(message);
  await eventually(async () => expect(await worker.shown()).toHaveLength(2));
  await context.clearCookies({ name: "remit-portal" });
  await worker.deliver(message);
  await eventually(async () => expect(await worker.shown()).toHaveLength(3));
  const titles = (await worker.shown()).slice(1).map(({ title }) => title);
  expect(titles).toEqual(["Ein Agent fragt Sie etwas", "Ein Agent fragt Sie etwas"]);
  await context.close();
});
