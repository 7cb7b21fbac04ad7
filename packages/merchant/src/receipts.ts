import type { Instant } from "@remit/kernel";
import {
  type EvidenceKeySet,
  evidenceKeysPath,
  Problem,
  parseEvidenceKeys,
  type Receipt,
} from "@remit/protocol";
import { verifyReceipt as verifyWithKeys } from "@remit/protocol/web";
import { answerOf, type Fetch, send } from "./wire.ts";

/** All keys with which an issuer ever signed evidence, and when. Keep them with the receipts: they never change. */
export async function fetchIssuerKeys(issuer: string, fetchAny?: Fetch): Promise<EvidenceKeySet> {
  const response = await send(fetchAny ?? ((url, init) => fetch(url, init)), issuer + evidenceKeysPath, {
    headers: { accept: "application/json" },
  });
  const keys = parseEvidenceKeys(await answerOf(response));
  if (keys.issuer !== issuer)
    throw new Problem("receipt_invalid", { detail: "The keys are of another issuer." });
  return keys;
}

/** Verifies a receipt offline with the issuer's keys. Throws Problem `receipt_invalid`. */
export const verifyReceipt = (receipt: string, keys: EvidenceKeySet, now?: Instant): Promise<Receipt> =>
  verifyWithKeys(receipt, { ...keys, ...(now !== undefined && { now }) });
