import { type Clock, type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { type PageCall, type Route, route } from "@remit/platform/http";
import { z } from "zod";
import type { OfferBook, Offers, PaidRoute, SaleRoute, Shop, Target } from "../offers/index.ts";
import { bazaarOf, type Settlers } from "../paywall/index.ts";
import { llmsPath, llmsText, x402Document, x402DocumentPath } from "./documents.ts";
import { entriesOf, isOneAddress, listedOf, pathOf } from "./listed.ts";

type Deps = Settlers & { readonly book: Pick<OfferBook, "current">; readonly clock: Clock };

const makers = new Map([
  [x402DocumentPath, x402Document],
  [llmsPath, llmsText],
]);

/** Documents at a shop's own host, made of what is for sale as it is asked for. A route of the shop's own goes first. */
export const discoveryDoor = (
  call: PageCall,
  { shop, target: { path } }: { readonly shop: Shop; readonly target: Target },
): Promise<void> | undefined => {
  const make = makers.get(path);
  if (make === undefined || !["GET", "HEAD"].includes(call.method)) return undefined;
  if (shop.routes.some((own) => pathOf(own) === path)) return undefined;
  const { headers, body } = make(shop);
  call.raw.res.writeHead(200, { ...headers, "Content-Length": body.length });
  call.raw.res.end(call.method === "HEAD" ? undefined : body);
  return Promise.resolve();
};

const Query = z.strictObject({
  type: z.enum(["http", "mcp"]).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
});

const Listed = z.object({
  resource: z.string(),
  type: z.enum(["http", "mcp"]),
  x402Version: z.literal(2),
  accepts: z.array(z.record(z.string(), z.unknown())),
  lastUpdated: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  extensions: z.record(z.string(), z.unknown()),
});
const Answer = z.object({
  x402Version: z.literal(2),
  items: z.array(Listed),
  pagination: z.object({ limit: z.int(), offset: z.int(), total: z.int() }),
});

/**
 * What can be paid by x402 at any shop of this gateway, as facilitators list it (x402 v2, "Discovery API"): below the
 * facilitator's address, where its clients ask, and below the gateway's own.
 */
export const resourcesRoutes = (deps: Deps): Route[] =>
  ["/facilitator/discovery/resources", "/discovery/resources"].map((path) => resourcesAt(path, deps));

const resourcesAt = (path: string, deps: Deps): Route =>
  route({
    method: "GET",
    path,
    summary: "What can be paid for by x402",
    needs: "public",
    query: Query,
    limit: { count: 600, windowMs: minuteMs },
    answers: { 200: Answer },
    handle: (_, { query: { type, limit, offset } }) => {
      const { paid, at } = stockOf(deps);
      const itemOf = itemsBy(deps, at);
      const wanted = paid.filter((each) => type === undefined || typeOf(each) === type);
      const items = wanted.slice(offset, offset + limit).map(itemOf);
      return {
        status: 200,
        body: { x402Version: 2 as const, items, pagination: { limit, offset, total: wanted.length } },
        headers: { "Cache-Control": "no-cache" },
      };
    },
  });

type Stock = { readonly paid: readonly PaidRoute[]; readonly at: Instant };

const known = new WeakMap<Offers, Stock>();

/** All that is listed, and since when this process knows that it is so. */
function stockOf({ book, clock, settlerOn }: Deps): Stock {
  const offers = book.current();
  const before = known.get(offers);
  if (before !== undefined) return before;
  const isListed = (each: SaleRoute): each is PaidRoute =>
    each.gate === "paid" && isOneAddress(each) && entriesOf({ settlerOn }, each).length > 0;
  const paid = [...offers.values()].flatMap((shop) => listedOf(shop).filter(isListed));
  const stock = { paid, at: clock.now() };
  known.set(offers, stock);
  return stock;
}

const typeOf = ({ tool }: SaleRoute): "http" | "mcp" => (tool === undefined ? "http" : "mcp");

const itemsBy = (settlers: Settlers, at: Instant) => (each: PaidRoute) => ({
  resource: each.merchant.origin + pathOf(each),
  type: typeOf(each),
  x402Version: 2 as const,
  accepts: entriesOf(settlers, each).map((entry) => ({ ...entry })),
  lastUpdated: toRfc3339(at),
  metadata: {
    name: each.name,
    ...(each.description !== undefined && { description: each.description }),
  },
  extensions: { bazaar: bazaarOf(each) },
});
