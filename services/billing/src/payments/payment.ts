import type { Id, Instant, Money } from "@remit/kernel";
import type { PaymentStatus } from "@remit/protocol/contracts";
import type { SigningSource } from "@remit/rails/x402";
import type { TermsInForce } from "../fees/index.ts";

/** What a payer's wallet is to sign, as the payment's row keeps it. */
export type SigningTerms = Omit<SigningSource, "payer">;

export type PaymentState = PaymentStatus;

/** States in which something is about to be sent, or may have been: durable before the call, and read back after a crash. */
export const openStates = ["authorizing", "capturing", "releasing", "refunding"] as const;
export type OpenState = (typeof openStates)[number];

export type CaptureFee = {
  readonly amount: Money;
  readonly terms: Pick<TermsInForce, "schedule" | "fromVolume" | "collection">;
};

/** One attempt of one charge to get its money over one rail. Belongs to the payer's tenant. */
export type Payment = {
  readonly id: Id<"payment">;
  readonly tenant: Id<"tenant">;
  readonly charge: Id<"charge">;
  readonly generation: number;
  readonly payee: Id<"tenant">;
  readonly merchant: Id<"merchant">;
  readonly rail: "card" | "x402";
  /** The provider's ids of payer and instrument; null for a payment that was released before it was made. */
  readonly customer: string | null;
  readonly method: string | null;
  /** What the payer's wallet signs, on the x402 rail. */
  readonly transfer: SigningTerms | null;
  /** On the x402 rail in units of the token. */
  readonly amount: Money;
  /** The merchant's account at the provider to which it goes on; null where the money stays with us. */
  readonly destination: string | null;
  readonly state: PaymentState;
  readonly attempt: number;
  /** The provider's id of the payment. */
  readonly reference: string | null;
  /** The transaction on the chain that paid. */
  readonly settledBy: string | null;
  /** A release came while we were still asking for the money. */
  readonly releaseWanted: boolean;
  /** What is being or has been asked to be captured. */
  readonly capture: Money | null;
  /** What that capture costs the merchant, decided with it. */
  readonly fee: CaptureFee | null;
  readonly captured: Money;
  readonly refunded: Money;
  readonly declineCode: string | null;
  readonly leasedUntil: Instant;
  readonly stateSince: Instant;
};

export type OpenPayment = Payment & { readonly state: OpenState };

export const isOpen = (payment: Payment): payment is OpenPayment =>
  openStates.some((state) => state === payment.state);

/** True while a hold stands and nobody is busy with it. */
export const isResting = ({ state }: Payment): boolean =>
  state === "authorized" || state === "requires_action";

/** A part of a captured payment on its way back. Its id is the authorization server's. */
export type Refund = {
  readonly id: Id<"refund">;
  readonly payment: Id<"payment">;
  readonly amount: Money;
  readonly state: "refunding" | "refunded" | "refused" | "failed";
  /** The provider's id of the refund, once it has made it; over a chain the transfer's place there. */
  readonly reference: string | null;
  /** Stripe itself takes it back from the merchant's account: not of what we have sent there since the capture. */
  readonly takesBack: boolean;
  /** Over a chain: where the seller says to have given it back. */
  readonly transaction: string | null;
  /** Why it was refused. */
  readonly because: string | null;
};
