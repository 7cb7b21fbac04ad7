import type { PaymentMethodBody } from "@remit/protocol/contracts";
import type { Format } from "../../../src/showing/index.ts";
import { minorIn } from "./amounts.ts";
import type { Words } from "./words/index.ts";

/** For each of which a person may limit what is spent, and how often. */
export const givenPeriods = ["day", "week", "month"] as const;
type GivenPeriod = (typeof givenPeriods)[number];

/** How a mandate may be paid, where money moves. */
export const givenRails = ["card", "x402"] as const;
type GivenRail = (typeof givenRails)[number];

/** What is written one beside the other, or one a line. */
export const listedIn = (text: string): string[] => text.split(/[\s,]+/).filter((one) => one !== "");

const countMax = 1_000_000;

/** How often, as it is typed. */
export function countIn(text: string): number | undefined {
  const count = /^\d+$/.test(text.trim()) ? Number(text) : 0;
  return count >= 1 && count <= countMax ? count : undefined;
}

/** The limits that stand folded away in the form, as they are typed. */
export type Folded = {
  readonly each: Record<GivenPeriod, { amount: string; count: string }>;
  categories: string;
  rails: GivenRail[];
  tokens: string;
  card: string;
  once: boolean;
  first: boolean;
  auto: boolean;
};

export const nothingFolded = (): Folded => ({
  each: {
    day: { amount: "", count: "" },
    week: { amount: "", count: "" },
    month: { amount: "", count: "" },
  },
  categories: "",
  rails: [],
  tokens: "",
  card: "",
  once: false,
  first: false,
  auto: false,
});

export const cardName = ({ brand, last4 }: Pick<PaymentMethodBody, "brand" | "last4">): string =>
  `${brand.charAt(0).toUpperCase()}${brand.slice(1)} ···· ${last4}`;

type Saying = {
  readonly words: Words;
  readonly format: Format;
  readonly currency: string;
  readonly cards: readonly PaymentMethodBody[];
};

/** What they add to the sentence that says what a mandate allows; what cannot be read says nothing. */
export function foldedSaid(folded: Folded, { words, format, currency, cards }: Saying): string[] {
  const { giving, mandate } = words;
  const said: string[] = [];
  for (const period of givenPeriods) {
    const { amount, count } = folded.each[period];
    const [minor, times] = [minorIn(amount, currency), countIn(count)];
    const every = giving.sentenceEvery[period];
    if (minor !== undefined) said.push(every(format.money(minor, currency)));
    if (times !== undefined) said.push(every(giving.sentenceTimes(format.number(times))));
  }
  const categories = listedIn(folded.categories);
  if (categories.length > 0) said.push(giving.sentenceFor(format.list(categories)));
  if (folded.rails.length > 0)
    said.push(giving.sentenceBy(format.list(folded.rails.map((rail) => mandate.rail[rail]))));
  const card = cards.find(({ id }) => id === folded.card);
  if (card !== undefined) said.push(giving.sentenceWith(cardName(card)));
  const tokens = listedIn(folded.tokens);
  if (tokens.length > 0) said.push(giving.sentenceTokens(format.list(tokens)));
  if (folded.first) said.push(giving.sentenceFirst);
  if (folded.auto) said.push(giving.sentenceAuto);
  return said;
}
