import { type Hex, uptoProxyAddress } from "@remit/protocol";
import { topics } from "./abi.ts";

/** An event of a transaction, as a chain's API gives it; hex in lower case. */
export type Log = { readonly address: Hex; readonly topics: readonly Hex[]; readonly data: Hex };

/** What a transaction did with one authorization. */
export type Use = "paid" | "misdirected" | "canceled" | "none";

export type WantedTransfer = PlainTransfer & {
  readonly nonce: Hex;
  readonly scheme: "exact" | "upto";
};

/** Money of one wallet to another, whatever moved it. */
export type PlainTransfer = {
  readonly asset: Hex;
  readonly from: Hex;
  readonly to: Hex;
  readonly value: bigint;
};

/**
 * Whether the money arrived. A used authorization alone proves nothing (its nonce may have been used for another payee),
 * nor does a transfer alone (it may be somebody else's): of this token, between this authorization and the ones beside
 * it, there must be the transfer of exactly this.
 */
export function useIn(logs: readonly Log[], wanted: WantedTransfer): Use {
  const ours = logs.filter((log) => log.address.toLowerCase() === wanted.asset);
  // Permit2 says nothing of a use. Its transactions are the facilitator's own, each with one payment in it.
  if (wanted.scheme === "upto") return ours.some((log) => isTransfer(log, wanted)) ? "paid" : "misdirected";
  const at = ours.findIndex((log) => isOf(log, topics.used, wanted));
  if (at === -1) return ours.some((log) => isOf(log, topics.canceled, wanted)) ? "canceled" : "none";
  const isUse = (log: Log): boolean => log.topics[0] === topics.used;
  const next = ours.findIndex((log, index) => index > at && isUse(log));
  const previous = ours.findLastIndex((log, index) => index < at && isUse(log));
  const after = ours.slice(at + 1, next === -1 ? ours.length : next);
  // Tokens that say first what moved and then why: only where nothing of an earlier authorization can be meant.
  const before = previous === -1 ? ours.slice(0, at) : [];
  return [...after, ...before].some((log) => isTransfer(log, wanted)) ? "paid" : "misdirected";
}

/**
 * Where in a transaction's logs exactly this was transferred. A transaction in which that wallet also paid by a signed
 * authorization tells nobody which transfer was the payment for something else: none of it counts, nor of one that went
 * through the proxy of `upto`, which says that it settled and not for whom.
 */
export function transfersIn(logs: readonly Log[], wanted: PlainTransfer): number[] {
  const isOurs = (log: Log): boolean => log.address.toLowerCase() === wanted.asset;
  const hasPaid = logs.some(
    (log) =>
      log.address.toLowerCase() === uptoProxyAddress ||
      (isOurs(log) && log.topics[0] === topics.used && log.topics[1] === addressTopic(wanted.from)),
  );
  if (hasPaid) return [];
  return logs.flatMap((log, at) => (isOurs(log) && isTransfer(log, wanted) ? [at] : []));
}

const isOf = (log: Log, topic: string, { from, nonce }: WantedTransfer): boolean =>
  log.topics[0] === topic && log.topics[1] === addressTopic(from) && log.topics[2] === nonce;

const isTransfer = (log: Log, { from, to, value }: PlainTransfer): boolean =>
  log.topics[0] === topics.transfer &&
  log.topics[1] === addressTopic(from) &&
  log.topics[2] === addressTopic(to) &&
  log.topics.length === 3 &&
  log.data !== "0x" &&
  BigInt(log.data) === value;

export const addressTopic = (address: Hex): Hex => `0x${address.slice(2).toLowerCase().padStart(64, "0")}`;
