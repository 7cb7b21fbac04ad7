import { createHash } from "node:crypto";
import { assetOf, money, toDecimal } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type OwnSale, ReplaceOffer } from "@remit/protocol/contracts";
import type { Merchant, PaidRoute } from "../offers/index.ts";
import { routesOf } from "./spec.ts";

/** Of each merchant: more is a program that makes up ever other sales. */
const keptMax = 500;
const kept = new WeakMap<Merchant, Map<string, PaidRoute>>();

/**
 * The route of a sale that a merchant's own server names; `offer_refused` for one that cannot be sold. The same sale is the
 * same route for as long as its merchant is, so that what is made of it need not be made anew for each who asks.
 */
export function ownRouteOf(merchant: Merchant, sale: OwnSale): PaidRoute {
  const routes = kept.get(merchant) ?? new Map<string, PaidRoute>();
  kept.set(merchant, routes);
  const key = JSON.stringify(sale);
  const known = routes.get(key);
  if (known !== undefined) return known;
  if (routes.size >= keptMax) routes.clear();
  const fresh = makeRoute(merchant, sale);
  routes.set(key, fresh);
  return fresh;
}

function makeRoute(merchant: Merchant, sale: OwnSale): PaidRoute {
  const { sku, name, description, currency, amount_minor: minor, pay_with, card, x402, serve_by_s } = sale;
  const asset = assetOf(currency);
  if (asset === undefined) throw new Problem("offer_refused", { detail: `no currency: ${currency}` });
  const spec = ReplaceOffer.parse({
    // Nobody is called there: the goods are brought.
    upstream: merchant.origin,
    currency,
    price: toDecimal(money(asset, BigInt(minor))),
    pay_with,
    ...(card !== undefined && { card }),
    ...(x402 !== undefined && { x402 }),
    ...(description !== undefined && { description }),
    serve_by_s,
    routes: [{ path: "/sold-by-hand", methods: ["GET"], gate: "paid", summary: name, hidden: true }],
  });
  // A name for what is bound to it: the same for the same thing, at every gateway.
  const id = `own-${createHash("sha256").update(sku).digest("hex").slice(0, 24)}`;
  const { routes, faults } = routesOf({ id, name: sku, merchant, spec });
  const [route] = routes;
  if (route === undefined || route.gate !== "paid" || faults.length > 0)
    throw new Problem("offer_refused", { detail: faults.join("; ").slice(0, 2000) });
  return route;
}
