import { CreateOffer, type OfferRoute, type SellingRail } from "@remit/protocol/contracts";
import type { Where } from "../where.ts";
import type { ToolPrice } from "./flags.ts";

/** What it costs, as the flags say it: one of the prices, and between what bounds one that counts. */
export type PriceWish = {
  readonly price?: string;
  readonly perMtok?: string;
  readonly perMb?: string;
  readonly perHour?: string;
  readonly ceiling?: string;
  readonly least?: string;
};

/** What somebody wants to sell, as the flags say it. */
export type SellWish = Where &
  PriceWish & {
    readonly name?: string;
    readonly upstream: string;
    readonly stream?: boolean;
    readonly healthPath?: string;
    readonly model?: string;
    readonly currency: string;
    readonly payWith?: readonly SellingRail[];
    readonly payTo?: string;
    readonly chain: string;
    readonly stripeNetworkId?: string;
    readonly route?: readonly OfferRoute[];
    readonly hostname?: string;
    readonly port?: number;
    readonly watch?: boolean;
  };

/** The same of an MCP server. */
export type McpWish = Omit<SellWish, "upstream" | "route" | "model"> & {
  readonly upstream: { readonly origin: string; readonly path: string };
  readonly tool?: readonly ToolPrice[];
};

/** A line for each tool, all at the server's own path; one for all of them where none is named. */
export function wishOfMcp({ upstream, tool = [{ tool: "*", gate: "paid" }], ...wish }: McpWish): SellWish {
  const route = tool.map((line): OfferRoute => ({ path: upstream.path, methods: ["POST"], ...line }));
  return { ...wish, upstream: upstream.origin, route };
}

/** Where money may arrive when the flags do not say: a development instance brings a seller of its own. */
export type Sandbox = { readonly networkId: string; readonly payTo?: string };

export type Wanted = { readonly offer: CreateOffer; readonly notes: readonly string[] };

const sandboxChain = "base-sepolia";

/** The offer that the flags describe, or what they leave open. Pure. */
export function offerOf(
  wish: SellWish,
  { merchant, sandbox }: { readonly merchant: string; readonly sandbox: Sandbox | undefined },
): Wanted | { readonly fault: string } {
  const notes: string[] = [];
  const networkId = wish.stripeNetworkId ?? sandbox?.networkId;
  // The sandbox's seller is everybody's: coins of a real chain would go to whoever takes them first.
  const payTo = wish.payTo ?? (wish.chain === sandboxChain ? sandbox?.payTo : undefined);
  const rails = wish.payWith ?? [
    ...(wish.stripeNetworkId === undefined ? [] : (["card"] as const)),
    ...(wish.payTo === undefined ? [] : (["x402"] as const)),
    "mandate" as const,
  ];
  if (rails.includes("card") && networkId === undefined)
    return {
      fault:
        "To be paid by card, say which network profile is yours: --stripe-network-id or STRIPE_NETWORK_ID.",
    };
  if (rails.includes("x402") && payTo === undefined)
    return { fault: "To be paid on a chain, say where the coins go: --pay-to 0x…" };
  if (rails.includes("x402") && wish.payTo === undefined)
    notes.push(`The stablecoins go to the sandbox's own seller, ${payTo}, whose key everybody knows.`);
  const price = priceOf(wish);
  if (
    price === undefined &&
    !(wish.route?.every(({ gate, price: own }) => gate !== "paid" || own !== undefined) ?? false)
  )
    return { fault: "Say what it costs: --price 0.05." };
  const parsed = CreateOffer.safeParse({
    name: wish.name ?? nameOf(wish.upstream),
    merchant,
    upstream: wish.upstream,
    currency: wish.currency,
    pay_with: [...rails],
    ...(price !== undefined && { price }),
    ...(rails.includes("card") && networkId !== undefined && { card: { network_id: networkId } }),
    ...(rails.includes("x402") && payTo !== undefined && { x402: { chain: wish.chain, pay_to: payTo } }),
    ...(wish.stream === true && { deliver: "stream" }),
    ...(wish.healthPath !== undefined && { health: { path: wish.healthPath } }),
    ...(wish.model !== undefined && { description: `Inference by ${wish.model}` }),
    ...routesOf(wish),
  });
  if (parsed.success) return { offer: parsed.data, notes };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join(".") ?? "the offer"}: ${issue?.message ?? "is not right"}` };
}

export type Price = NonNullable<CreateOffer["price"]>;

/** What is counted needs a ceiling: unless told, what a tenth of a unit costs. */
export function priceOf({ price, perMtok, perMb, perHour, ceiling, least }: PriceWish): Price | undefined {
  const counted = [["mtok", perMtok] as const, ["mb", perMb] as const, ["hour", perHour] as const];
  const found = counted.find(([, amount]) => amount !== undefined);
  if (found?.[1] === undefined) return price;
  const [per, amount] = found;
  return { per, amount, ceiling: ceiling ?? tenth(amount), ...(least !== undefined && { least }) };
}

/** A tenth of a decimal, and never less than a cent: less could not be held. */
function tenth(decimal: string): string {
  const [whole = "0", fraction = ""] = decimal.split(".");
  const places = fraction.length + 1;
  const digits = `0${whole}${fraction}`;
  const moved = `${BigInt(digits.slice(0, -places))}.${digits.slice(-places)}`;
  return Number(moved) < 0.01 ? "0.01" : moved;
}

/** A model is sold at the addresses of the OpenAI API; what it is called is free to know. */
function routesOf({ route, model }: SellWish): { routes?: OfferRoute[] } {
  if (route !== undefined) return { routes: [...route] };
  if (model === undefined) return {};
  const paid = (path: string): OfferRoute => ({ path, methods: ["POST"], gate: "paid", summary: model });
  return {
    routes: [
      paid("/v1/chat/completions"),
      paid("/v1/completions"),
      paid("/v1/embeddings"),
      { path: "/v1/models", methods: ["GET"], gate: "free", summary: "The models" },
    ],
  };
}

/** `http://localhost:9000` is `localhost-9000`, until somebody finds a better name. */
const nameOf = (upstream: string): string =>
  new URL(upstream).host
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 63);
