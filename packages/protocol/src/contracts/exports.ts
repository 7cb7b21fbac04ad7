import { z } from "zod";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Timestamp, text } from "./values.ts";

export const ExportKind = z.enum(["ap2", "acp", "spt", "x402"]);
export type ExportKind = z.infer<typeof ExportKind>;

const limits = {
  /** At most so much: all that the mandate has left, unless told. */
  amount_minor: AmountMinor.optional(),
  /** At most when the mandate ends, which it is unless told. */
  expires_at: Timestamp.optional(),
};

/** POST /api/v1/mandates/{id}/exports: as much of a mandate as can be spent where nobody asks Remit. */
export const ExportMandate = z.discriminatedUnion("kind", [
  /** AP2's open payment mandate, for the open checkout mandate of that digest. */
  z.strictObject({ kind: z.literal("ap2"), ...limits, open_checkout_digest: Digest }),
  /** The allowance of ACP's delegate payment, for one checkout session. */
  z.strictObject({
    kind: z.literal("acp"),
    ...limits,
    merchant_id: text(256),
    checkout_session_id: text(256),
  }),
  /** The limits of a Shared Payment Token, for one seller. */
  z.strictObject({ kind: z.literal("spt"), ...limits, network_id: text(256) }),
  /** Advice to an x402 client, which no wallet is held to. */
  z.strictObject({ kind: z.literal("x402"), ...limits }),
]);
export type ExportMandate = z.infer<typeof ExportMandate>;

export const MandateExport = z.object({
  /** Null for advice, of which nothing is kept. */
  id: idOf("charge").nullable(),
  kind: ExportKind,
  /** `held` and `revoking` keep the whole limit; only its issuer's word frees what is left of it. */
  status: z.enum(["held", "revoking", "closed", "advisory"]),
  /** It gives no authority, and nothing is held for it. */
  advisory: z.boolean(),
  mandate_id: idOf("mandate"),
  currency: Currency,
  limit_minor: AmountMinor,
  used_minor: AmountOrZero,
  because: z.string().nullable(),
  created_at: Timestamp,
  expires_at: Timestamp,
  /**
   * Until when it may still be spent, revoked or not: its end where nobody can be told, the moment since which its issuer
   * refuses where one was. Null once closed, and for advice.
   */
  spendable_until: Timestamp.nullable().optional(),
  /** In the form of the other protocol. */
  document: z.record(z.string(), z.unknown()),
  /** The document signed, where the other protocol wants it so: in the answer to whoever exports. */
  credential: z.string().optional(),
});
export type MandateExport = z.infer<typeof MandateExport>;

/** POST /api/v1/issued-tokens/{token}/revoke at billing: for which export it was issued. */
export const RevokeToken = z.strictObject({ export: idOf("charge") });
export const RevokedToken = z.object({ revoked_at: Timestamp });

/** GET /api/v1/mandates/{id}/exports: newest first. */
export const MandateExportList = z.object({
  data: z.array(MandateExport),
  next_cursor: z.string().nullable(),
});
export type MandateExportList = z.infer<typeof MandateExportList>;

/**
 * POST /api/v1/exports/{id}/uses: what its issuer says was taken, by one use or in all under the token that it issued. Told
 * twice, it counts once.
 */
export const TellExportUse = z.union([
  z.strictObject({ reference: text(256), amount_minor: AmountMinor }),
  /** AP2: the open payment mandate and the closed one, joined by `~~`, and the same of the checkout that it pays. */
  z.strictObject({ payment_mandate: text(65_536), checkout_mandate: text(65_536) }),
  z.strictObject({ token: text(256), used_minor: AmountOrZero }),
]);
export type TellExportUse = z.infer<typeof TellExportUse>;

/** GET /api/v1/exports/{id}/uses: what was told, and what proves it. */
export const ExportUseList = z.object({
  data: z.array(
    z.object({
      /** Of whoever took the money; of a closed mandate, its digest as in AP2's receipts. */
      reference: z.string(),
      amount_minor: AmountMinor,
      told_at: Timestamp,
      proof: z
        .object({
          payee: z.string(),
          transaction_id: z.string(),
          closed_at: Timestamp,
          payment_mandate: z.string(),
          checkout_mandate: z.string(),
        })
        .nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
export type ExportUseList = z.infer<typeof ExportUseList>;

/** POST /api/v1/exports/{id}/close: its issuer confirms that nothing more will be taken, and how much was in all. */
export const CloseExport = z.strictObject({
  because: z.enum(["used", "expired", "revoked"]),
  used_minor: AmountOrZero,
  /** The token that was issued for it, where there is one. */
  token: text(256).optional(),
});
export type CloseExport = z.infer<typeof CloseExport>;
