import type { Hex } from "@remit/protocol";
import type { Step, Uncertainty } from "../engine.ts";
import type { TransferPayment } from "./payment.ts";

export type Verification =
  | { readonly kind: "valid"; readonly payer: Hex }
  /** `reason` is one of ours, or what somebody else's facilitator says. */
  | { readonly kind: "invalid"; readonly reason: string }
  | { readonly kind: "unknown"; readonly because: Uncertainty };

export type Settlement =
  /** The money is the payee's, by this transaction, as deep in the chain as was asked for; `value` where it is remembered. */
  | { readonly kind: "settled"; readonly transaction: Hex; readonly value?: bigint }
  /** It is not, and nothing that was sent can move it any more. `transaction` is the one that failed, or that another made. */
  | { readonly kind: "failed"; readonly reason: string; readonly transaction?: Hex }
  | { readonly kind: "unknown"; readonly because: Uncertainty; readonly transaction?: Hex };

/** What a facilitator remembers of a settlement: `absent` when it never heard of it, or remembers nothing. */
export type Remembered = Settlement | { readonly kind: "absent" };

export type SettleStep = Step & {
  /** How deep in the chain the transfer is to be: 1 when its own block is enough. */
  readonly confirmations: number;
};

/** Verifies payments and brings them on the chain. None of its verbs throws for what a chain or a network says. */
export type Facilitator = {
  /** Its no is the last word: nothing that it has sent for the payment is under way. Somebody else's may only be tired of waiting. */
  readonly vouches: boolean;
  verify(payment: TransferPayment): Promise<Verification>;
  /** Asked again with the same key and amount it is the same settlement, and has the same answer. */
  settle(payment: TransferPayment, step: SettleStep): Promise<Settlement>;
  /** Reads and changes nothing. */
  remembered(payment: {
    readonly network: string;
    readonly asset: Hex;
    readonly from: Hex;
    readonly nonce: Hex;
    /** Whose it is: what another key has settled is not this payment. */
    readonly key: string;
  }): Promise<Remembered>;
};
