import type { Instant } from "@remit/kernel";
import { type Hex, uptoProxyAddress } from "@remit/protocol";
import { type Remembered, reasons, type Settlement, schemeOf, type TransferPayment } from "@remit/rails/x402";

/** What makes an authorization one authorization (EIP-3009: a nonce is the payer's and the token's). */
export type SettlementId = {
  readonly network: string;
  readonly asset: Hex;
  readonly from: Hex;
  readonly nonce: Hex;
};

/** An authorization that is brought on its chain: written before a byte is sent. */
export type SettlementRow = SettlementId & {
  readonly scheme: "exact" | "upto";
  readonly owner: string | undefined;
  readonly told: boolean;
  readonly to: Hex;
  readonly value: bigint;
  readonly validBefore: bigint;
  readonly call: Hex;
  readonly gas: bigint;
  readonly confirmations: number;
  readonly signer: Hex;
  readonly txNonce: number;
  readonly state: "sent" | "settled" | "failed";
  readonly reason: string | undefined;
  readonly transaction: Hex | undefined;
  readonly createdAt: Instant;
};

/** A transaction that was signed for it. */
export type Attempt = {
  readonly transaction: Hex;
  readonly txNonce: number;
  readonly raw: Hex;
  readonly maxFee: bigint;
  readonly tip: bigint;
  readonly createdAt: Instant;
};

export type Decided =
  | { readonly state: "settled"; readonly transaction: Hex; readonly block: bigint }
  | { readonly state: "failed"; readonly reason: string; readonly transaction?: Hex };

/** What became of it, for whoever it belongs to. */
export function settlementOf(row: SettlementRow): Settlement {
  const transaction = row.transaction === undefined ? {} : { transaction: row.transaction };
  if (row.state === "sent") return { kind: "unknown", because: "busy", ...transaction };
  if (row.state === "failed")
    return { kind: "failed", reason: row.reason ?? reasons.transaction, ...transaction };
  return row.transaction === undefined
    ? { kind: "unknown", because: "unexpected" }
    : { kind: "settled", transaction: row.transaction, value: row.value };
}

/** Whom its transaction calls. */
export const calledBy = ({ scheme, asset }: Pick<SettlementRow, "scheme" | "asset">): Hex =>
  scheme === "upto" ? uptoProxyAddress : asset;

/**
 * Whether it settles what is asked for. A payer may sign a nonce twice, once for little to a friend: what became of the one
 * says nothing of the other.
 */
export const isOf = (row: SettlementRow, payment: TransferPayment): boolean =>
  row.scheme === schemeOf(payment) && row.to === payment.payTo && row.value === payment.value;

/** For somebody else: it pays for one thing, and not for theirs. */
export const duplicateOf = ({ transaction }: SettlementRow): Settlement => ({
  kind: "failed",
  reason: reasons.duplicate,
  ...(transaction !== undefined && { transaction }),
});

/**
 * Whether it is the asker's to hear of. One without a key has only the payload, which whoever sees it can send as well:
 * a yes that was given is never given again, or one payment would buy as much as it is shown for.
 */
export const isFor = (row: SettlementRow, owner: string | undefined): boolean =>
  row.owner === owner && (owner !== undefined || !row.told);

/** What another has settled is not the asker's, however often the chain says that it was paid. */
export function rememberedOf(row: SettlementRow | undefined, owner: string): Remembered {
  if (row === undefined) return { kind: "absent" };
  return row.owner === owner ? settlementOf(row) : duplicateOf(row);
}

/** What a replacement pays: nodes take one that offers at least a tenth more of both. */
export const raised = (fee: bigint): bigint => (fee * 125n) / 100n + 1n;
