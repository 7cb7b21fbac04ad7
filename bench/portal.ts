import { rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { createAgent } from "@remit/agent";
import { type DevFile, type Embedded, logsAt, startEmbedded } from "@remit/embedded";
import { newId, systemClock } from "@remit/kernel";
import { parseJson } from "@remit/protocol";
import { openBrowser, type Page, scratchFolder, type TestBrowser } from "@remit/testkit";
import { fillWithLife } from "../packages/cli/src/demo/life/index.ts";
import { callWithProof } from "../packages/cli/src/running/index.ts";
import { endpoints, organizationEndpoints } from "../services/wallet/src/api/index.ts";
import { grant } from "../test/instance.ts";
import { signInAt } from "../test/portal/visits.ts";
import { freeBase } from "../test/ports.ts";
import { measure, round } from "./measure.ts";

const agentsWanted = 10_000;
const atOnce = 1_000;
const slowedBy = 4;
const daysOfLife = 7;

/** What a figure is, and what it is to be: at most for times and sizes, at least for pages. */
const beside = (is: number, goal: number) => ({ is, goal });
const goals = { pages_per_s: 500, script_kb: 120, lcp_ms: 1_000, inp_ms: 200, live_ms: 1_000 } as const;

/**
 * The portal with ten thousand agents and a week of life: how fast its pages are made from answers of the APIs (which are
 * asked once, so that this is the portal's own work), how fast a browser four times slower shows and obeys them, and how
 * much script it loads for that.
 */
export async function benchPortal(seconds: number) {
  const dataDir = scratchFolder("remit-bench-portal-");
  const embedded = await startEmbedded({
    dataDir,
    portBase: await freeBase(),
    version: "bench",
    log: logsAt("error"),
  });
  const browser = await openBrowser();
  try {
    await fillWithLife(embedded.dev, daysOfLife);
    const agents = await fillFleet(embedded.dev);
    const live_approval_ms = await liveApprovals(embedded.dev, browser);
    const seen = await inBrowser(embedded, browser);
    return { agents, live_approval_ms, ...seen, rendered: await rendering(embedded, seconds) };
  } finally {
    await browser.close();
    await embedded.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function fillFleet(dev: DevFile): Promise<number> {
  const plan = { tier: "enterprise" };
  const { operator } = dev;
  if (operator === undefined) throw new TypeError("a new instance has an operator");
  await callWithProof(dev.issuer, operator, {
    origin: dev.issuer,
    method: "PUT",
    path: `/api/v1/organizations/${dev.tenant.id}/plan`,
    scope: "admin:orgs",
    body: plan,
  });
  for (let from = 0; from < agentsWanted; from += atOnce) {
    const rows = Array.from({ length: atOnce }, (_, index) => rowOf(from + index));
    const { created } = await callWithProof(dev.issuer, dev.admin, {
      origin: dev.issuer,
      method: "POST",
      path: "/api/v1/agents/import",
      scope: "agents:write",
      body: rows,
    });
    if (created !== atOnce)
      throw new Error(`only ${JSON.stringify(created)} of ${atOnce} agents were registered`);
  }
  return agentsWanted;
}

const rowOf = (nth: number): object => ({
  name: `Worker ${String(nth).padStart(5, "0")}`,
  email: `worker-${nth}@agents.example`,
  agentType: "custom",
  version: "1.0.0",
  capabilities: ["task:run"],
  owner: `team-${nth % 40}`,
  deploymentEnv: "production",
});

const questionsAsked = 5;

/** When a question more stands on the page, by the clock that the agent has too. */
const nextQuestion = `new Promise((resolve) => {
  const count = () => document.querySelectorAll("main a[href^='/approvals/apv_']").length;
  const before = count();
  new MutationObserver((_, observer) => {
    if (count() <= before) return;
    observer.disconnect();
    resolve(Date.now());
  }).observe(document.body, { childList: true, subtree: true });
})`;

/** From an agent's purchase, which its principal must approve, to its question on a page that is open and nobody touches. */
export async function liveApprovals(dev: DevFile, browser: TestBrowser) {
  const keys = { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk };
  const agent = createAgent({ issuer: dev.issuer, clientId: dev.agent.client_id, keys });
  await grant(dev, agent, { amount_minor: 10_000, step_up: [{ above_minor: 500 }] });
  const { page, context } = await browser.visitor({});
  await signInAt(page, dev);
  await page.goto(`${dev.wallet}/approvals`, { waitUntil: "load" });
  const waited: number[] = [];
  for (let asked = 0; asked < questionsAsked; asked++) {
    const shown = page.evaluate(nextQuestion);
    const { pending } = await agent.fetch(dev.paid_url);
    const charged = systemClock.now();
    if (pending === undefined) throw new TypeError("the purchase waits for its principal");
    waited.push(Math.max(0, Number(await shown) - charged));
  }
  await context.close();
  waited.sort((a, b) => a - b);
  return { p50: waited[Math.floor(waited.length / 2)], max: beside(waited.at(-1) ?? 0, goals.live_ms) };
}

type Beside = ReturnType<typeof beside>;
type Seen = { readonly lcp_ms: Beside; readonly inp_ms: Beside };

const watch = `new Promise((resolve) => {
  window.lcp = 0; window.inp = 0;
  new PerformanceObserver((list) => { for (const e of list.getEntries()) window.lcp = e.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.interactionId) window.inp = Math.max(window.inp, e.duration); })
    .observe({ type: "event", buffered: true, durationThreshold: 16 });
  resolve();
})`;

/** As a visitor whose processor is a quarter as fast sees it; the script counted is what crosses the wire, compressed. */
async function inBrowser({ dev }: Embedded, browser: TestBrowser) {
  const { page, context } = await browser.visitor({});
  await signInAt(page, dev);
  const console = `${dev.wallet}/console/${dev.tenant.id}`;
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  const scripts = new Set<string>();
  let bytes = 0;
  cdp.on(
    "Network.responseReceived",
    ({ requestId, type }) => void (type === "Script" && scripts.add(requestId)),
  );
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength: size }) => {
    if (scripts.has(requestId)) bytes += size;
  });
  await cdp.send("Network.clearBrowserCache");
  const kilobytes: Record<string, Beside> = {};
  for (const [name, url] of Object.entries({ wallet: dev.wallet, console })) {
    await cdp.send("Network.clearBrowserCache");
    bytes = 0;
    await page.goto(url, { waitUntil: "networkidle" });
    kilobytes[name] = beside(round(bytes / 1000, 1), goals.script_kb);
  }
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: slowedBy });
  const slow: Record<string, Seen> = {};
  const table = `${console}/agents?page=100`;
  for (const [name, url] of Object.entries({ wallet: `${dev.wallet}/`, overview: console, agents: table }))
    slow[name] = await seenAt(page, url);
  await context.close();
  return { script_kb: kilobytes, slowed_by_4: slow };
}

async function seenAt(page: Page, url: string): Promise<Seen> {
  await page.goto(url, { waitUntil: "networkidle" });
  await page.evaluate(watch);
  const next = page.locator("a[rel=next]");
  // What people do on a table: leaf through it, put a column away, look for something, choose a filter, go on; on other pages
  // the next place.
  if ((await next.count()) > 0) {
    await page.locator("[data-region]").focus();
    for (const key of ["PageDown", "PageDown", "End", "Home", "PageDown"]) await page.keyboard.press(key);
    await page.locator("details summary").first().click();
    await page.locator("details input[type=checkbox]").nth(2).click();
    await page.locator("input[type=search]").click();
    await page.keyboard.type("Worker 07");
    await page.locator("select[name=status]").selectOption("active");
    await next.click();
    await page.waitForLoadState("networkidle");
  } else await page.locator("nav a").nth(1).click();
  await page.waitForLoadState("networkidle");
  const lcp = Number(await page.evaluate("window.lcp"));
  const inp = Number(await page.evaluate("window.inp"));
  return { lcp_ms: beside(round(lcp, 0), goals.lcp_ms), inp_ms: beside(round(inp, 0), goals.inp_ms) };
}

type Built = {
  readonly server: {
    respond(
      request: Request,
      options: { platform: object; getClientAddress: () => string },
    ): Promise<Response>;
  };
};

/** Every page is made from the same answers, each asked for once of the running services. */
async function rendering({ dev }: Embedded, seconds: number) {
  const built = path.resolve(import.meta.dirname, "../services/wallet/app/build/adapter-node.js");
  const { server } = (await import(pathToFileURL(built).href)) as Built; // adapter-node's own module
  const organization = {
    organizationId: dev.tenant.id,
    name: "Demo",
    slug: null,
    kind: "personal",
    personal: true,
    role: "owner",
    scopes: [],
    since: "2026-01-01T00:00:00Z",
  };
  const asked = new Map<string, Promise<unknown>>();
  const person = { memberships: { data: [organization] } };
  const platform = {
    requestId: newId("request"),
    issuer: dev.issuer,
    nowMs: systemClock.now(),
    report: (error: unknown) => process.stderr.write(`${String(error)}\n`),
    evidenceKeys: async () => undefined,
    signedIn: {
      person: { account: dev.principal.id, name: "Demo Principal", email: dev.principal.email },
      api: answering(dev, { table: endpoints, asked, known: person }),
      actFor: () => answering(dev, { table: organizationEndpoints, asked, known: {} }),
      views: { of: async () => [] },
    },
  };
  const root = `${dev.wallet}/console/${dev.tenant.id}`;
  const figures: Record<string, unknown> = {};
  for (const [name, url] of Object.entries({
    agents_50_rows: `${root}/agents`,
    overview: root,
    audit_50_rows: `${root}/audit`,
    offers: `${root}/offers`,
  })) {
    const render = async (): Promise<void> => {
      const headers = { accept: "text/html" };
      const response = await server.respond(new Request(url, { headers }), {
        platform,
        getClientAddress: () => "127.0.0.1",
      });
      const html = await response.text();
      if (response.status !== 200 || html.length < 4_000)
        throw new Error(`${url} answered ${response.status}: ${html.slice(0, 300)}`);
    };
    await render();
    const { rate, cpu_us } = await measure(render, { seconds, inFlight: 4 });
    const ofACore = beside(round(1e6 / cpu_us, 0), goals.pages_per_s);
    figures[name] = { pages_per_s: rate, cpu_us, pages_per_s_of_a_core: ofACore };
  }
  return figures;
}

type Answering = {
  readonly table: Readonly<
    Record<string, { readonly service: string; readonly path: string; readonly open?: boolean }>
  >;
  readonly asked: Map<string, Promise<unknown>>;
  readonly known: Readonly<Record<string, unknown>>;
};

type Input = {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
};

const scopes: Readonly<Record<string, string>> = {
  issuer: "agents:read audit:read billing:read webhooks:read admin:orgs",
  gateway: "offers:read",
  billing: "billing:read",
  directory: "offers:read",
};

function answering(dev: DevFile, { table, asked, known }: Answering): object {
  const origins: Readonly<Record<string, string>> = {
    issuer: dev.issuer,
    gateway: dev.gateway,
    billing: dev.billing,
    directory: dev.directory,
  };
  const call =
    (name: string) =>
    (input: Input = {}) => {
      const endpoint = table[name];
      if (endpoint === undefined) throw new TypeError(`there is no ${name}`);
      const query = new URLSearchParams(
        Object.entries(input.query ?? {}).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value]],
        ),
      );
      const at =
        endpoint.path.replaceAll(/:([a-z]+)/g, (_, key: string) => input.params?.[key] ?? "") +
        (query.size > 0 ? `?${query}` : "");
      const key = `${name} ${at}`;
      const before = asked.get(key);
      if (before !== undefined) return before;
      const answer =
        name in known
          ? Promise.resolve(known[name])
          : callWithProof(dev.issuer, dev.admin, {
              origin: origins[endpoint.service] ?? "",
              method: "GET",
              path: at,
              scope: scopes[endpoint.service] ?? "",
            });
      const result = answer.then((value) => ({ ok: true, value: parseJson(JSON.stringify(value)) }));
      asked.set(key, result);
      return result;
    };
  return Object.fromEntries(Object.keys(table).map((name) => [name, call(name)]));
}
