/** What a test card does: at once, when it is attached, or when it is charged without its holder. */
export type CardBehaviour = {
  readonly brand: string;
  readonly last4: string;
  readonly funding?: "credit" | "debit";
  /** Refused whenever it is charged. */
  readonly declines?: { readonly code: string; readonly declineCode?: string };
  /** Refused already when it is set up or attached. */
  readonly declinesAtSetup?: boolean;
  /** Always wants the cardholder, or only until it has been set up. */
  readonly authentication?: "always" | "unless_set_up";
  readonly disputed?: boolean;
};

const declined = (last4: string, code: string, declineCode?: string): CardBehaviour => ({
  brand: "visa",
  last4,
  declinesAtSetup: true,
  declines: { code, ...(declineCode === undefined ? {} : { declineCode }) },
});
const disputed: CardBehaviour = { brand: "visa", last4: "0259", disputed: true };

/** Stripe's published test payment methods, as far as Remit and its users' tests need them. */
const cards: Readonly<Record<string, CardBehaviour>> = {
  pm_card_visa: { brand: "visa", last4: "4242" },
  pm_card_visa_debit: { brand: "visa", last4: "5556", funding: "debit" },
  pm_card_mastercard: { brand: "mastercard", last4: "4444" },
  pm_card_mastercard_debit: { brand: "mastercard", last4: "3222", funding: "debit" },
  pm_card_amex: { brand: "amex", last4: "8431" },
  pm_card_discover: { brand: "discover", last4: "9424" },
  pm_card_diners: { brand: "diners", last4: "3237" },
  pm_card_jcb: { brand: "jcb", last4: "0505" },
  pm_card_unionpay: { brand: "unionpay", last4: "0005" },
  pm_card_chargeDeclined: declined("0002", "card_declined", "generic_decline"),
  pm_card_visa_chargeDeclined: declined("0002", "card_declined", "generic_decline"),
  pm_card_visa_chargeDeclinedInsufficientFunds: declined("9995", "card_declined", "insufficient_funds"),
  pm_card_chargeDeclinedInsufficientFunds: declined("9995", "card_declined", "insufficient_funds"),
  pm_card_visa_chargeDeclinedLostCard: declined("9987", "card_declined", "lost_card"),
  pm_card_visa_chargeDeclinedStolenCard: declined("9979", "card_declined", "stolen_card"),
  pm_card_chargeDeclinedExpiredCard: declined("0069", "expired_card"),
  pm_card_chargeDeclinedIncorrectCvc: declined("0127", "incorrect_cvc"),
  pm_card_chargeDeclinedProcessingError: declined("0119", "processing_error"),
  // Attaching succeeds, charging fails: the card whose trouble shows only at the first purchase.
  pm_card_chargeCustomerFail: {
    ...declined("0341", "card_declined", "generic_decline"),
    declinesAtSetup: false,
  },
  pm_card_authenticationRequired: { brand: "visa", last4: "3184", authentication: "always" },
  pm_card_authenticationRequiredOnSetup: { brand: "visa", last4: "3155", authentication: "unless_set_up" },
  pm_card_createDispute: disputed,
  pm_card_chargeDisputed: disputed,
};

/** The behaviour of a test token such as `pm_card_visa`. */
export const testCard = (token: string): CardBehaviour | undefined =>
  Object.hasOwn(cards, token) ? cards[token] : undefined;

/** The behaviour of a saved card, known by its last four digits as each test number has its own. */
export const cardEnding = (last4: string): CardBehaviour =>
  Object.values(cards).find((card) => card.last4 === last4) ?? { brand: "visa", last4 };
