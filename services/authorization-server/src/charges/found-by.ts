import type { Offer } from "@remit/protocol";
import type { Merchant } from "./merchants.ts";

const lettersMax = 1_000;
const wordsMax = 8;

/** However it was typed: letters that look the same are the same. */
const plain = (text: string): string => text.normalize("NFKC").toLowerCase();

/** What a payer remembers of a purchase: where it was, and what was bought, in the merchant's words. */
export const foundBy = (
  { name, line_items = [] }: Pick<Offer, "name" | "line_items">,
  merchant: Pick<Merchant, "name" | "origin">,
): string =>
  plain([merchant.origin, merchant.name, name, ...line_items.map((line) => line.name)].join("\n")).slice(
    0,
    lettersMax,
  );

/** What is looked for, each part of which must be there. */
export const wordsIn = (typed: string): readonly string[] =>
  plain(typed)
    .split(/\s+/)
    .filter((word) => word !== "")
    .slice(0, wordsMax);
