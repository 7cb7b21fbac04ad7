import type { Offer } from "../offer/index.ts";
import type { LineItem } from "./details.ts";

/** One thing that is bought: so many of it, at so much each. */
export type BoughtLine = {
  readonly name: string;
  readonly sku?: string;
  readonly quantity: number;
  readonly amountMinor: number;
};

/** What an offer sells, line by line; without lines it is one thing. Tax and shipping are no things. */
export function linesOf(offer: Offer): readonly BoughtLine[] {
  const { line_items: lines = [], tax_minor: tax = 0, shipping_minor: shipping = 0 } = offer;
  if (lines.length === 0)
    return [
      { name: offer.name, sku: offer.sku, quantity: 1, amountMinor: offer.amount_minor - tax - shipping },
    ];
  return lines.map(({ name, quantity = 1, amount_minor: amountMinor }) => ({ name, quantity, amountMinor }));
}

/**
 * Whether all that is bought stands on the list: by its sku where both name one, else by its name, in at most the listed
 * quantity and at no more than the listed price for each. What the list leaves open is open; each entry counts once.
 */
export function isListed(items: readonly LineItem[], lines: readonly BoughtLine[]): boolean {
  const left = items.map((item) => ({ item, quantity: item.quantity ?? Number.POSITIVE_INFINITY }));
  return lines.every((line) => {
    let wanted = line.quantity;
    for (const entry of left.filter(({ item }) => covers(item, line))) {
      const taken = Math.min(wanted, entry.quantity);
      entry.quantity -= taken;
      wanted -= taken;
    }
    return wanted === 0;
  });
}

const covers = (item: LineItem, line: BoughtLine): boolean =>
  (item.sku !== undefined && line.sku !== undefined ? item.sku === line.sku : item.name === line.name) &&
  (item.amount_minor === undefined || line.amountMinor <= item.amount_minor);
