import { type ChildProcess, spawn } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import path from "node:path";
import { type DevFile, readDevFile } from "@remit/embedded";
import { addAuthenticator, eventually, openBrowser, scratchFolder, type TestBrowser } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeBase } from "../ports.ts";
import { type Hands, type Journey, keyboard, pointer, walk } from "./portal-journey.ts";

const root = path.resolve(import.meta.dirname, "../..");
const dataDir = scratchFolder("remit-journey-");
let started: ChildProcess;
let said = "";
let dev: DevFile;
let browser: TestBrowser;

// `npm start`, and nothing else.
beforeAll(async () => {
  const base = await freeBase();
  const args = ["start", "--silent", "--", "--data-dir", dataDir, "--port-base", String(base)];
  started = spawn("npm", args, { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [started.stdout, started.stderr])
    stream?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  browser = await openBrowser();
  await eventually(() => {
    if (started.exitCode !== null) throw new TypeError(`ended early: ${said}`);
    expect(said).toContain("is running");
  });
  const written = await readDevFile(dataDir);
  if (written === undefined) throw new TypeError(`no dev.json: ${said}`);
  dev = written;
});
afterAll(async () => {
  await browser?.close();
  // What npm started outlives it, and writes until its end: that closes the pipes.
  const ended = new Promise((resolve) => started.once("close", resolve));
  process.kill(-(started.pid ?? 0), "SIGTERM");
  await ended;
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
});

type Way = {
  readonly email: string;
  readonly width: number;
  readonly handsOf: (page: Journey["page"]) => Hands;
};
const ways: readonly (readonly [string, Way])[] = [
  [" on a phone", { email: "grace@example.com", width: 390, handsOf: () => pointer }],
  [" by the keyboard alone", { email: "ida@example.com", width: 1280, handsOf: keyboard }],
];

describe("from npm start alone", () => {
  test.each(ways)(
    "a new person signs up with a passkey, sets up an agent, gives it a mandate, sees it buy, approves, checks the receipt and stops it%s",
    async (way, { email, width, handsOf }) => {
      const { page, context } = await browser.visitor({ width });
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      const traces = process.env["REMIT_TEST_TRACES"] ?? dataDir;
      const trace = path.join(traces, `portal-journey${way.replaceAll(" ", "-")}.zip`);
      const agentDir = scratchFolder("remit-agent-");
      await context.tracing.start({ screenshots: true, snapshots: true, title: "Journey" });
      page.setDefaultTimeout(240_000);
      // A virtual authenticator is touched the moment it is asked, so the browser's own offer would be taken before a click.
      await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
      await addAuthenticator(page);
      const { wallet, paid_url: paidUrl } = dev;
      try {
        await walk({ page, hands: handsOf(page), wallet, paidUrl, dataDir, agentDir, email });
      } finally {
        await context.tracing.stop({ path: trace });
        await context.close();
        await rm(agentDir, { recursive: true, force: true });
      }
      expect((await stat(trace)).size).toBeGreaterThan(100_000);
    },
  );
});
