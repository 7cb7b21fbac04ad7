import { assetOf, type Id, invariant, money, toDecimal } from "@remit/kernel";
import { canonicalise } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";

/** Why a purchase waits for a person. */
export type AskedBecause =
  | "above_limit"
  | "first_purchase_at_merchant"
  | "tool_changed"
  | "authentication_required";

/** One purchase that wants a yes of its own: made of the merchant's signed offer and the mandate, and of nothing else (G03). */
export type PurchaseSubject = {
  readonly kind: "charge" | "sca";
  readonly charge: Id<"charge">;
  readonly mandate: Id<"mandate">;
  readonly merchant: { readonly id: Id<"merchant">; readonly origin: string; readonly name: string };
  readonly offer: {
    readonly id: string;
    readonly digest: string;
    readonly name: string;
    readonly lines: readonly {
      readonly name: string;
      readonly amountMinor: number;
      readonly quantity: number | null;
    }[];
  };
  readonly currency: string;
  readonly amountMinor: number;
  /** What is left of the mandate once this is held. */
  readonly remainingMinor: number;
  readonly because: AskedBecause;
};

type Confirmed = Pick<PurchaseSubject, "charge" | "offer" | "merchant" | "amountMinor" | "currency">;

/** What a yes to a purchase is a yes to, as the text that is hashed. */
export const confirmedText = (
  { charge, offer, merchant, amountMinor, currency }: Confirmed,
  agent: Id<"agent">,
): string =>
  canonicalise({
    charge,
    offer_digest: offer.digest,
    amount: { amount_minor: amountMinor, currency },
    payee: merchant.id,
    agent,
  });

/** The challenge that an assertion for this purchase signs (WebAuthn L3 §7.2 step 12): good for no other one. */
export const challengeOf = (subject: Confirmed, agent: Id<"agent">): Uint8Array =>
  sha256(confirmedText(subject, agent));

/** The purchase in plain sentences; what others wrote stands in quotation marks. Escape them for HTML. */
export function describePurchase(subject: PurchaseSubject, reason: string | undefined): readonly string[] {
  const { merchant, offer, because } = subject;
  const said = [
    `Pay ${inWords(subject, subject.amountMinor)} to ${merchant.origin} (“${merchant.name}”).`,
    `For “${offer.name}”, in the merchant's words.`,
    offer.lines.length === 0
      ? undefined
      : `It lists: ${offer.lines.map((line) => lineInWords(subject, line)).join("; ")}.`,
    `Of the mandate ${inWords(subject, subject.remainingMinor)} remain after it.`,
    becauseInWords[because],
    reason === undefined ? "The agent gives no reason." : `The agent's reason: “${reason}”`,
  ];
  return said.filter((sentence) => sentence !== undefined);
}

const becauseInWords = {
  above_limit: "You are asked because it is above what you let pass without a question.",
  first_purchase_at_merchant: "You are asked because it is the first purchase at this merchant.",
  tool_changed:
    "You are asked because the merchant describes this tool otherwise than when it was bought before.",
  authentication_required: "Your card's issuer wants you to confirm it.",
} as const satisfies Record<AskedBecause, string>;

const lineInWords = (
  subject: PurchaseSubject,
  { name, quantity, amountMinor }: PurchaseSubject["offer"]["lines"][number],
): string => `${quantity === null ? "" : `${quantity} × `}“${name}” (${inWords(subject, amountMinor)})`;

function inWords({ currency }: Pick<PurchaseSubject, "currency">, minor: number): string {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a purchase's currency is known");
  return `${toDecimal(money(asset, BigInt(minor)))} ${currency}`;
}
