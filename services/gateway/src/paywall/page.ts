import { toDecimal } from "@remit/kernel";
import { evmNetworksV1 } from "@remit/protocol";
import { meterText } from "../metering/index.ts";
import type { PaidRoute, Way, X402Way } from "../offers/index.ts";
import type { Wanted } from "./wanted.ts";

/** What a person sees who opens a paid address in a browser. */
export function paywallPage({ route, method, url }: Wanted, why: string): string {
  const { meter } = route;
  const fixed = `${toDecimal(route.price)} ${route.price.asset.code}`;
  const price = meter === undefined ? fixed : meterText(meter, route.price);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment required</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }
dt { font-weight: 600 }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>${escapeHtml(route.name)}</h1>
<p>This address is paid. ${escapeHtml(why)}</p>
<dl>
<dt>Price</dt><dd>${escapeHtml(price)}</dd>
<dt>Sold by</dt><dd>${escapeHtml(route.merchant.origin)}</dd>
<dt>Request</dt><dd><code>${escapeHtml(`${method} ${url}`)}</code></dd>
</dl>
<h2>Ways to pay</h2>
<ul>
${route.ways.map((way) => `<li>${escapeHtml(told(route, way))}</li>`).join("\n")}
</ul>
<p>A program pays: it reads the <code>PAYMENT-REQUIRED</code> or <code>WWW-Authenticate</code> header of this answer and sends
the request again with its payment. Give your agent this address.</p>
</main>
</body>
</html>
`;
}

/** One way, in a sentence. */
function told({ price }: PaidRoute, way: Way): string {
  const amount = `${toDecimal(price)} ${price.asset.code}`;
  switch (way.rail) {
    case "mandate":
      return `Mandate: ${amount}, out of the budget that you have given your agent`;
    case "card":
      return `Card: ${amount}, with a shared payment token`;
    case "x402":
      return way.scheme === "upto"
        ? `Stablecoin: up to ${amountOf(way)} ${way.asset.name} on ${networkOf(way)}, by a signed permit (x402)`
        : `Stablecoin: ${amountOf(way)} ${way.asset.name} on ${networkOf(way)}, by a signed transfer (x402)`;
  }
}

function amountOf({ network, asset, amount }: X402Way): string {
  const caip19 = `${network}/erc20:${asset.address}`;
  return toDecimal({
    units: amount,
    asset: { code: caip19, places: asset.decimals, kind: "token", caip19 },
  });
}

/** `base (eip155:8453)`; a chain without a name of its own in x402 goes by its number. */
function networkOf({ network }: X402Way): string {
  const name = Object.entries(evmNetworksV1).find(([, id]) => id === network)?.[0];
  return name === undefined ? network : `${name} (${network})`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
