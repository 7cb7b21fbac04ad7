import type { Instant, Money } from "@remit/kernel";

/** Why we do not know what happened. None of these says that nothing did. */
export type Uncertainty = "timeout" | "connection" | "server_error" | "busy" | "unexpected";

/** What the provider took for moving money: known once it has booked the movement on its own balance. */
export type Booking = {
  /** The provider's id of the booking. */
  readonly id: string;
  /** What was moved, positive in both directions, in the money in which the provider has booked it: it may have converted it. */
  readonly amount: Money;
  readonly fee: Money;
};

/** The movement to the account that the money is for, and the one by which our fee came back from there. */
export type PassedOn = { readonly reference: string; readonly transfer: Booking; readonly fee?: Booking };

/** For whom a payment is: an account at the provider, from which our fee is kept. From the caller's own rows alone. */
export type PassOn = { readonly destination: string; readonly fee: Money };

/**
 * Where a payment stands according to the provider. Every verb answers with one of these, and so does reading back, so
 * that one decision serves the direct answer and the recovery after a crash.
 */
export type Standing =
  /** The provider has never heard of it. */
  | { readonly kind: "absent" }
  /** It exists there; nothing is held. */
  | { readonly kind: "prepared"; readonly reference: string }
  | { readonly kind: "authorized"; readonly reference: string; readonly amount: Money }
  | {
      readonly kind: "captured";
      readonly reference: string;
      readonly amount: Money;
      readonly booking?: Booking;
      /** What went on to somebody else's account at once, as the provider has booked it on ours. */
      readonly passedOn?: PassedOn;
    }
  | { readonly kind: "released"; readonly reference: string }
  | { readonly kind: "declined"; readonly reference: string | null; readonly code: string }
  | { readonly kind: "requires_action"; readonly reference: string }
  /** The request was not acceptable; nothing happened and repeating it is in vain. */
  | { readonly kind: "refused"; readonly because: string }
  | { readonly kind: "unknown"; readonly because: Uncertainty };

export type RefundStanding =
  | { readonly kind: "absent" }
  | {
      readonly kind: "refunded";
      readonly refund: string;
      readonly amount: Money;
      readonly booking?: Booking;
      readonly takenBack?: Booking;
      /** Its bank has sent it back since: the money is with us again. */
      readonly failed?: { readonly because: string };
    }
  | {
      readonly kind: "refused";
      readonly because: string;
      /** The refund that came to nothing, and had taken back from the merchant's account what it was to give: that is with us. */
      readonly takenBackBy?: string;
    }
  | { readonly kind: "unknown"; readonly because: Uncertainty };

/** One step of one payment. `key` is our own id of the payment; with the attempt it makes the idempotency key. */
export type Step = {
  readonly key: string;
  /** Rises only after a read has shown that the attempt before changed nothing. */
  readonly attempt: number;
};

export type HoldOrder<Source> = Step & {
  readonly amount: Money;
  readonly source: Source;
  /** The reference when an earlier run made it durable: nothing is created again. */
  readonly reference: string | null;
  /** When the first attempt was made durable: how long keys can be replayed counts from here. */
  readonly startedAt: Instant;
  /** The account at the provider that it goes on to. */
  readonly destination?: string;
  /** Shown at the provider beside the payment: ids, never personal data. */
  readonly labels: Readonly<Record<string, string>>;
};

export type CaptureOrder<Source> = Step & {
  readonly reference: string;
  readonly amount: Money;
  readonly source: Source;
  readonly passOn?: PassOn;
};
export type ReleaseOrder = Step & {
  readonly reference: string;
  /** True when the caller's row shows that no capture was ever asked for; else one may still be under way. */
  readonly neverCaptured?: boolean;
};
export type RefundOrder = Step & {
  readonly reference: string;
  readonly amount: Money;
  /** When the first attempt was made durable: beyond the life of its key the provider would obey a second one. */
  readonly startedAt: Instant;
  /** True when somebody may have asked already: the refund is looked for before it is asked for again. */
  readonly recovered: boolean;
  /** True when the payment went on to another account, which gives back its part. */
  readonly takeBack?: boolean;
};

export type Rail = "card" | "x402";

/** Makes the provider's reference durable; false when the hold is no longer wanted. */
export type Keep = (reference: string) => Promise<boolean>;

/**
 * The four verbs, the same for every rail. None of them throws for what the provider says or does not say; a throw is
 * our own bug. Callers make a durable row with the step's key before each call and keep no transaction open during it.
 * `Source` is what the payer gave, as the caller's row keeps it, so that a recovery asks again with the same: a saved
 * card, a shared payment token, a signed authorization.
 */
export type PaymentEngine<Source> = {
  readonly rail: Rail;
  /**
   * Makes the payment known to the provider, has its reference kept durably, and then asks for the money. When `keep`
   * answers false, because nobody wants the hold any more, it goes no further and says where the payment stands:
   * `prepared`, or `authorized` where making and asking are one call, for the caller to release.
   */
  hold(order: HoldOrder<Source>, keep: Keep): Promise<Standing>;
  capture(order: CaptureOrder<Source>): Promise<Standing>;
  release(order: ReleaseOrder): Promise<Standing>;
  refund(order: RefundOrder): Promise<RefundStanding>;
  /** Reads a refund by the provider's id of it. */
  readRefund(reference: string): Promise<RefundStanding>;
  readBack(reference: string): Promise<Standing>;
};
