import { spawn } from "node:child_process";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readDevFile } from "@remit/embedded";
import { freeBase } from "../test/ports.ts";
import { metered, paths } from "./goods.ts";

const root = path.resolve(import.meta.dirname, "..");
export const usdc = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
export const chainId = 84_532;
/** In cents, and the same in millionths of a dollar: above Stripe's minimum, below what `@x402/fetch` pays unasked. */
export const priceMinor = 60;
export const priceAtomic = 600_000n;

export type Instance = {
  readonly gateway: string;
  readonly sandbox: string;
  readonly sptEndpoint: string;
  readonly rpc: string;
  readonly payerKey: `0x${string}`;
  stop(): Promise<void>;
};

/** Remit as `npm start` brings it up on an empty directory, and one upstream sold by card and by stablecoin. */
export async function startRemit(upstream: string, payTo: string): Promise<Instance> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-interop-"));
  const base = await freeBase();
  const stopped = await start(dataDir, base);
  const dev = await readDevFile(dataDir);
  if (dev?.chain === undefined)
    throw new TypeError("the instance has no chain: npm has no anvil for this platform");
  await sell(path.join(dataDir, "gateway", "offers.json"), { upstream, payTo, sandbox: dev.sandbox });
  await untilSold(`${dev.gateway}${paths[0]}`);
  return {
    gateway: dev.gateway,
    sandbox: dev.sandbox,
    sptEndpoint: dev.spt_endpoint,
    rpc: dev.chain.rpc,
    payerKey: dev.chain.payer_key as `0x${string}`, // the sandbox writes it with its prefix
    stop: async () => {
      await stopped();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function start(dataDir: string, base: number): Promise<() => Promise<void>> {
  const remit = path.join(root, "tools/remit.mjs");
  const args = [remit, "start", "--data-dir", dataDir, "--port-base", String(base)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("is running")) resolve();
    });
    child.once("exit", (code) => reject(new TypeError(`npm start ended with ${code}`)));
  });
  return async () => {
    child.kill("SIGTERM");
    await ended;
  };
}

type OffersFile = { merchants: { id: string; payments?: object }[]; routes: object[] };

/** Adds the suite's routes to what the instance sells. The gateway follows the file. */
async function sell(
  file: string,
  { upstream, payTo, sandbox }: { upstream: string; payTo: string; sandbox: string },
): Promise<void> {
  const offers = JSON.parse(await readFile(file, "utf8")) as OffersFile;
  const [merchant] = offers.merchants;
  if (merchant === undefined) throw new TypeError("the instance has no merchant");
  merchant.payments = { stripe: { secret_key: "sk_test_interop", origin: sandbox }, facilitator: "local" };
  const asset = { address: usdc, decimals: 6, name: "USDC", version: "2" };
  const onChain = { rail: "x402", network: `eip155:${chainId}`, asset, pay_to: payTo };
  const route = (at: string, more: object): object => ({
    id: `interop${at.replace("/", "-")}`,
    merchant: merchant.id,
    method: "GET",
    path: at,
    upstream,
    currency: "USD",
    name: `Interop ${at}`,
    sku: `interop${at}`,
    ...more,
  });
  const byCard = { rail: "card", network_id: "internal" };
  for (const at of paths)
    offers.routes.push(route(at, { amount_minor: priceMinor, ways: [byCard, onChain] }));
  offers.routes.push(route(metered.path, { metered: metered.price, ways: [onChain] }));
  await writeFile(`${file}.new`, JSON.stringify(offers), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

async function untilSold(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status } = await fetch(url);
    if (status === 402) return;
    await pause(50);
  }
  throw new TypeError(`${url} is not sold: see what the gateway says of its offers file`);
}
