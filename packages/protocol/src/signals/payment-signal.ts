import type { Id } from "@remit/kernel";
import type { InstructionOp } from "../instruction/index.ts";
import { Members } from "../members.ts";
import type { SecurityEvent } from "./security-event.ts";

/**
 * What `oid4ac.payment.*` says. A hint: a receiver finds its own row by charge, operation and ordinal, and posts what stands
 * there. An amount is told for people, and is nobody's to post.
 */
export type PaymentSignal = {
  /** The tenant whose log told it: the payer's or the payee's. */
  readonly organization_id: Id<"tenant">;
  readonly charge: Id<"charge">;
  readonly operation: InstructionOp;
  /** Which of the charge's payments: its generation. Two refunds of one payment differ by `refund`. */
  readonly ordinal: number;
  readonly mandate: Id<"mandate"> | undefined;
  readonly payment: Id<"payment"> | undefined;
  readonly refund: Id<"refund"> | undefined;
  readonly amount_minor: number | undefined;
  readonly currency: string | undefined;
  readonly because: string | undefined;
};

/** The data of an `oid4ac.payment.*`; members that a later release adds are passed over. Throws `invalid_request`. */
export function readPaymentSignal({ data }: Pick<SecurityEvent, "data">): PaymentSignal {
  const said = Members.of(data, "invalid_request", "event");
  return {
    organization_id: said.id("organization_id", "tenant"),
    charge: said.id("charge", "charge"),
    operation: said.oneOf("operation", ["hold", "capture", "release", "refund"]),
    ordinal: said.integer("ordinal", 1),
    mandate: said.maybe("mandate", () => said.id("mandate", "mandate")),
    payment: said.maybe("payment", () => said.id("payment", "payment")),
    refund: said.maybe("refund", () => said.id("refund", "refund")),
    amount_minor: said.maybe("amount_minor", () => said.integer("amount_minor", 0)),
    currency: said.maybe("currency", () => said.text("currency", { max: 16 })),
    because: said.maybe("because", () => said.text("because", { max: 256 })),
  };
}
