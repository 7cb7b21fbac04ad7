import { toDecimal } from "@remit/kernel";
import type { Wanted } from "./wanted.ts";

/** What a person sees who opens a paid address in a browser. */
export function paywallPage({ route, method, url }: Wanted, why: string): string {
  const price = `${toDecimal(route.price)} ${route.price.asset.code}`;
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
<p>An agent pays it under a mandate: it reads the <code>PAYMENT-REQUIRED</code> header of this answer and sends the request
again with its payment. Give your agent this address.</p>
</main>
</body>
</html>
`;
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
