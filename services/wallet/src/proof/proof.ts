import { fromNumericDate, instantOf } from "@remit/kernel";
import {
  evidenceKeyAt,
  leafDigestOf,
  Problem,
  parseEvidenceKeys,
  parseJson,
  parseJws,
  type Receipt,
  receiptTyp,
} from "@remit/protocol";
import { sha256, verifyReceipt } from "@remit/protocol/web";

export const proofSteps = ["read", "leaf", "key", "signature", "charge"] as const;
export type ProofStep = (typeof proofSteps)[number];

/** What became of each step; `evidence` is what was computed, for whoever wants to compare. */
export type ProofOutcome = { readonly step: ProofStep; readonly holds: boolean; readonly evidence: string };

type Claimed = {
  readonly receipt: string;
  readonly issuer: string;
  /** The purchase that the page shows. */
  readonly charge: {
    readonly id: string;
    readonly amountMinor: number;
    readonly currency: string;
    readonly origin: string;
  };
  readonly nowMs: number;
};

/**
 * Checks a receipt as anybody could without Remit: nothing here is taken from the page but the receipt itself and the
 * issuer's published keys. Stops at the first step that does not hold.
 */
export async function* checkReceipt(
  { receipt, issuer, charge, nowMs }: Claimed,
  keysDocument: Uint8Array,
): AsyncGenerator<ProofOutcome> {
  const parsed = attempt(() =>
    parseJws(receipt, { typ: [receiptTyp], algs: ["ES256", "EdDSA"], refuse: "receipt_invalid" }),
  );
  if (parsed === undefined) return void (yield { step: "read", holds: false, evidence: "" });
  yield {
    step: "read",
    holds: true,
    evidence: `${parsed.header.typ}, ${parsed.header.alg}, kid ${parsed.header.kid ?? "–"}`,
  };

  const leaf = leafDigestOf(sha256, parsed.payload);
  const sameLeaf = leaf === parsed.payload["leaf_digest"];
  yield { step: "leaf", holds: sameLeaf, evidence: leaf };
  if (!sameLeaf) return;

  const published = attempt(() => parseEvidenceKeys(parseJson(keysDocument)));
  const issuedS = Number(parsed.payload["iat"]);
  const key =
    published === undefined || published.issuer !== issuer || !Number.isSafeInteger(issuedS)
      ? undefined
      : attempt(() =>
          evidenceKeyAt(
            { keys: published.keys, purpose: "receipt" },
            parsed.header,
            fromNumericDate(issuedS),
          ),
        );
  yield { step: "key", holds: key !== undefined, evidence: key?.kid ?? "" };
  if (published === undefined || key === undefined) return;

  const expected = { issuer, keys: published.keys, now: instantOf(nowMs) };
  const proven = await verifyReceipt(receipt, expected).catch((error: unknown) => {
    if (error instanceof Problem) return undefined;
    throw error;
  });
  yield {
    step: "signature",
    holds: proven !== undefined,
    evidence: receipt.slice(receipt.lastIndexOf(".") + 1),
  };
  if (proven === undefined) return;
  yield {
    step: "charge",
    holds: isAbout(proven, charge),
    evidence: `${proven.charge} · ${proven.amount_minor} ${proven.currency} · ${proven.merchant.origin}`,
  };
}

const isAbout = (receipt: Receipt, { id, amountMinor, currency, origin }: Claimed["charge"]): boolean =>
  receipt.charge === id &&
  receipt.amount_minor === amountMinor &&
  receipt.currency === currency &&
  receipt.merchant.origin === origin;

/** Undefined where the protocol refuses. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
