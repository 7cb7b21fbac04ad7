import { toDecimal } from "@remit/kernel";
import type { ApiDocument } from "@remit/platform/http";
import { isJsonObject, type JsonObject } from "@remit/protocol";
import { leastOf } from "../metering/index.ts";
import type { PaidRoute, SaleRoute, Shop } from "../offers/index.ts";
import { listedOf, offerBy } from "./listed.ts";

/**
 * A shop as OpenAPI 3.1 with `x-payment-info` (draft-payment-discovery-01). Where the shop's origin is the gateway's own, its
 * addresses stand beside the gateway's.
 */
export function apiDocumentOf(shop: Shop, own?: ApiDocument): ApiDocument {
  const { origin } = shop.merchant;
  const { host } = new URL(origin);
  const paths: Record<string, JsonObject> = {};
  for (const route of listedOf(shop)) {
    const path = templateOf(route);
    // Of one path and method there may be many tools; each says its own price in tools/list.
    const before = paths[path]?.[route.method.toLowerCase()];
    const operation = operationOf(route, isJsonObject(before) ? before : undefined);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation };
  }
  const ownPaths = own?.["paths"];
  return {
    ...(own ?? { openapi: "3.1.0" }),
    info: { title: host, version: "1.0.0", description: `What is sold at ${origin}, and what it costs.` },
    servers: [{ url: origin }],
    "x-service-info": { docs: { llms: `${origin}/llms.txt` } },
    paths: { ...(isJsonObject(ownPaths) && ownPaths), ...paths },
  };
}

/** OpenAPI's spelling of a path with open parts. */
const templateOf = ({ pattern }: SaleRoute): string =>
  `/${pattern.map((segment) => (segment === "*" ? "{rest}" : segment.replace(/^:(.+)$/, "{$1}"))).join("/")}`;

function operationOf(route: SaleRoute, before: JsonObject | undefined): JsonObject {
  const parameters = route.pattern.flatMap((segment) => {
    const name = segment === "*" ? "rest" : segment.startsWith(":") ? segment.slice(1) : undefined;
    return name === undefined ? [] : [{ name, in: "path", required: true, schema: { type: "string" } }];
  });
  const summary = route.tool === undefined ? route.name : "Calls of an MCP server's tools";
  return {
    operationId: `${route.method.toLowerCase()}_${route.id}`.replace(/[^A-Za-z0-9_]/g, "_"),
    summary,
    ...(route.description !== undefined && { description: route.description }),
    ...(parameters.length > 0 && { parameters }),
    ...(["POST", "PUT", "PATCH"].includes(route.method) && { requestBody: anyBody }),
    responses: {
      "200": { description: "What was asked for" },
      ...(route.gate === "paid" && { "402": { description: "Payment Required" } }),
      ...(route.gate === "auth" && { "401": { description: "Says how to sign in" } }),
    },
    ...paymentOf(route, before),
  };
}

const anyBody = { content: { "application/json": { schema: {} } } };

/** Offers of all tools of one address, each with its name; of an address that has a free tool too, not all calls are paid. */
function paymentOf(route: SaleRoute, before: JsonObject | undefined): JsonObject {
  const known = before?.["x-payment-info"];
  const earlier = isJsonObject(known) && Array.isArray(known["offers"]) ? known["offers"] : [];
  if (route.gate !== "paid") return isJsonObject(known) ? pickPayment(before) : {};
  const offers = route.ways.flatMap((way): JsonObject | readonly never[] => {
    const offer = offerBy(route, way);
    if (offer === undefined) return [];
    return route.tool === undefined ? offer : { ...offer, description: `the tool ${route.tool}` };
  });
  return {
    "x-payment-info": {
      price: priceOf(route),
      protocols: [{ x402: {} }, { mpp: {} }],
      offers: [...earlier, ...offers],
    },
    security: [],
  };
}

/** Of use that is counted, between what bounds one request costs. */
function priceOf({ price, meter }: PaidRoute): JsonObject {
  const currency = price.asset.code;
  if (meter === undefined) return { mode: "fixed", currency, amount: toDecimal(price) };
  return { mode: "dynamic", currency, min: toDecimal(leastOf(meter, price)), max: toDecimal(price) };
}

const pickPayment = (before: JsonObject | undefined): JsonObject => ({
  "x-payment-info": before?.["x-payment-info"] ?? {},
  ...(isJsonObject(before?.["responses"]) && { responses: before["responses"] }),
});
