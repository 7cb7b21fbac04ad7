import { z } from "zod";
import { exampleKeys, idOf, Timestamp, text } from "./values.ts";

// The AgentIdP API: in camel case, as its clients write.

const Jwk = z.looseObject({ kty: z.string() }).meta({ examples: [exampleKeys.assertion] });

/** POST /api/v1/agents/{id}/credentials: a secret that we make, or the public half of a key that the agent made. */
export const CreateCredential = z
  .strictObject({
    name: text(120).optional(),
    expiresAt: Timestamp.nullable().optional(),
    publicJwk: Jwk.optional(),
    /** `vault`: the secret is put into the installation's Vault, and the answer says where instead of showing it. */
    store: z.enum(["none", "vault"]).default("none"),
  })
  .meta({ examples: [{ name: "ci" }] });
export type CreateCredential = z.infer<typeof CreateCredential>;

const weekS = 7 * 24 * 60 * 60;

/** POST …/{credId}/rotate. What was there before counts for `overlapSeconds` more; not at all by default. */
export const RotateCredential = z
  .strictObject({
    overlapSeconds: z.int().min(0).max(weekS).default(0),
    expiresAt: Timestamp.nullable().optional(),
    publicJwk: Jwk.optional(),
  })
  .meta({ examples: [{ overlapSeconds: 3600 }] });
export type RotateCredential = z.infer<typeof RotateCredential>;

export const CredentialBody = z.object({
  credentialId: idOf("credential"),
  agentId: idOf("agent"),
  /** What the token endpoint calls the agent: its id. */
  clientId: idOf("agent"),
  kind: z.enum(["secret", "key"]),
  name: z.string().nullable(),
  status: z.enum(["active", "expired", "revoked"]),
  /** RFC 7638, of a key. */
  thumbprint: z.string().nullable(),
  createdAt: Timestamp,
  rotatedAt: Timestamp.nullable(),
  expiresAt: Timestamp.nullable(),
  revokedAt: Timestamp.nullable(),
  /** Within an hour or so. */
  lastUsedAt: Timestamp.nullable(),
  /** Where Vault keeps the secret, if it does. */
  vaultPath: z.string().nullable(),
});
export type CredentialBody = z.infer<typeof CredentialBody>;

/** With the secret, which is shown this once; one that Vault keeps is shown by Vault. */
export const IssuedCredential = CredentialBody.extend({ clientSecret: z.string().optional() });

/** As many as one agent ever had; only the live ones are limited. */
export const CredentialPage = z.object({
  data: z.array(CredentialBody),
  nextCursor: z.string().nullable(),
});
