import { fromNumericDate, type Id, type Instant, invariant } from "@remit/kernel";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import type { TenantTx } from "@remit/platform/sql";
import { isJsonObject, Problem } from "@remit/protocol";
import type { TellExportUse } from "@remit/protocol/contracts";
import { verifyClosedPayment } from "@remit/protocol/node";
import * as rows from "./exports.sql.ts";
import type { Export } from "./exports.ts";

/** A use that a closed mandate proves. */
export type Proven = {
  readonly reference: string;
  readonly transaction: string;
  /** Where it has one, the merchant's website. */
  readonly payee: string;
  readonly minor: bigint;
  readonly closedAt: Instant;
};

type Chains = Extract<TellExportUse, { payment_mandate: string }>;
type Sealing = { readonly keyring: Pick<Keyring, "seal" | "open"> };

/** What the closed mandate says, verified against the open one that this export is. Throws `export_mandate_…`. */
export function proofOf(
  { keys }: { readonly keys: Pick<SigningKeys, "jwks"> },
  found: Export,
  { use, now }: { readonly use: Chains; readonly now: Instant },
): Proven {
  if (found.kind !== "ap2")
    throw new Problem("export_mandate_invalid", { detail: "The export is none for AP2." });
  const paid = verifyClosedPayment({
    paymentMandate: use.payment_mandate,
    checkoutMandate: use.checkout_mandate,
    issued: found.document,
    issuerKeys: keys.jwks(["mandate"]).keys,
    now,
  });
  const { reference, transaction, payee, amountMinor, iat } = paid;
  const website = payee.website ?? payee.id;
  return {
    reference,
    transaction,
    payee: website,
    minor: BigInt(amountMinor),
    closedAt: fromNumericDate(iat),
  };
}

// Kept as long as the mandate of which it is evidence.
const scopeOf = (tx: TenantTx): string => `mandates:${tx.tenant}`;
const aadOf = (reference: string): string => `export_mandates.${reference}`;

export async function keepProof(
  { keyring }: Sealing,
  tx: TenantTx,
  {
    export: of,
    proven,
    use,
  }: { readonly export: Id<"charge">; readonly proven: Proven; readonly use: Chains },
): Promise<void> {
  const plaintext = new TextEncoder().encode(JSON.stringify(use));
  const sealed = await keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(proven.reference) });
  // Told in the same moment of two exports, or for one checkout twice.
  if (!(await rows.insertProof(tx, { export: of, ...proven, sealed })))
    throw new Problem("export_mandate_used");
}

/** Both chains as they were told; undefined once the tenant's key is destroyed. */
export async function openProof(
  { keyring }: Sealing,
  tx: TenantTx,
  { reference, sealed }: { readonly reference: string; readonly sealed: Uint8Array },
): Promise<Chains | undefined> {
  const opened = await keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(reference) });
  if (opened === undefined) return undefined;
  const value: unknown = JSON.parse(new TextDecoder().decode(opened));
  invariant(isJsonObject(value), "what was sealed is an object");
  const { payment_mandate: payment, checkout_mandate: checkout } = value;
  invariant(typeof payment === "string" && typeof checkout === "string", "what was sealed is whole");
  return { payment_mandate: payment, checkout_mandate: checkout };
}
