import { newId } from "@remit/kernel";
import type { OfferBody, ReplaceOffer } from "@remit/protocol/contracts";
import { bad, bold, good, harmless, print, printJson } from "../output.ts";
import { AnswerRefused } from "../refusals.ts";
import { withInstance } from "../running/index.ts";
import type { Where } from "../where.ts";
import * as api from "./calls.ts";
import { reach } from "./reach.ts";
import { described, paymentsOf, priceText, railsOf, revenueText, row, stateText, urlsOf } from "./show.ts";
import { type PriceWish, priceOf } from "./wish.ts";

export const list = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const offers = await api.all(dev);
    if (options.json === true) return printJson({ data: offers });
    if (offers.length === 0)
      return print(
        "Nothing is sold yet: remit sell http --upstream http://localhost:9000 --price 0.05 begins.",
      );
    for (const offer of offers)
      print(
        `${bold(harmless(offer.name).padEnd(24))} ${priceText(offer).padEnd(16)} ${railsOf(offer).join(",").padEnd(18)} ${urlsOf(offer)[0]?.url ?? ""}  ${stateText(offer)}`,
      );
  });

export const info = (name: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.named(dev, name);
    if (options.json === true) return printJson(offer);
    print(described(offer));
  });

export const status = (name: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.named(dev, name);
    const sales = await api.salesOf(dev, offer.id);
    if (options.json === true) return printJson({ name: offer.name, status: offer.status, ...sales });
    const { requests } = sales;
    print(`${bold(harmless(offer.name))} ${stateText(offer)}`);
    print(row("requests", `${requests.total} since ${requests.since}, ${requests.unpaid} asked the price`));
    print(row("payments", String(paymentsOf(sales))));
    print(row("revenue", revenueText(sales)));
    if (offer.status === "conflict") process.exitCode = 1;
  });

export type RefundWish = Where & { readonly amountMinor?: number; readonly key?: string };

/** Gives a payment back, whole or in part; the same key is the same refund, however often it is run. */
export const refund = (payment: string, options: RefundWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const { amountMinor, key = newId("request") } = options;
    const asked = { payment, ...(amountMinor !== undefined && { amount_minor: amountMinor }) };
    const made = await api.refund(dev, asked, key);
    if (options.json === true) printJson(made);
    else {
      const { id, amount_minor: minor, currency, reference, because, status: stands } = made;
      const mark = stands === "refused" ? bad : good;
      print(mark(`${id}: ${minor} ${currency} (minor units) ${stands.replace("_", " ")}`));
      if (reference !== undefined) print(row("reference", harmless(reference)));
      if (because !== undefined) print(row("because", harmless(because)));
      if (stands === "needs_signature")
        print("Sign to_sign (--json shows it) with the wallet that was paid, and post it to its /signature.");
    }
    if (made.status === "refused") process.exitCode = 1;
  });

export type StopWish = Where & { readonly grace: number };

export const stop = (name: string, options: StopWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.drain(dev, (await api.named(dev, name)).id, options.grace);
    if (options.json === true) return printJson(offer);
    print(good(`${offer.name} is sold until ${offer.drained_at ?? "now"}; what is under way is finished.`));
  });

export const remove = (name: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.named(dev, name);
    await api.remove(dev, offer.id);
    if (options.json === true) return printJson({ id: offer.id, deleted: true });
    print(good(`${offer.name} is off. What it sold stays in the books.`));
  });

export type PricingWish = Where & PriceWish;

/** Shows the price, or sets another one for all routes that have none of their own. */
export const pricing = (name: string, options: PricingWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.named(dev, name);
    const price = priceOf(options);
    const now = price === undefined ? offer : await api.replace(dev, offer.id, { ...specOf(offer), price });
    if (options.json === true)
      return printJson({ name: now.name, price: now.price ?? null, currency: now.currency });
    print(`${harmless(now.name)} costs ${priceText(now)}, by ${railsOf(now).join(", ")}.`);
  });

function specOf(offer: OfferBody): ReplaceOffer {
  const {
    upstream,
    health,
    strip_prefix,
    currency,
    price,
    pay_with,
    card,
    x402,
    routes,
    description,
    deliver,
    settle,
    serve_by_s,
  } = offer;
  return {
    upstream,
    currency,
    pay_with,
    routes,
    deliver,
    settle,
    serve_by_s,
    ...(health !== undefined && { health }),
    ...(strip_prefix !== undefined && { strip_prefix }),
    ...(price !== undefined && { price }),
    ...(card !== undefined && { card }),
    ...(x402 !== undefined && { x402 }),
    ...(description !== undefined && { description }),
  };
}

type Probed = {
  readonly url: string;
  readonly method: string;
  readonly gate: string;
  readonly status: number;
  readonly ok: boolean;
};

/** Asks each address as a stranger would, who does not pay: a paid one must say its price, and nothing else. */
export const probe = (name: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const offer = await api.named(dev, name);
    if (offer.origin === null)
      throw new AnswerRefused(`${name} is not sold: ${offer.because ?? "unknown"}`, {});
    const lines = offer.sold.filter(({ path }) => !path.includes("/:"));
    const probed = await Promise.all(lines.map((line) => ask(`${offer.origin}`, line)));
    if (options.json === true) printJson({ name: offer.name, ok: probed.every(({ ok }) => ok), probed });
    else
      for (const { ok, method, url, gate, status: answered } of probed)
        print(`${ok ? good("✓") : bad("✗")} ${method.padEnd(6)} ${url}  ${gate}, answered ${answered}`);
    if (probed.some(({ ok }) => !ok)) process.exitCode = 1;
  });

async function ask(origin: string, line: OfferBody["sold"][number]): Promise<Probed> {
  const { method, path, gate, tool } = line;
  if (tool !== undefined) return await askTool(origin + path, { gate, tool });
  const url = origin + path.replace(/\*$/, "remit-probe");
  // What is free may change something upstream: only a paid address is sure to do nothing for a stranger.
  if (gate === "free" && method !== "GET") return { url, method, gate, status: 0, ok: true };
  const { status: answered } = await reach(url, { method });
  const expected = { paid: answered === 402, auth: answered === 401, free: answered !== 0 && answered < 500 };
  return { url, method, gate, status: answered, ok: expected[gate] };
}

/** Calls a tool without paying: a paid one says its price in a result, and a free one is not called at all. */
async function askTool(url: string, { gate, tool }: { gate: string; tool: string }): Promise<Probed> {
  const probed = { url: `${url} ${tool}`, method: "POST", gate };
  if (gate !== "paid") return { ...probed, status: 0, ok: true };
  const message = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: tool === "*" ? "remit-probe" : tool },
  };
  const { status: answered, text } = await reach(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(message),
  });
  return { ...probed, status: answered, ok: text.includes('"x402Version":2') };
}
