import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  type DevFile,
  freePortBase,
  logsAt,
  openShop,
  readDevFile,
  runEmbedded,
  runningIn,
  sandboxSeller,
} from "@remit/embedded";
import type { OfferBody } from "@remit/protocol/contracts";
import { bold, failWith, faint, note, print, printJson, sinceStart } from "../output.ts";
import { AnswerRefused } from "../refusals.ts";
import { version } from "../where.ts";
import { boardFor } from "./board.ts";
import * as api from "./calls.ts";
import { described, railsOf, refusedRails, urlsOf } from "./show.ts";
import { offerOf, type Sandbox, type SellWish } from "./wish.ts";

const watchMs = 1000;
// From the first port of an instance to its gateway's.
const gatewayDistance = 402;

/**
 * Sells an upstream: through the instance that runs in the data directory, or through one that this process starts and
 * keeps running as long as it watches.
 */
export async function sellHttp(wish: SellWish): Promise<void> {
  const dataDir = path.resolve(wish.dataDir);
  const pid = await runningIn(dataDir);
  const running = pid === undefined ? undefined : await readDevFile(dataDir);
  if (running === undefined) return sellByOurselves(wish, dataDir);
  const offer = await putUp(running, wish);
  announce(running, offer, wish);
  if (wish.watch === false) return;
  await watch(running, offer, { wish, signal: stopped() });
  if (wish.json !== true) note(faint(`It stays for sale: npx remit sell stop ${offer.name} ends that.`));
}

/** Aborted as soon as somebody wants this process to end. */
function stopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

/** Starts all that selling needs in this process; it sells until the process is told to stop. */
async function sellByOurselves(wish: SellWish, dataDir: string): Promise<void> {
  const isNew = (await readDevFile(dataDir)) === undefined;
  const wanted = wish.port === undefined ? wish.portBase : wish.port - gatewayDistance;
  const portBase = wanted ?? (isNew ? await freePortBase() : undefined);
  const stop = stopped();
  runEmbedded({
    dataDir,
    version,
    log: logsAt("error"),
    pagesLater: true,
    ...(portBase === undefined ? {} : { portBase }),
    ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
    progress: (step) => {
      if (wish.json !== true) note(faint(`Starting: ${step}`));
    },
    ready: (dev) => void sellFrom(dev, wish, stop),
  });
}

async function sellFrom(dev: DevFile, wish: SellWish, signal: AbortSignal): Promise<void> {
  await failWith(async () => {
    const offer = await putUp(dev, wish);
    announce(dev, offer, wish);
    if (wish.json !== true) note(faint(`Selling after ${sinceStart()}.`));
    await watch(dev, offer, { wish, signal });
  });
  // What could not be sold needs no gateway: the same way out as by a signal, so that the database is stopped too.
  if (process.exitCode !== undefined && process.exitCode !== 0) process.kill(process.pid, "SIGTERM");
}

/** Makes the offer, or brings the one of this name up to what the flags say. */
async function putUp(dev: DevFile, wish: SellWish): Promise<OfferBody> {
  const sellsAt = new URL(dev.gateway);
  if (wish.port !== undefined && wish.port !== Number(sellsAt.port))
    throw new AnswerRefused(`this instance sells at port ${sellsAt.port}, not ${wish.port}`, {
      remedy: "Leave --port out, or sell from another --data-dir.",
    });
  const merchant = await merchantOf(dev, wish);
  const made = offerOf(wish, { merchant, sandbox: sandboxOf(dev) });
  if ("fault" in made) throw new AnswerRefused(made.fault, {});
  if (wish.json !== true) for (const line of made.notes) note(faint(line));
  try {
    return await api.create(dev, made.offer);
  } catch (error) {
    if (!(error instanceof AnswerRefused) || error.code !== "offer_exists") throw error;
  }
  const { name, merchant: _merchant, ...spec } = made.offer;
  return api.replace(dev, (await api.named(dev, name, merchant)).id, spec);
}

/** Who sells: the demo's merchant, or the one of the host that the flags name, which is made when it is new. */
async function merchantOf(dev: DevFile, { hostname, json }: SellWish): Promise<string> {
  const own = new URL(dev.gateway);
  const host = hostname?.replace(`:${own.port}`, "");
  if (host === undefined || host === own.hostname) return dev.merchant.id;
  if (host.includes(":"))
    throw new AnswerRefused(`this instance sells at port ${own.port}, not at ${hostname}`, {});
  const { id, origin, unproven } = await openShop(dev, host, (entry) => api.putMerchant(dev, entry));
  if (unproven !== undefined && json !== true)
    note(faint(`Nobody can pay at ${origin} under a mandate until it is reached there: ${unproven}`));
  return id;
}

const sandboxOf = ({ chain }: DevFile): Sandbox => ({
  networkId: sandboxSeller.networkId,
  ...(chain !== undefined && { payTo: sandboxSeller.payTo }),
});

function announce(dev: DevFile, offer: OfferBody, wish: SellWish): void {
  if (wish.json === true) return printJson(offer);
  print("");
  print(described(offer));
  const [first] = urlsOf(offer);
  const url = first?.url.replace(/\*$/, "") ?? dev.gateway;
  print("");
  print(`  ${bold("How to pay")}`);
  const isMcp = offer.sold.some(({ tool }) => tool !== undefined);
  if (isMcp) print(faint(`  Point any MCP client at ${url}: its list of tools says what they cost.`));
  else print(faint(`  curl -i ${url}            shows the price, in every protocol`));
  if (railsOf(offer).includes("mandate"))
    print(faint(`  An agent pays under its mandate: payingFetch(${JSON.stringify(url)}) of @remit/agent.`));
  if (railsOf(offer).includes("x402"))
    print(faint(`  Any x402 client pays in USDC on ${offer.x402?.chain ?? "its chain"}.`));
  if (railsOf(offer).includes("card")) print(faint("  Any MPP client pays with a shared payment token."));
  if (refusedRails(offer).length > 0) print("");
}

type Watching = { readonly wish: SellWish; readonly signal: AbortSignal };

async function watch(dev: DevFile, offer: OfferBody, { wish, signal }: Watching): Promise<void> {
  const board = boardFor(offer, wish.json === true ? "json" : process.stdout.isTTY ? "table" : "lines");
  while (!signal.aborted) {
    try {
      board.show(await api.salesOf(dev, offer.id));
    } catch (error) {
      board.failed(error);
    }
    await pause(watchMs, undefined, { signal }).catch(() => undefined);
  }
}
