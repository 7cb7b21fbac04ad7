import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { readDevFile } from "@remit/embedded";
import { parseChallenges, parsePaymentRequired, paymentRequiredHeader } from "@remit/protocol";
import { eventually, scratchFolder } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

const launcher = path.resolve(import.meta.dirname, "../../tools/remit.mjs");
let dataDir = "";
let upstream: Server;
let asked = 0;
let seller: ChildProcess | undefined;

beforeAll(async () => {
  dataDir = scratchFolder("remit-sell-");
  upstream = createServer((_, res) => {
    asked += 1;
    res.end("goods");
  });
  await once(upstream.listen(0, "127.0.0.1"), "listening");
});

afterAll(async () => {
  seller?.kill("SIGKILL");
  upstream.close();
  await rm(dataDir, { recursive: true, force: true });
});

test("one command on an empty directory sells what it can, says what it cannot, and how long that took", async () => {
  const { port } = upstream.address() as AddressInfo; // a TCP server's address
  const words = [
    "sell",
    "http",
    "--upstream",
    `http://127.0.0.1:${port}`,
    "--price",
    "0.05",
    "--currency",
    "usd",
  ];
  const child = spawn(
    process.execPath,
    [launcher, ...words, "--pay-with", "card,x402,mandate", "--data-dir", dataDir],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  seller = child;
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await eventually(() => {
    if (child.exitCode !== null) throw new TypeError(`ended early: ${said}`);
    expect(said).toMatch(/Selling after \d+\.\d s/);
  });
  expect(said).toContain("Not sold by card: it needs at least 0.50 USD.");
  const dev = await readDevFile(dataDir);
  if (dev === undefined) throw new TypeError("who sells writes down where");
  const unpaid = await fetch(`${dev.gateway}/anything`);
  expect(unpaid.status).toBe(402);
  const { accepts } = parsePaymentRequired(unpaid.headers.get(paymentRequiredHeader) ?? "");
  expect(accepts.map(({ scheme, amount }) => `${scheme} ${amount}`).sort()).toEqual(
    dev.chain === undefined ? ["mandate 5"] : ["exact 50000", "mandate 5"],
  );
  const methods = parseChallenges([unpaid.headers.get("www-authenticate") ?? ""]).map(({ method }) => method);
  expect(methods).not.toContain("stripe");
  expect(asked).toBe(0);
  // The portal's pages are there for whoever asks, though nobody waited for them.
  expect((await fetch(`${dev.wallet}/`, { redirect: "manual" })).status).toBeLessThan(400);
  child.kill("SIGTERM");
  await once(child, "exit");
  expect(await fetch(`${dev.gateway}/anything`).catch(() => "nobody")).toBe("nobody");
});
