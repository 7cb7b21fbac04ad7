import { z } from "zod";
import { HttpsUrl, idOf, Timestamp, text } from "./values.ts";

// Whose word a tenant takes for one of its agents (RFC 7523), and whom its clients may have identity assertions for.
// Every rule is exact: there is no wildcard and no pattern anywhere.

/** Printable ASCII without `*`, as issuers write names. */
const exact = (lengthMax: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(lengthMax)
    .regex(/^[\x21-\x29\x2b-\x7e]+(?: [\x21-\x29\x2b-\x7e]+)*$/, "is printable ASCII, and no wildcard");

const GithubId = z
  .string()
  .regex(/^[1-9][0-9]{0,19}$/, "is a number as text")
  .meta({ examples: ["1296269"] });

const Keys = z.union([
  z.strictObject({ jwks_uri: HttpsUrl }),
  z.strictObject({ jwks: z.strictObject({ keys: z.array(z.looseObject({})).min(1).max(20) }) }),
]);

const ClaimRule = z.strictObject({
  path: z.array(exact(128)).min(1).max(5),
  equals: z.union([exact(512), z.int(), z.boolean()]),
});
const Claims = z.array(ClaimRule).max(10).default([]);

const Github = z.strictObject({
  kind: z.literal("github"),
  /** What it was called when it was trusted: for people. The ids are what counts. */
  repository: exact(255).optional(),
  repository_id: GithubId,
  repository_owner_id: GithubId,
  ref: z
    .string()
    .max(255)
    .regex(/^refs\/(?:heads|tags)\/[^\s*?[\]\\^~:]+$/, "is a whole ref of a branch or a tag")
    .optional(),
  environment: exact(255).optional(),
});

const Federation = z.strictObject({
  kind: z.literal("federation"),
  issuer: HttpsUrl,
  keys: Keys,
  subject: exact(255),
  claims: Claims,
});

const IdJag = z.strictObject({
  kind: z.literal("id_jag"),
  issuer: HttpsUrl,
  keys: Keys,
  subject: exact(255).optional(),
});

const IdJagIssue = z.strictObject({
  kind: z.literal("id_jag_issue"),
  audience: HttpsUrl,
  client_id: exact(512),
  resources: z.array(HttpsUrl).max(10).default([]),
});

const spiffePath = z
  .string()
  .max(1024)
  .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/, "is the path of a SPIFFE ID");

const Spiffe = z.strictObject({
  kind: z.literal("spiffe"),
  trust_domain: z.string().regex(/^[a-z0-9._-]{1,255}$/),
  keys: Keys,
  path: spiffePath.optional(),
  path_prefix: spiffePath.optional(),
});

const Workload = z.strictObject({
  kind: z.literal("workload"),
  issuer: HttpsUrl,
  keys: Keys,
  subject: exact(512).optional(),
  claims: Claims,
  single_use: z.boolean().default(false),
});

export const TrustKindName = z.enum(["github", "federation", "id_jag", "id_jag_issue", "spiffe", "workload"]);

export const TrustRulesBody = z.discriminatedUnion("kind", [
  Github,
  Federation,
  IdJag,
  IdJagIssue,
  Spiffe,
  Workload,
]);
export type TrustRulesBody = z.infer<typeof TrustRulesBody>;

/** POST /api/v1/trusts. */
export const CreateTrust = z.strictObject({
  name: text(120),
  /** The agent that the workload is; with `id_jag_issue` the client that may ask. */
  client_id: z.union([idOf("agent"), idOf("client")]),
  scopes: z
    .array(exact(128))
    .min(1)
    .max(20)
    .meta({ examples: [["agents:read"]] }),
  bearer: z.boolean().default(false),
  expires_at: Timestamp.nullable().default(null),
  rules: TrustRulesBody,
});
export type CreateTrust = z.infer<typeof CreateTrust>;

/** PATCH /api/v1/trusts/{id}. Rules never change: another rule is another trust. */
export const ChangeTrust = z
  .strictObject({
    name: text(120).optional(),
    status: z.enum(["active", "suspended"]).optional(),
    expires_at: Timestamp.nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, "names nothing to change");
export type ChangeTrust = z.infer<typeof ChangeTrust>;

export const TrustBody = z.object({
  id: idOf("trust"),
  name: z.string(),
  client_id: z.string(),
  status: z.enum(["active", "suspended", "expired"]),
  scopes: z.array(z.string()),
  bearer: z.boolean(),
  rules: z.looseObject({ kind: TrustKindName }),
  created_at: Timestamp,
  expires_at: Timestamp.nullable(),
});
export type TrustBody = z.infer<typeof TrustBody>;

export const TrustPage = z.object({ data: z.array(TrustBody), next_cursor: z.string().nullable() });

/** PUT /api/v1/organization/bearer-tokens. */
export const BearerSwitch = z.strictObject({ allowed: z.boolean() });
