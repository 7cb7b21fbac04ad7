import { toDecimal } from "@remit/kernel";
import {
  evmMethod,
  isJsonObject,
  type Json,
  type JsonObject,
  mandateMethod,
  stripeMethod,
} from "@remit/protocol";
import { meterText } from "../metering/index.ts";
import type { PaidRoute, ToolServer, Way } from "../offers/index.ts";
import { remitKeys } from "./credentials.ts";

/** The list of tools with what each costs, without those that are not for sale, or are sold to who knows of them alone. */
export function pricedTools(server: ToolServer, result: JsonObject): JsonObject {
  const { tools } = result;
  if (!Array.isArray(tools)) return result;
  return {
    ...result,
    tools: tools.flatMap((tool: Json) => {
      if (!isJsonObject(tool) || typeof tool["name"] !== "string") return [];
      const route = server.toolOf(tool["name"]);
      if (route === undefined || route.hidden) return [];
      return [route.gate === "paid" ? priced(tool, route) : tool];
    }),
  };
}

/** A model reads what a tool is described as; a program reads the price. */
function priced(tool: JsonObject, { price, meter, ways }: PaidRoute): JsonObject {
  const amount =
    meter === undefined
      ? `${toDecimal(price)} ${price.asset.code} per call`
      : `${meterText(meter, price)} per call`;
  const { description, _meta: meta } = tool;
  const said = typeof description === "string" && description !== "" ? `${description}\n\n` : "";
  return {
    ...tool,
    description: `${said}Costs ${amount}.`,
    _meta: {
      ...(isJsonObject(meta) && meta),
      [remitKeys.price]: {
        amount: toDecimal(price),
        currency: price.asset.code,
        amount_minor: Number(price.units),
        ...(meter !== undefined && { least_minor: meter.leastMinor, unit: meter.unit }),
        pays_with: [...new Set(ways.map(({ rail }) => rail))],
      },
    },
  };
}

/** What a server says of itself, with how its tools are paid (draft-payment-transport-mcp-00, "MCP Capability Advertisement"). */
export function withPayment(server: ToolServer, result: JsonObject): JsonObject {
  const { capabilities } = result;
  const own = isJsonObject(capabilities) ? capabilities : {};
  const { experimental, extensions } = own;
  return {
    ...result,
    capabilities: {
      ...own,
      experimental: {
        ...(isJsonObject(experimental) && experimental),
        payment: { methods: methodsOf(server) },
      },
      // server/discover of MCP 2026-07-28 alone asks for it.
      ...(result["supportedVersions"] !== undefined && {
        extensions: { ...(isJsonObject(extensions) && extensions), "org.x402/payment": {} },
      }),
    },
  };
}

function methodsOf({ paid }: ToolServer): JsonObject {
  const rails = new Set(paid.flatMap(({ ways }) => ways.map(({ rail }) => rail)));
  return Object.fromEntries(
    [...rails].map((rail) => [methods[rail].method, { intents: [methods[rail].intent] }]),
  );
}

const methods = {
  mandate: mandateMethod,
  card: stripeMethod,
  x402: evmMethod,
} satisfies Record<Way["rail"], { method: string; intent: string }>;
