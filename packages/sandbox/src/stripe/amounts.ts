import { assetOf } from "@remit/kernel";
import { badParameter } from "./refusal.ts";

// Stripe's published minimum charge amounts, in minor units.
const minimums: Readonly<Record<string, number>> = {
  aed: 200,
  aud: 50,
  bgn: 100,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17500,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
  usd: 50,
};
const defaultMinimum = 50;
const amountMax = 99_999_999;

/** The amount of a PaymentIntent; Stripe's refusals for too little and too much. */
export function acceptAmount(amount: number, currency: string): void {
  if (amount < 1)
    throw badParameter(
      "amount",
      "This value must be greater than or equal to 1.",
      "parameter_invalid_integer",
    );
  const minimum = minimums[currency] ?? defaultMinimum;
  if (amount < minimum)
    throw badParameter(
      "amount",
      `Amount must be at least ${minimum} ${currency} in minor units.`,
      "amount_too_small",
    );
  if (amount > amountMax)
    throw badParameter(
      "amount",
      `Amount must be no more than ${amountMax} ${currency} in minor units.`,
      "amount_too_large",
    );
}

/** Three letters in lower case, as Stripe writes currencies; upper case is accepted. */
export function acceptCurrency(text: string): string {
  const currency = text.toLowerCase();
  if (!/^[a-z]{3}$/.test(currency)) throw badParameter("currency", `Invalid currency: ${text}`);
  return currency;
}

// Where Stripe's amounts have other decimals than ISO 4217 says.
const ownPlaces: Readonly<Record<string, number>> = { isk: 2, ugx: 2, mga: 0 };

/** How many decimals Stripe's amounts of a currency have. */
export const placesOf = (currency: string): number =>
  ownPlaces[currency] ?? assetOf(currency.toUpperCase())?.places ?? 2;

/** What Stripe keeps of a card payment in the sandbox: 2.9 % + 30 minor units, rounded half up. */
export const processingFee = (amount: number): number => Math.floor((amount * 29 + 500) / 1000) + 30;
