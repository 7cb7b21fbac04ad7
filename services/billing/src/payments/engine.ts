import type { PaymentEngine } from "@remit/rails";
import type { SavedCard } from "@remit/rails/card";
import type { SigningSource } from "@remit/rails/x402";

/** What a payment is paid with: a card that Stripe has, or a wallet that signs. */
export type PaymentSource = SavedCard | SigningSource;

/** The four verbs over all rails. */
export type Engine = Omit<PaymentEngine<PaymentSource>, "rail">;

const isSigned = (source: PaymentSource): source is SigningSource => "nonce" in source;

/** One engine of two: what is paid with says which, and later what the payment is called there. */
export function createEngine({
  card,
  x402,
}: {
  readonly card: PaymentEngine<SavedCard>;
  /** Undefined where no chain is configured. */
  readonly x402: PaymentEngine<SigningSource> | undefined;
}): Engine {
  const behind = (reference: string) =>
    x402 !== undefined && (reference.startsWith("eip155:") || reference.startsWith("0x")) ? x402 : card;
  return {
    hold: async (order, keep) => {
      const { source } = order;
      if (!isSigned(source)) return card.hold({ ...order, source }, keep);
      return x402?.hold({ ...order, source }, keep) ?? { kind: "refused", because: "no_chain" };
    },
    capture: async (order) => {
      const { source } = order;
      if (!isSigned(source)) return card.capture({ ...order, source });
      return x402?.capture({ ...order, source }) ?? { kind: "unknown", because: "unexpected" };
    },
    release: (order) => behind(order.reference).release(order),
    refund: (order) => behind(order.reference).refund(order),
    readRefund: (reference) => behind(reference).readRefund(reference),
    readBack: (reference) => behind(reference).readBack(reference),
  };
}
