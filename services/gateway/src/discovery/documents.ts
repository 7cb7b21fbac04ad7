import type { Document } from "../catalogue/index.ts";
import type { SaleRoute, Shop } from "../offers/index.ts";
import { amountText, isOneAddress, listedOf, pathOf } from "./listed.ts";

export const x402DocumentPath = "/.well-known/x402";
export const llmsPath = "/llms.txt";

/** What can be paid for here, by address: x402scan's fan-out document. A form of many addresses is none that can be asked. */
export function x402Document(shop: Shop): Document {
  const { origin } = shop.merchant;
  const paid = listedOf(shop).filter((route) => route.gate === "paid" && isOneAddress(route));
  const resources = [...new Set(paid.map((route) => origin + pathOf(route)))];
  const instructions = `${origin}${llmsPath} tells what each of them is.`;
  return document("application/json", JSON.stringify({ version: 1, resources, instructions }));
}

/** The same for a reader of text (llmstxt.org). */
export function llmsText(shop: Shop): Document {
  const { origin } = shop.merchant;
  const lines = [
    `# ${new URL(origin).host}`,
    "",
    "> An API whose addresses are paid for one by one. Ask without a payment: the 402 says how to pay, by x402 or by the",
    "> Payment scheme (MPP), with a mandate, a card or a stablecoin as each line tells. The 402 is what counts.",
    ...section("Paid", listedOf(shop), (route) => route.gate === "paid"),
    ...section("Signed in", listedOf(shop), (route) => route.gate === "auth"),
    ...section("Free", listedOf(shop), (route) => route.gate === "free"),
    "",
    "## Documents",
    `- [OpenAPI](${origin}/openapi.json): the same for programs`,
    "",
  ];
  return document("text/plain; charset=utf-8", lines.join("\n"));
}

function section(title: string, routes: readonly SaleRoute[], isOf: (route: SaleRoute) => boolean): string[] {
  const lines = [...new Set(routes.filter(isOf).map(lineOf))];
  return lines.length === 0 ? [] : ["", `## ${title}`, ...lines];
}

function lineOf(route: SaleRoute): string {
  const url = route.merchant.origin + pathOf(route);
  const named =
    route.tool === undefined ? `${route.method} ${pathOf(route)}` : `tool ${route.tool} of ${pathOf(route)}`;
  const rails = route.gate === "paid" ? [...new Set(route.ways.map(({ rail }) => rail))].join(", ") : "";
  const costs = route.gate === "paid" ? `; ${amountText(route)} by ${rails}` : "";
  return `- [${plain(named)}](${url}): ${plain(route.name)}${costs}`;
}

// What a merchant writes must not become a link or a line of its own.
const plain = (text: string): string => text.replace(/\s+/g, " ").replace(/[[\]<>`]/g, "");

const document = (type: string, text: string): Document => ({
  headers: { "Content-Type": type, "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*" },
  body: Buffer.from(text),
});
