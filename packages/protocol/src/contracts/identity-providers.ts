import { z } from "zod";
import { Cursor, HttpsUrl, idOf, Timestamp, text } from "./values.ts";

// Whose word a tenant takes for who its people are (OpenID Connect Core 1.0), and for which addresses.

const printable = (lengthMax: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^[\x21-\x7e]+$/, "is printable ASCII");

/** A domain as mail writes it: lower case, in ASCII (an international name as its `xn--` form), no subdomains implied. */
export const EmailDomain = z
  .string()
  .max(253)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/, "is no domain of mail")
  .meta({ examples: ["ada.example"] });

/** `*` is every domain that belongs to no tenant, and is for the operator's providers alone. */
const Domains = z.array(z.union([EmailDomain, z.literal("*")])).max(50);

/** How we authenticate at the provider: by a secret of its making, or by a key in our own JWKS. */
const ClientAuthentication = z.discriminatedUnion("method", [
  z.strictObject({
    method: z.enum(["client_secret_basic", "client_secret_post"]),
    client_secret: printable(512),
  }),
  z.strictObject({ method: z.literal("private_key_jwt") }),
]);

export const LinkPolicy = z.enum(["none", "verified_email"]);
export const JitPolicy = z.enum(["off", "domain", "approval"]);
const Scopes = z
  .array(printable(128))
  .max(20)
  .refine((scopes) => scopes.includes("openid"), "holds openid")
  .meta({ examples: [["openid", "email"]] });
const AcrValues = z.array(printable(512)).max(10);

/** POST /api/v1/identity-providers. */
export const CreateIdentityProvider = z.strictObject({
  name: text(60),
  issuer: HttpsUrl,
  client_id: printable(512),
  client_authentication: ClientAuthentication,
  scopes: Scopes.default(["openid", "email", "profile"]),
  email_domains: Domains.default([]),
  link_policy: LinkPolicy.default("none"),
  jit_policy: JitPolicy.default("off"),
  /** Values of the provider's `acr` that count as two factors. */
  aal2_acr_values: AcrValues.default([]),
});
export type CreateIdentityProvider = z.infer<typeof CreateIdentityProvider>;

/** PATCH /api/v1/identity-providers/{id}. Another issuer or client is another provider: its subjects are other people. */
export const ChangeIdentityProvider = z
  .strictObject({
    name: text(60).optional(),
    status: z.enum(["active", "suspended"]).optional(),
    client_authentication: ClientAuthentication.optional(),
    scopes: Scopes.optional(),
    email_domains: Domains.optional(),
    link_policy: LinkPolicy.optional(),
    jit_policy: JitPolicy.optional(),
    aal2_acr_values: AcrValues.optional(),
  })
  .refine((change) => Object.keys(change).length > 0, "names nothing to change");
export type ChangeIdentityProvider = z.infer<typeof ChangeIdentityProvider>;

/** The secret is never among it. */
export const IdentityProviderBody = z.object({
  id: idOf("provider"),
  name: z.string(),
  issuer: z.string(),
  client_id: z.string(),
  client_authentication: z.object({
    method: z.enum(["client_secret_basic", "client_secret_post", "private_key_jwt"]),
  }),
  /** To be registered at the provider, exactly. */
  redirect_uri: z.string(),
  scopes: z.array(z.string()),
  email_domains: z.array(z.string()),
  link_policy: LinkPolicy,
  jit_policy: JitPolicy,
  aal2_acr_values: z.array(z.string()),
  status: z.enum(["active", "suspended"]),
  created_at: Timestamp,
});
export type IdentityProviderBody = z.infer<typeof IdentityProviderBody>;

export const IdentityProviderPage = z.object({
  data: z.array(IdentityProviderBody),
  next_cursor: Cursor.nullable(),
});

/** Somebody whom the provider vouches for and who waits to be let in. */
export const AdmissionBody = z.object({
  id: idOf("admission"),
  provider_id: idOf("provider"),
  email: z.string(),
  name: z.string(),
  status: z.enum(["waiting", "admitted", "refused"]),
  asked_at: Timestamp,
});
export const AdmissionPage = z.object({ data: z.array(AdmissionBody), next_cursor: Cursor.nullable() });

/** POST /api/v1/admissions/{id}. */
export const DecideAdmission = z.strictObject({ decision: z.enum(["admit", "refuse"]) });

/** PUT /api/v1/email-domains/{domain}: the operator says whose it is, having seen that it is. */
export const AssignEmailDomain = z.strictObject({ organization_id: idOf("tenant") });
export const EmailDomainBody = z.object({
  domain: z.string(),
  organization_id: idOf("tenant"),
  assigned_at: Timestamp,
});
export const EmailDomainList = z.object({ data: z.array(EmailDomainBody) });
