import { z } from "zod";
import { Currency, Cursor, HttpsUrl, idOf, Origin, PageLength, Rail, Timestamp, text } from "./values.ts";

const Country = z.string().regex(/^[A-Z]{2}$/);
const Category = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);

/** A public key as merchants publish it; private members are refused. */
export const PublicJwkBody = z
  .looseObject({
    kty: z.enum(["EC", "OKP"]),
    crv: z.enum(["P-256", "Ed25519"]),
    x: z.string().max(128),
    y: z.string().max(128).optional(),
    kid: z.string().max(256).optional(),
    alg: z.string().max(32).optional(),
    use: z.string().max(16).optional(),
  })
  .refine((jwk) => !Object.hasOwn(jwk, "d"), "a private key");

export const JwksBody = z.object({ keys: z.array(PublicJwkBody).max(32) });
export type JwksBody = z.infer<typeof JwksBody>;

/** Where a merchant's keys stand on its origin. */
export const merchantJwksPath = "/.well-known/jwks.json";

/** Where an origin says which merchants of the directory may speak for it. */
export const merchantProofPath = "/.well-known/oid4ac-merchant";

export const MerchantProof = z.strictObject({
  merchants: z
    .array(z.strictObject({ id: idOf("merchant"), client_id: z.string().min(1).max(255) }))
    .min(1)
    .max(32),
});
export type MerchantProof = z.infer<typeof MerchantProof>;

/** POST /api/v1/merchants. `client_id` is the calling client; `jwks_uri` is `merchantJwksPath` at the origin. */
export const RegisterMerchant = z.strictObject({
  display_name: text(120),
  origin: Origin,
  client_id: z.string().min(1).max(255),
  jwks_uri: HttpsUrl,
  catalogue_uri: HttpsUrl.optional(),
  country: Country,
  currencies: z.array(Currency).min(1).max(200),
  categories: z.array(Category).max(50),
  rails: z.array(Rail).min(1),
});
export type RegisterMerchant = z.infer<typeof RegisterMerchant>;

/** POST /api/v1/merchants/{id}/keys: RFC 7638 thumbprints (SHA-256) of all the keys that the origin serves now. */
export const ConfirmMerchantKeys = z.strictObject({
  thumbprints: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{43}$/))
    .min(1)
    .max(32),
});
export type ConfirmMerchantKeys = z.infer<typeof ConfirmMerchantKeys>;

export const MerchantBody = z.object({
  id: idOf("merchant"),
  tenant_id: idOf("tenant"),
  display_name: z.string(),
  origin: Origin,
  client_id: z.string(),
  jwks_uri: HttpsUrl,
  jwks: JwksBody,
  catalogue_uri: HttpsUrl.nullable(),
  country: Country,
  currencies: z.array(Currency),
  categories: z.array(Category),
  rails: z.array(Rail),
  verification_status: z.enum(["provisional", "verified"]),
  verified_at: Timestamp.nullable(),
  updated_at: Timestamp,
});
export type MerchantBody = z.infer<typeof MerchantBody>;

/** GET /api/v1/merchants. */
export const MerchantQuery = z.strictObject({
  client_id: z.string().max(255).optional(),
  origin: Origin.optional(),
  country: Country.optional(),
  currency: Currency.optional(),
  rail: Rail.optional(),
  category: Category.optional(),
  cursor: Cursor.optional(),
});
export type MerchantQuery = z.infer<typeof MerchantQuery>;

/** GET /api/v1/organization/merchants. */
export const OwnMerchantQuery = z.strictObject({ limit: PageLength, cursor: idOf("merchant").optional() });
export const OwnMerchantList = z.object({
  data: z.array(MerchantBody),
  next_cursor: idOf("merchant").nullable(),
});

export const MerchantList = z.object({ data: z.array(MerchantBody), next_cursor: z.string().nullable() });
export type MerchantList = z.infer<typeof MerchantList>;
