import type { Id } from "@remit/kernel";
import Stripe from "stripe";
import { setupRefusal, unavailable } from "./failures.ts";

/** A card that its holder has agreed to have charged without being present, or is being asked to. */
export type Setup =
  | {
      readonly kind: "saved";
      readonly setup: string;
      readonly method: string;
      readonly brand: string;
      readonly last4: string;
    }
  /** The issuer wants the cardholder: `clientSecret` lets a browser ask. */
  | { readonly kind: "asks_holder"; readonly setup: string; readonly clientSecret: string }
  /** Nobody has been asked yet, or the issuer is still at it. */
  | { readonly kind: "open"; readonly setup: string }
  /** `again` while another card may still be tried in the same setup. */
  | { readonly kind: "failed"; readonly setup: string; readonly again: boolean };

const expand = ["payment_method"];

export type SetupOrder = {
  readonly instrument: Id<"instrument">;
  readonly customer: string;
  /** Absent where the holder chooses it in the browser. */
  readonly method?: string;
};

export type PreparedSetup = { readonly setup: string; readonly clientSecret: string };

/** Prepares a setup for charges off session (SCA) and answers its id and secret. Throws `invalid_request` or `unavailable`. */
export async function prepareSetup(
  stripe: Stripe,
  { instrument, customer, method }: SetupOrder,
): Promise<PreparedSetup> {
  try {
    const intent = await stripe.setupIntents.create(
      {
        customer,
        ...(method === undefined ? {} : { payment_method: method }),
        usage: "off_session",
        allowed_payment_method_types: ["card"],
        metadata: { instrument },
      },
      { idempotencyKey: `setup.${instrument}` },
    );
    return { setup: intent.id, clientSecret: intent.client_secret ?? "" };
  } catch (error) {
    throw setupRefusal(error);
  }
}

/** Asks the issuer: saves the card. Throws `card_declined`, `invalid_request` or `unavailable`. */
export async function confirmSetup(stripe: Stripe, setup: string): Promise<Setup> {
  try {
    const options = { idempotencyKey: `${setup}.confirm` };
    return setupOf(await stripe.setupIntents.confirm(setup, { expand }, options));
  } catch (error) {
    throw setupRefusal(error);
  }
}

export async function readSetup(stripe: Stripe, setup: string): Promise<Setup> {
  try {
    return setupOf(await stripe.setupIntents.retrieve(setup, { expand }));
  } catch (cause) {
    throw unavailable(cause);
  }
}

function setupOf(intent: Stripe.SetupIntent): Setup {
  const method = intent.payment_method;
  const untouched = intent.status === "requires_payment_method" && intent.last_setup_error === null;
  if (intent.status === "requires_action" || untouched)
    return { kind: "asks_holder", setup: intent.id, clientSecret: intent.client_secret ?? "" };
  if (intent.status === "requires_confirmation" || intent.status === "processing")
    return { kind: "open", setup: intent.id };
  if (intent.status !== "succeeded" || typeof method !== "object" || method?.card === undefined)
    return { kind: "failed", setup: intent.id, again: intent.status === "requires_payment_method" };
  return {
    kind: "saved",
    setup: intent.id,
    method: method.id,
    brand: method.card.brand,
    last4: method.card.last4,
  };
}

/** The card can no longer be charged by anybody here. Nothing to do for one that is not ours any more. */
export async function detachCard(stripe: Stripe, method: string): Promise<void> {
  try {
    await stripe.paymentMethods.detach(method);
  } catch (error) {
    // Stripe answers 400 `resource_missing` for a method that is attached to nobody, 404 for one it does not know.
    const answered = error instanceof Stripe.errors.StripeInvalidRequestError;
    if (!answered || error.code !== "resource_missing") throw unavailable(error);
  }
}
