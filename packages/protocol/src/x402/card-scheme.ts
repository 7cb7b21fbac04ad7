import type { JsonObject } from "../encoding/index.ts";
import { Members } from "../members.ts";
import { Problem } from "../problems.ts";
import type { PaymentRequirement } from "./messages.ts";

/** The two spellings by which x402 clients pay with a shared payment token. */
export const cardScheme = "card";
export const authCaptureScheme = "auth-capture";

const maxTimeoutSeconds = 300;

export type CardTerms = {
  /** Minor units as the card network counts them, and a lower-case currency. */
  readonly amount: string;
  readonly currency: string;
  readonly decimals: number;
  /** The same amount in whole units of the currency, such as `10.00`. */
  readonly decimal: string;
  readonly payTo: string;
  readonly networkId: string;
  readonly paymentMethodTypes: readonly string[];
};

/** `scheme: "card"`, as the gateways that came before sell it. */
export const cardRequirement = (terms: CardTerms, binding: string): PaymentRequirement => {
  const { currency, decimals, networkId } = terms;
  const paymentMethodTypes = [...terms.paymentMethodTypes];
  return {
    scheme: cardScheme,
    network: "stripe",
    amount: terms.amount,
    asset: "",
    payTo: terms.payTo,
    maxTimeoutSeconds,
    extra: {
      method: "stripe",
      intent: "charge",
      currency,
      decimals,
      networkId,
      paymentMethodTypes,
      request: {
        amount: terms.decimal,
        currency,
        decimals,
        methodDetails: { networkId, paymentMethodTypes },
      },
      binding,
    },
  };
};

const cardNetworks = ["visa", "mastercard", "amex"] as const;

/** `scheme: "auth-capture"` with its binding to cards (draft 0.2.0): hold, then capture or void. */
export const authCaptureRequirements = (terms: CardTerms, binding: string): PaymentRequirement[] =>
  cardNetworks.map((network) => ({
    scheme: authCaptureScheme,
    network: `card:${network}`,
    amount: terms.amount,
    asset: terms.currency.toUpperCase(),
    payTo: terms.payTo,
    maxTimeoutSeconds,
    extra: { psp: "stripe", paymentFlow: "escrow", networkId: terms.networkId, binding },
  }));

export type CardPayload = { readonly spt: string; readonly externalId?: string; readonly paymentId?: string };

const sptRule = { max: 255, pattern: /^spt_\w+$/ };

/** Reads the payload of either spelling. A number that could be a card's is refused, and told to nobody. */
export function parseCardPayload(payload: JsonObject): CardPayload {
  const members = Members.of(payload, "credential_malformed", "payload");
  const token = members.get("token") ?? members.get("spt");
  if (typeof token === "string" && isCardNumber(token))
    throw new Problem("credential_malformed", {
      detail: "A card number is no payment token. Never send one.",
    });
  const externalId = members.maybe("externalId", () => members.text("externalId", { max: 255 }));
  const spt = members.has("token") ? members.text("token", sptRule) : members.text("spt", sptRule);
  const paymentId = members.maybe("paymentId", () => members.text("paymentId", { max: 255 }));
  return {
    spt,
    ...(externalId !== undefined && { externalId }),
    ...(paymentId !== undefined && { paymentId }),
  };
}

/** ISO/IEC 7812-1 annex B. */
function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, "");
  if (!/^\d{12,19}$/.test(digits)) return false;
  const sum = Array.from(digits)
    .reverse()
    .reduce((total, digit, index) => {
      const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
  return sum % 10 === 0;
}
