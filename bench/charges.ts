import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { invariant } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";
import { type Offer, Problem } from "@remit/protocol";
import { makePresentation, offerDigest, signOffer } from "@remit/protocol/node";
import { createCharge } from "../services/authorization-server/src/charges/create-charge.ts";
import {
  type ChargeRequest,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  offerOf,
  purchase,
  shopOrigin,
  type TestAgent,
  tokenOf,
} from "../services/authorization-server/test/charging/world.ts";
import { addHistory } from "./charge-history.ts";
import { type Market, openMarket } from "./charge-market.ts";
import { round } from "./measure.ts";

const parallel = 100;
const amount = 100;
/** Presentations made beforehand for each second: more than are ever used. */
const enoughPerS = 1_200;
const spreadOver = 200;
const historyMin = 1_000;
const historyMax = 1_000_000;

/**
 * `decisions`: offer, token and presentation verified, and the one transaction that claims the presentation, takes the hold
 * and writes the charge, the intent to tell billing and both sides' events: what the merchant may rely on is durable.
 * `on_tabs`: the same where billing is told nothing, so that the charge is authorised by it. `with_payment`: the decision,
 * and a second transaction for what billing says, which answers at once here: what it costs is measured with whole purchases.
 */
export const benchCharges = (seconds: number) =>
  inMarkets(1, async ([market]) => {
    invariant(market !== undefined, "a market was opened");
    const many = await giveMany(market, spreadOver);
    const [one] = many;
    invariant(one !== undefined, "mandates were given");
    const both = async (load: Pick<Load, "tab" | "decideOnly">) => ({
      one_mandate: await atOnce(market, { given: [one], seconds, ...load }),
      spread: await atOnce(market, { given: many, seconds, ...load }),
    });
    // Each connection plans its statements first, and this program compiles what it runs.
    await atOnce(market, { given: many, seconds: 2 * seconds });
    return {
      decisions: await both({ decideOnly: true }),
      on_tabs: await both({ tab: true }),
      with_payment: await both({}),
      race_for_the_last: await forTheLast(market),
    };
  });

/** What a charge costs where a mandate has a thousand of them behind it, and where it has a million. */
export const benchChargeHistory = (seconds: number) =>
  inMarkets(2, async ([young, old]) => {
    invariant(young !== undefined && old !== undefined, "two markets were opened");
    return comparedByHistory({ young, old }, seconds);
  });

type Load = {
  readonly given: readonly Given[];
  readonly seconds: number;
  readonly tab?: boolean;
  /** Tells billing nothing of it. */
  readonly decideOnly?: boolean;
};

/** A hundred at once, for as long as their presentations are fresh. What was decided must be what is held. */
async function atOnce(market: Market, { given, seconds, tab = false, decideOnly = false }: Load) {
  const before = await heldOf(market, given);
  const shop = offering(market, tab ? { tab: true, tab_minor: 100_000_000 } : {});
  const buyers = given.map((one) => shop(one));
  const requests = Array.from({ length: seconds * enoughPerS }, (_, at) =>
    oneAt(buyers, at % buyers.length)(),
  );
  const charge = (request: ChargeRequest): Promise<unknown> =>
    decideOnly
      ? createCharge(market.chargesDeps, market.by, request)
      : market.charges.create(market.by, request);
  const figures = await drain(market, requests, { seconds, charge });
  const held = (await heldOf(market, given)) - before;
  invariant(held === BigInt(figures.decided * amount) * 10_000n, "what was decided is what is held");
  return figures;
}

/** One offer of the shop; for each who has a mandate, one presentation of it after the other. */
function offering(market: Market, more: Partial<Offer>) {
  const offer = offerOf(market, { amount, offer: more });
  const [signed, digest] = [signOffer(market.merchant.offerKey, offer), offerDigest(offer)];
  return ({ mandate, agent }: Given) => {
    const token = tokenOf(market, { agent, mandate: mandate.id, claims: {} });
    return (): ChargeRequest => {
      const merchantNonce = randomBytes(16).toString("base64url");
      const presentation = makePresentation({
        mandate: mandate.jwt,
        disclose: "all",
        accessToken: token,
        offerDigest: digest,
        merchantNonce,
        audience: shopOrigin,
        key: agent.dpop,
        reason: undefined,
        now: market.clock.now(),
      });
      return {
        offer: signed,
        presentation,
        access_token: token,
        merchant_nonce: merchantNonce,
        capture: "manual",
      };
    };
  };
}

const oneAt = <T>(all: readonly T[], at: number): T => {
  const one = all[at];
  invariant(one !== undefined, "there is one at each place");
  return one;
};

/** Twice as many as a mandate has room for, a hundred at once: exactly those that fit, and the others are refused. */
async function forTheLast(market: Market) {
  const room = 400;
  const [mandate] = [await giveMandate(market, { amount_minor: room * amount })];
  const requests = Array.from({ length: 2 * room }, () => purchase(market, { mandate, amount }));
  let refused = 0;
  const started = performance.now();
  await eachOf(requests, async (request) => {
    await market.charges.create(market.by, request).catch((error: unknown) => {
      if (!(error instanceof Problem) || error.code !== "mandate_cap_exceeded") throw error;
      refused++;
    });
  });
  const found = await market.mandates.find(market.payer, mandate.id);
  invariant(found !== undefined, "a mandate never disappears");
  const overspent = found.budget.held + found.budget.spent - found.budget.cap;
  return {
    rate: round(requests.length / ((performance.now() - started) / 1000), 1),
    granted: requests.length - refused,
    refused,
    overspent_minor: Number(overspent > 0n ? overspent : 0n),
  };
}

/** Runs `work` on each, a hundred at a time. */
async function eachOf<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < all.length; at = next++) await work(oneAt(all, at));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

async function drain(
  { database }: Market,
  requests: readonly ChargeRequest[],
  {
    seconds,
    charge,
  }: { readonly seconds: number; readonly charge: (one: ChargeRequest) => Promise<unknown> },
) {
  const latencies: number[] = [];
  const databaseMs = await database.cpuMs();
  const cpu = process.cpuUsage();
  const started = performance.now();
  const until = started + seconds * 1000;
  await eachOf(requests, async (request) => {
    if (performance.now() >= until) return;
    const from = performance.now();
    await charge(request);
    latencies.push(performance.now() - from);
  });
  const elapsedS = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  const cpuUs = (used.user + used.system) / latencies.length;
  const databaseUs = (((await database.cpuMs()) - databaseMs) * 1000) / latencies.length;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => round(latencies[Math.floor(latencies.length * part)] ?? 0);
  return {
    rate: round(latencies.length / elapsedS, 1),
    decided: latencies.length,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    cpu_us: round(cpuUs, 1),
    database_cpu_us: round(databaseUs, 1),
    /** What this machine could do at most at this price, with nothing else to do and nothing to wait for. */
    ceiling: round((cpus().length * 1e6) / (cpuUs + databaseUs), 1),
  };
}

/** One purchase after the other, in turns on a young installation and on an old one, so that both meet the same machine. */
async function comparedByHistory(
  { young, old }: { readonly young: Market; readonly old: Market },
  seconds: number,
) {
  const sides = [];
  for (const [market, charges] of [
    [young, historyMin],
    [old, historyMax],
  ] as const) {
    const mandate = await giveMandate(market, { amount_minor: 9_000_000_000 });
    const once = () => market.charges.create(market.by, purchase(market, { mandate, amount }));
    const first = await once();
    await market.charges.capture({ ...market.by, id: first.id }, whole);
    await addHistory(market.admin, { charge: first, count: charges });
    for (let warm = 0; warm < 50; warm++) await once();
    sides.push({ once, latencies: [] as number[] });
  }
  const until = performance.now() + 2 * seconds * 1000;
  while (performance.now() < until)
    for (const { once, latencies } of sides) {
      const from = performance.now();
      await once();
      latencies.push(performance.now() - from);
    }
  const [few, many] = sides.map(
    ({ latencies }) => latencies.sort((a, b) => a - b)[latencies.length >> 1] ?? 0,
  );
  invariant(few !== undefined && many !== undefined, "both were measured");
  return {
    p50_ms_at_1k: round(few),
    p50_ms_at_1m: round(many),
    ratio: round(many / few),
  };
}

const whole = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

type Given = { readonly mandate: IssuedTestMandate; readonly agent: TestAgent };

/** Of an agent for each ten. */
async function giveMany(market: Market, count: number): Promise<Given[]> {
  const given: Given[] = [];
  let agent = market.agent;
  for (let at = 0; at < count; at++) {
    if (at % 10 === 9) agent = await newAgent(market.db, market);
    given.push({ agent, mandate: await giveMandate(market, { amount_minor: 900_000_000 }, agent) });
  }
  return given;
}

async function heldOf(market: Market, given: readonly Given[]): Promise<bigint> {
  let held = 0n;
  for (const { mandate } of given) {
    const found = await market.mandates.find(market.payer, mandate.id);
    held += found?.budget.held ?? 0n;
  }
  return held;
}

async function inMarkets<R>(count: number, work: (markets: readonly Market[]) => Promise<R>): Promise<R> {
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-charges-"));
  const opened: { readonly market: Market; readonly stop: () => Promise<void> }[] = [];
  try {
    for (let at = 0; at < count; at++) opened.push(await openIn(path.join(directory, String(at))));
    return await work(opened.map(({ market }) => market));
  } finally {
    for (const { stop } of opened) await stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function openIn(directory: string) {
  const log = createLog({ service: "bench", level: "error" });
  const cluster = await startPostgres({ dataDir: path.join(directory, "postgres"), log });
  const market = await openMarket(cluster.url, directory);
  const stop = async (): Promise<void> => {
    await market.close();
    await cluster.stop();
  };
  return { market, stop };
}
