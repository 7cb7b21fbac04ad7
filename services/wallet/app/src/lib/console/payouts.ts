import type { PayoutAccountStatus } from "@remit/protocol/contracts";

/** What the processor wants to know, as groups that a person can gather: its own words are many hundreds. */
export type Due = "bank" | "papers" | "terms" | "business" | "people" | "other";

/** The beginnings of Stripe's names of requirements. */
const beginnings: readonly (readonly [RegExp, Due])[] = [
  [/\.(verification\.|document)|^documents\./, "papers"],
  [/^external_account/, "bank"],
  [/^tos_acceptance/, "terms"],
  [/^(business_|company\.)/, "business"],
  [/^(individual|representative|owners|directors|executives|person_)/, "people"],
];

/** Each group once, with the processor's own words of it. */
export function duesOf(requirements: readonly string[]): { due: Due; words: string[] }[] {
  const found = new Map<Due, string[]>();
  for (const word of requirements) {
    const due = beginnings.find(([beginning]) => beginning.test(word))?.[1] ?? "other";
    found.set(due, [...(found.get(due) ?? []), word]);
  }
  return [...found].map(([due, words]) => ({ due, words }));
}

export const marks = {
  waiting: "waits",
  checking: "waits",
  delayed: "waits",
  active: "live",
  restricted: "stopped",
  replaced: "over",
} as const satisfies Readonly<Record<PayoutAccountStatus, "live" | "waits" | "stopped" | "over">>;

export const payoutMarks = {
  pending: "waits",
  in_transit: "waits",
  paid: "live",
  failed: "stopped",
  canceled: "over",
} as const;
