import { z } from "zod";
import { Timestamp, text } from "./values.ts";

const Kid = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

/** One signing key, without anything secret. */
export const SigningKeyBody = z.object({
  kid: Kid,
  purpose: z.string(),
  alg: z.enum(["ES256", "EdDSA"]),
  /** Where its private half is. */
  engine: z.string(),
  state: z.enum(["next", "current", "retired", "removed"]),
  created_at: Timestamp,
  not_before: Timestamp,
  not_after: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
  reason: z.string().nullable(),
});

/** GET /api/v1/keys. */
export const SigningKeyList = z.object({ data: z.array(SigningKeyBody) });
export type SigningKeyList = z.infer<typeof SigningKeyList>;

/** POST /api/v1/keys/rotate; every purpose when none is named. */
export const RotateKeys = z.strictObject({ purpose: text(64).optional() });
export const RotatedKeys = z.object({
  data: z.array(z.object({ purpose: z.string(), kid: Kid, signs_from: Timestamp })),
});
export type RotatedKeys = z.infer<typeof RotatedKeys>;

/** POST /api/v1/keys/{kid}/revoke. The reason is published with a key whose signatures are evidence. */
export const RevokeKey = z.strictObject({ reason: text(200) });
export const RevokedKey = z.object({
  kid: Kid,
  purpose: z.string(),
  reason: z.string(),
  /** The key that signs in its place; null when it did not sign. */
  successor: Kid.nullable(),
  /** By when nobody accepts what it signed. */
  refused_everywhere_by: Timestamp,
});
export type RevokedKey = z.infer<typeof RevokedKey>;

export const KeyPath = z.strictObject({ kid: Kid });

/** GET /api/v1/keys/kek and POST /api/v1/keys/kek/rotate, at each service. */
export const KekRotationBody = z.object({
  current: z.string(),
  /** The key that is being rotated away; null when all is under the current one. */
  former: z.string().nullable(),
  remaining: z.int().min(0),
});
export type KekRotationBody = z.infer<typeof KekRotationBody>;
