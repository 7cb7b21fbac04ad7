import { assetOfCaip19, fromDecimal, type Money, moneyOf, secondMs, toDecimal } from "@remit/kernel";
import { cardMinimum, toStripe } from "@remit/rails/card";
import { type Meter, meterOf } from "../metering/index.ts";
import {
  atomicOf,
  type DroppedWay,
  type Facilitator,
  type Merchant,
  type SaleRoute,
  type ServerProgram,
  type Way,
} from "./model.ts";
import type { RouteEntry, WayEntry } from "./offers-file-schema.ts";
import { parsePattern } from "./paths.ts";

type Facts = {
  readonly merchant: Merchant | undefined;
  /** The facilitator of each way that names one. */
  readonly facilitators: ReadonlyMap<WayEntry, Facilitator>;
  /** Programs that are upstreams, by their names; only who runs this gateway may name one. */
  readonly servers?: ReadonlyMap<string, ServerProgram>;
  readonly faults: string[];
};

/** The route, or undefined with its faults added: all faults of a file are told at once. */
export function routeOf(entry: RouteEntry, facts: Facts): SaleRoute | undefined {
  const { merchant, facilitators, faults } = facts;
  const { id, method, upstream, name, sku, description, deliver } = entry;
  const pattern = parsePattern(entry.path);
  if (merchant === undefined) faults.push(`${id}: its merchant is not in the file`);
  if ("fault" in pattern) faults.push(`${id}: path ${pattern.fault}`);
  if (entry.strip_prefix !== undefined && !isBelow(entry.path, entry.strip_prefix))
    faults.push(`${id}: strip_prefix is no part of its path`);
  const program = facts.servers?.get(upstream.replace("stdio:", ""));
  faults.push(...programFaults(entry, program).map((fault) => `${id}: ${fault}`));
  if (entry.tool !== undefined) faults.push(...toolFaults(entry).map((fault) => `${id}: ${fault}`));
  const { serve_by_s: serveByS, upstream_timeout_s: timeoutS = serveByS } = entry;
  if (timeoutS > serveByS)
    faults.push(
      `${id}: upstream_timeout_s ${timeoutS} is longer than serve_by_s ${serveByS}, the time that is promised`,
    );
  const payment = entry.gate === "paid" ? paymentOf(entry, merchant, facilitators) : openOf(entry);
  if ("faults" in payment) faults.push(...payment.faults.map((fault) => `${id}: ${fault}`));
  if (merchant === undefined || "fault" in pattern || "faults" in payment) return undefined;
  return {
    id,
    merchant,
    method,
    pattern,
    upstream,
    name,
    sku,
    ...(entry.tool !== undefined && { tool: entry.tool }),
    ...(program !== undefined && { program }),
    ...(entry.strip_prefix !== undefined && { stripPrefix: entry.strip_prefix }),
    ...(description !== undefined && { description }),
    hidden: entry.hidden,
    deliver,
    serveByS,
    timeoutMs: timeoutS * secondMs,
    retries: entry.upstream_retries,
    ...(entry.health !== undefined && {
      health: { path: entry.health.path, everyMs: entry.health.interval_s * secondMs },
    }),
    ...payment,
  };
}

function programFaults({ upstream, tool, health }: RouteEntry, program: ServerProgram | undefined): string[] {
  if (!upstream.startsWith("stdio:")) return [];
  if (program === undefined) return [`no server of the file is named ${upstream}`];
  if (health !== undefined) return ["a program has no health page: it is started when it is asked"];
  return tool === undefined ? ["a program is sold by its tools alone"] : [];
}

/** Tools are called by POST at one address (MCP, Streamable HTTP), and their answers are judged whole. */
function toolFaults({ path, method, deliver }: RouteEntry): string[] {
  const faults: string[] = [];
  if (method !== "POST") faults.push("a tool is called by POST");
  if (/[:*]/.test(path)) faults.push("the address of an MCP server has no open part");
  if (deliver === "stream") faults.push("what a tool answers is not streamed");
  return faults;
}

const isBelow = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

type Faults = { readonly faults: readonly string[] };

function openOf(entry: RouteEntry): { readonly gate: "free" | "auth" } | Faults {
  if (entry.amount_minor !== undefined || entry.metered !== undefined)
    return { faults: [`gate ${entry.gate} has no price`] };
  return { gate: entry.gate === "free" ? "free" : "auth" };
}

type Payment = {
  readonly gate: "paid";
  readonly price: Money;
  readonly meter?: Meter;
  readonly ways: readonly Way[];
  readonly dropped: readonly DroppedWay[];
  readonly settle: "after" | "before";
};

function paymentOf(
  entry: RouteEntry,
  merchant: Merchant | undefined,
  facilitators: Facts["facilitators"],
): Payment | Faults {
  const priced = pricedBy(entry);
  if ("faults" in priced) return priced;
  const { price, meter } = priced;
  const unsold = notSold(entry, meter);
  if (unsold.length > 0) return { faults: unsold };
  const rails = entry.ways.map(({ rail }) => rail);
  const twice = rails.filter((rail, index) => rail !== "x402" && rails.indexOf(rail) !== index);
  if (twice.length > 0) return { faults: twice.map((rail) => `way ${rail} stands twice`) };
  const judged = entry.ways.map((way) =>
    wayOf(way, { entry, price, meter, merchant, facilitator: facilitators.get(way) }),
  );
  const ways = judged.filter((way): way is Way => !("because" in way));
  const dropped = judged.filter((way): way is DroppedWay => "because" in way);
  if (ways.length === 0)
    return { faults: dropped.map(({ rail, because }) => `no way to pay is left: ${rail} ${because}`) };
  return {
    gate: "paid",
    price,
    ...(meter !== undefined && { meter }),
    ways,
    dropped,
    settle: entry.settle,
  };
}

type Priced = { readonly price: Money; readonly meter: Meter | undefined };

/** What is held for one request, and how much of it is taken. A price per request is a fixed one. */
function pricedBy({ metered, ...entry }: RouteEntry): Priced | Faults {
  if (metered === undefined) {
    const price = moneyOf(entry.amount_minor, entry.currency);
    if (price === undefined)
      return { faults: ["amount_minor is a positive integer of an ISO 4217 currency"] };
    return { price, meter: undefined };
  }
  if (entry.amount_minor !== undefined) return { faults: ["it has two prices: say amount_minor or metered"] };
  const ceiling = moneyOf(metered.ceiling_minor, entry.currency);
  if (ceiling === undefined)
    return { faults: ["metered.ceiling_minor is a positive integer of an ISO 4217 currency"] };
  const { unit, unit_price: unitPrice, least_minor: leastMinor } = metered;
  if (leastMinor > metered.ceiling_minor) return { faults: ["metered.least_minor is more than its ceiling"] };
  if (unit === "request") {
    const price = fromDecimal(ceiling.asset, unitPrice);
    if (price === undefined || price.units < 1n || price.units > ceiling.units)
      return { faults: ["a price per request is a whole number of the smallest coin, up to its ceiling"] };
    return { price, meter: undefined };
  }
  const meter = meterOf({ unit, unitPrice, leastMinor }, ceiling);
  return meter === undefined ? { faults: ["metered.unit_price is nothing"] } : { price: ceiling, meter };
}

/** What the words of an offer can say and no purchase does: to sell it otherwise would be to charge otherwise. */
function notSold({ settle, ways }: RouteEntry, meter: Meter | undefined): string[] {
  const faults: string[] = [];
  if (settle === "before" && meter !== undefined)
    faults.push("what is used is known only once it is served: set settle to after, or a fixed price");
  if (settle === "before" && ways.every(({ rail }) => rail === "mandate"))
    faults.push("a mandate is never charged before it is served: set settle to after, or add a way that is");
  return faults;
}

type Selling = {
  readonly entry: Pick<RouteEntry, "deliver" | "serve_by_s">;
  readonly price: Money;
  readonly meter: Meter | undefined;
  readonly merchant: Merchant | undefined;
  readonly facilitator: Facilitator | undefined;
};

/** A permit is good for 300 s, of which the last minute is for its settlement and one for the payer to send it. */
const permitServeSMax = 180;

function wayOf(entry: WayEntry, selling: Selling): Way | DroppedWay {
  const { price: amount, meter, merchant, facilitator } = selling;
  const drop = (because: string): DroppedWay => ({ rail: entry.rail, because });
  // What a use costs need not be such a step, and a hold of which no part can be taken would be served for nothing.
  if (entry.rail !== "x402" && meter !== undefined && amount.asset.places === 3)
    return drop("is charged this currency in steps of ten, which what was used need not be");
  if (entry.rail === "mandate") return { rail: "mandate" };
  if (entry.rail === "card") {
    const least = cardMinimum(amount.asset);
    if (merchant?.accounts.stripe === undefined) return drop("needs payments.stripe of its merchant");
    if (least !== undefined && amount.units < least.units)
      return drop(`needs at least ${toDecimal(least)} ${least.asset.code}`);
    // A hold of which less is taken than a card can be charged would be served for nothing.
    if (least !== undefined && meter !== undefined && BigInt(meter.leastMinor) < least.units)
      return drop(
        `needs a least price of ${toDecimal(least)} ${least.asset.code} where use is counted (least_minor)`,
      );
    if (toStripe(amount) === undefined) return drop("cannot charge this amount");
    const { network_id: networkId, payment_method_types: paymentMethodTypes, account } = entry;
    return { rail: "card", networkId, paymentMethodTypes, ...(account !== undefined && { account }) };
  }
  const settlesHere = (facilitator ?? merchant?.accounts.facilitator)?.kind === "local";
  // By `exact` a ceiling would be taken whole; a permit names the facilitator that takes a part of it.
  if (meter !== undefined && !settlesHere)
    return drop("is settled for what was used by this gateway's own facilitator alone");
  if (meter !== undefined && selling.entry.deliver === "buffer" && selling.entry.serve_by_s > permitServeSMax)
    return drop(`is settled for what was used within 300 s: serve_by_s is at most ${permitServeSMax}`);
  // A token that is known says what it is worth; of another one the file says how much it costs.
  const token = assetOfCaip19(`${entry.network}/erc20:${entry.asset.address}`);
  const pegged = token?.peg === amount.asset.code && token.places === entry.asset.decimals;
  const units = entry.amount === undefined ? undefined : BigInt(entry.amount);
  const atomic = units ?? (pegged ? atomicOf(amount, entry.asset.decimals) : undefined);
  if (atomic === undefined) return drop("needs an amount in atomic units of its asset");
  return {
    rail: "x402",
    scheme: meter === undefined ? "exact" : "upto",
    network: entry.network,
    asset: entry.asset,
    payTo: entry.pay_to,
    amount: atomic,
    ...(entry.confirmations !== undefined && { confirmations: entry.confirmations }),
    ...(facilitator !== undefined && { facilitator }),
  };
}
