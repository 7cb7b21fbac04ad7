import { createHash } from "node:crypto";
import { assetOf } from "@remit/kernel";
import type {
  CreateOffer,
  OfferPrice,
  OfferRoute,
  ReplaceOffer,
  SellingRail,
} from "@remit/protocol/contracts";
import { type Merchant, type RouteEntry, routeOf, type SaleRoute } from "../offers/index.ts";
import { chainOf } from "./chains.ts";
import { decimalNearest, isFiner, unitsNearest } from "./prices.ts";
import { reservedPart } from "./reserved.ts";

/** What an offer says of itself, apart from its name and its merchant. */
export type Spec = ReplaceOffer;

export type Standing = {
  readonly id: string;
  readonly name: string;
  readonly merchant: Merchant;
  readonly spec: Spec;
};

/** The routes that an offer makes, what it says of itself that is not so, and all that is wrong with it. */
export type Made = {
  readonly routes: readonly SaleRoute[];
  readonly warnings: readonly string[];
  readonly faults: readonly string[];
};

export function specOf({ name: _name, merchant: _merchant, ...spec }: CreateOffer): Spec {
  return spec;
}

/** Pure: the same offer makes the same routes in every process. */
export function routesOf({ id, name, merchant, spec }: Standing): Made {
  const faults: string[] = [];
  const warnings = new Set<string>();
  const routes = spec.routes.flatMap((line) =>
    entriesOf({ id, name, merchant, spec, line }, { faults, warnings }).flatMap((entry) => {
      const route = routeOf(entry, { merchant, facilitators: new Map(), faults });
      return route === undefined ? [] : [route];
    }),
  );
  return { routes, warnings: [...warnings], faults: [...new Set(faults)] };
}

type Line = Standing & { readonly line: OfferRoute };
type Notes = { readonly faults: string[]; readonly warnings: Set<string> };

function entriesOf(of: Line, notes: Notes): RouteEntry[] {
  const { line, spec, merchant } = of;
  const reserved = reservedPart(line.path);
  if (reserved !== undefined) {
    notes.faults.push(`${line.path}: ${reserved} is the gateway's own`);
    return [];
  }
  const payment = line.gate === "paid" ? paymentOf(of, notes) : { ways: [{ rail: "mandate" as const }] };
  if (payment === undefined) return [];
  const common = {
    merchant: merchant.id,
    upstream: spec.upstream,
    ...(spec.strip_prefix !== undefined && { strip_prefix: spec.strip_prefix }),
    gate: line.gate,
    name: line.summary ?? line.tool ?? spec.description ?? of.name,
    sku: of.name,
    hidden: line.hidden ?? false,
    ...(spec.description !== undefined && { description: spec.description }),
    deliver: spec.deliver,
    settle: spec.settle,
    serve_by_s: spec.serve_by_s,
    ...(spec.health !== undefined && { health: spec.health }),
    upstream_retries: 0,
    ...payment,
  };
  const { tool } = line;
  if (tool !== undefined)
    return [
      { ...common, id: routeId(of.id, `tool ${tool}`, line.path), method: "POST", path: line.path, tool },
    ];
  return spelledOut(line.path).flatMap((path) =>
    line.methods.map((method) => ({ ...common, id: routeId(of.id, method, path), method, path })),
  );
}

/** `/v1/*` sells `/v1` and `/v1/` as well: a table that says all of it means all of it. */
function spelledOut(path: string): string[] {
  if (!path.endsWith("/*")) return [path];
  const parent = path.slice(0, -1);
  return parent === "/" ? [path, parent] : [path, parent, parent.slice(0, -1)];
}

/** The same for the same method and path, whatever it costs: a purchase under way finds its route again. */
const routeId = (offer: string, method: string, path: string): string =>
  `${offer}.${createHash("sha256").update(`${method} ${path}`).digest("hex").slice(0, 12)}`;

type Payment = Pick<RouteEntry, "amount_minor" | "currency" | "metered" | "ways">;

function paymentOf({ line, spec }: Line, notes: Notes): Payment | undefined {
  const price = line.price ?? spec.price;
  const at = line.path;
  const places = assetOf(spec.currency)?.places;
  if (price === undefined || places === undefined) {
    notes.faults.push(`${at}: a paid route has a price`);
    return undefined;
  }
  const most = mostOf(price);
  const minor = unitsNearest(most, places);
  if (minor > BigInt(Number.MAX_SAFE_INTEGER)) {
    notes.faults.push(`${at}: the price is beyond what can be counted`);
    return undefined;
  }
  if (typeof price !== "string" && isFiner(price.amount, 6)) {
    notes.faults.push(`${at}: a price by use has six places at the most`);
    return undefined;
  }
  const onChain = spec.pay_with.includes("x402");
  const rails = minor === 0n ? spec.pay_with.filter((rail) => rail === "x402") : spec.pay_with;
  const fiatRails = spec.pay_with.filter((rail) => rail !== "x402");
  if (minor === 0n && fiatRails.length > 0)
    notes.warnings.add(
      `${most} ${spec.currency} is less than its smallest coin: not sold by ${fiatRails.join(" or ")}`,
    );
  else if (isFiner(most, places) && fiatRails.length > 0)
    notes.warnings.add(
      `${most} ${spec.currency} is ${decimalNearest(most, places)} ${spec.currency} by ${fiatRails.join(" or ")}`,
    );
  if (minor === 0n && (!onChain || !/[1-9]/.test(most))) {
    notes.faults.push(`${at}: the price is nothing`);
    return undefined;
  }
  const ways = rails.flatMap((rail) => wayOf(rail, { spec, most, at }, notes));
  if (ways.length === 0) return undefined;
  // What only a token can express is shown as the smallest coin, and paid to the unit.
  const amountMinor = Number(minor === 0n ? 1n : minor);
  return { ways, currency: spec.currency, ...pricedAt(price, { amountMinor, places }) };
}

/** What is held for one request. */
function mostOf(price: OfferPrice): string {
  if (typeof price === "string") return price;
  return price.per === "request" ? price.amount : price.ceiling;
}

/** What has been cut to the smallest coin is no other price than the one that is said. */
function pricedAt(
  price: OfferPrice,
  { amountMinor, places }: { readonly amountMinor: number; readonly places: number },
): Pick<RouteEntry, "amount_minor" | "metered"> {
  if (typeof price === "string" || price.per === "request") return { amount_minor: amountMinor };
  const least = price.least === undefined ? 1n : unitsNearest(price.least, places);
  return {
    metered: {
      unit: price.per,
      unit_price: decimalNearest(price.amount, 6),
      ceiling_minor: amountMinor,
      least_minor: Math.max(1, Number(least)),
    },
  };
}

function wayOf(
  rail: SellingRail,
  { spec, most, at }: { readonly spec: Spec; readonly most: string; readonly at: string },
  { faults }: Notes,
): RouteEntry["ways"] {
  if (rail === "mandate") return [{ rail }];
  if (rail === "card") {
    if (spec.card === undefined) faults.push("pay_with card needs card.network_id");
    return spec.card === undefined ? [] : [{ rail, ...spec.card, payment_method_types: ["card"] }];
  }
  if (spec.x402 === undefined) {
    faults.push("pay_with x402 needs x402.chain and x402.pay_to");
    return [];
  }
  const { chain: name, pay_to, confirmations } = spec.x402;
  const chain = chainOf(name);
  if (chain === undefined) {
    faults.push(`no chain that this gateway knows: ${name}`);
    return [];
  }
  if (spec.currency !== "USD") {
    faults.push("x402 is paid in USDC: the currency must be USD");
    return [];
  }
  const amount = unitsNearest(most, chain.usdc.decimals);
  if (amount === 0n) {
    faults.push(`${at}: the price is less than the smallest unit of USDC`);
    return [];
  }
  return [
    {
      rail,
      network: chain.network,
      asset: chain.usdc,
      pay_to,
      amount: amount.toString(),
      ...(confirmations !== undefined && { confirmations }),
    },
  ];
}
