import { assetOf, money, toDecimal } from "@remit/kernel";
import type { OfferBody, OfferSales } from "@remit/protocol/contracts";
import { bad, bold, faint, good, harmless } from "../output.ts";

/** `0.05 USD`, or so much for each unit and at most so much. */
export function priceText({ price, currency }: Pick<OfferBody, "price" | "currency">): string {
  if (price === undefined) return "as each route says";
  if (typeof price === "string") return `${price} ${currency}`;
  const units = { request: "request", mtok: "million tokens", mb: "megabyte", hour: "hour" };
  return `${price.amount} ${currency} per ${units[price.per]}, at most ${price.ceiling} ${currency}`;
}

/** The rails that sell anything of it. */
export const railsOf = ({ sold }: OfferBody): string[] => [
  ...new Set(sold.flatMap(({ pays_with }) => pays_with)),
];

/** What was asked for and cannot be sold that way, once each. */
export const refusedRails = ({ sold }: OfferBody): string[] => [
  ...new Set(
    sold.flatMap(({ not_sold_with: rails }) =>
      rails.map(({ rail, because }) => `Not sold by ${rail}: it ${because}.`),
    ),
  ),
];

/** The first address of each line of the route table, without the spellings that stand for the same. */
export function urlsOf({ origin, routes }: OfferBody): { gate: string; methods: string; url: string }[] {
  return routes.map(({ path, tool, methods, gate }) => ({
    gate,
    methods: toldOf(tool, methods),
    url: `${origin ?? ""}${path}`,
  }));
}

function toldOf(tool: string | undefined, methods: readonly string[]): string {
  if (tool !== undefined) return tool === "*" ? "every other tool" : `the tool ${tool}`;
  return methods.length === 5 ? "any method" : methods.join(", ");
}

export const stateText = ({ status, because }: OfferBody): string => {
  if (status === "live") return good("live");
  if (status === "conflict") return bad(`not sold: ${because ?? "unknown"}`);
  return status;
};

export function described(offer: OfferBody): string {
  const lines = [
    `${bold(harmless(offer.name))} ${stateText(offer)}`,
    row("costs", priceText(offer)),
    row("paid by", railsOf(offer).join(", ") || "nothing"),
    row("upstream", offer.upstream),
    ...urlsOf(offer).map(({ gate, methods, url }) => row(gate, `${url}  ${faint(methods)}`)),
    ...(offer.status === "conflict" || offer.because === null ? [] : [faint(`  ${harmless(offer.because)}`)]),
    ...refusedRails(offer).map((line) => faint(`  ${harmless(line)}`)),
  ];
  return lines.join("\n");
}

export const row = (name: string, value: string): string => `  ${name.padEnd(10)} ${value}`;

export const moneyText = (amountMinor: number, currency: string): string => {
  const asset = assetOf(currency);
  return asset === undefined
    ? `${amountMinor} ${currency}`
    : `${toDecimal(money(asset, BigInt(amountMinor)))} ${currency}`;
};

/** What is left of what was paid, and what was given back. */
export const revenueText = ({ paid }: OfferSales): string => {
  const sums = (minorOf: (sum: OfferSales["paid"][number]) => number): string =>
    paid
      .filter((sum) => minorOf(sum) !== 0)
      .map((sum) => moneyText(minorOf(sum), sum.currency))
      .join(" + ");
  const left = sums(({ amount_minor: amount, refunded_minor: back }) => amount - back);
  const back = sums(({ refunded_minor: refunded }) => refunded);
  if (back === "") return left || "nothing yet";
  return `${left || "nothing"}, after ${back} given back`;
};

export const paymentsOf = ({ paid }: OfferSales): number =>
  paid.reduce((sum, { payments }) => sum + payments, 0);
