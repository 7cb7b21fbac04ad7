import type { Json } from "./resources.ts";

export type StripeErrorType = "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";
export type RefusalFacts = {
  readonly type: StripeErrorType;
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly decline_code?: string;
  readonly charge?: string;
  readonly payment_intent?: Json;
  readonly setup_intent?: Json;
  readonly payment_method?: Json;
};

/** An error answer of Stripe. `executed` is false when it stands before execution: Stripe then stores nothing for the key. */
export class StripeRefusal extends Error {
  override readonly name = "StripeRefusal";
  readonly status: number;
  readonly facts: RefusalFacts;
  readonly executed: boolean;

  constructor(status: number, facts: RefusalFacts, executed = true) {
    super(facts.message);
    this.status = status;
    this.facts = facts;
    this.executed = executed;
  }
}

/** A parameter is missing, malformed or unknown: found before anything is executed. */
export const badParameter = (param: string, message: string, code?: string): StripeRefusal =>
  new StripeRefusal(
    400,
    { type: "invalid_request_error", message, param, ...(code === undefined ? {} : { code }) },
    false,
  );

export const noSuch = (what: string, id: string, param = "id"): StripeRefusal =>
  new StripeRefusal(
    param === "id" ? 404 : 400,
    { type: "invalid_request_error", code: "resource_missing", message: `No such ${what}: '${id}'`, param },
    false,
  );

export const unexpected = (code: string, message: string, more: Partial<RefusalFacts> = {}): StripeRefusal =>
  new StripeRefusal(400, { type: "invalid_request_error", code, message, ...more });

export const serverError = (): StripeRefusal =>
  new StripeRefusal(500, {
    type: "api_error",
    message: "An error occurred while processing your request. Try again later or contact support.",
  });
