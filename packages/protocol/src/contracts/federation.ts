import { z } from "zod";
import { HttpsUrl, idOf, Timestamp, text } from "./values.ts";

// The AgentIdP API: in camel case, as its clients write, but for members that it documents otherwise.

const Organizations = z
  .array(text(255))
  .min(1)
  .max(100)
  .meta({ examples: [["org_7"]] });

/** POST /api/v1/federation/trust. The seeds spell `jwks_uri` both ways. */
export const CreatePartner = z
  .strictObject({
    name: text(120),
    issuer: HttpsUrl,
    jwks_uri: HttpsUrl.optional(),
    jwksUri: HttpsUrl.optional(),
    /** Which `organization_id` of the partner's tokens count; all of them unless told. */
    allowed_organizations: Organizations.nullable().default(null),
    expires_at: Timestamp.nullable().default(null),
  })
  .refine(
    (partner) => (partner.jwks_uri === undefined) !== (partner.jwksUri === undefined),
    "needs jwks_uri, spelled in one way",
  )
  .meta({
    examples: [
      { name: "Acme", issuer: "https://idp.example", jwks_uri: "https://idp.example/.well-known/jwks.json" },
    ],
  });
export type CreatePartner = z.infer<typeof CreatePartner>;

/** PATCH /api/v1/federation/partners/{id}. Another issuer or other keys are another partner. */
export const ChangePartner = z
  .strictObject({
    name: text(120).optional(),
    status: z.enum(["active", "suspended"]).optional(),
    allowed_organizations: Organizations.nullable().optional(),
    expires_at: Timestamp.nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, "names nothing to change")
  .meta({ examples: [{ name: "Acme" }] });
export type ChangePartner = z.infer<typeof ChangePartner>;

export const PartnerBody = z.object({
  id: idOf("partner"),
  name: z.string(),
  issuer: z.string(),
  jwks_uri: z.string(),
  allowed_organizations: z.array(z.string()).nullable(),
  status: z.enum(["active", "suspended", "expired"]),
  created_at: Timestamp,
  expires_at: Timestamp.nullable(),
});
export type PartnerBody = z.infer<typeof PartnerBody>;

export const PartnerPage = z.object({ data: z.array(PartnerBody), next_cursor: z.string().nullable() });

/** POST /api/v1/federation/verify. */
export const VerifyFederated = z.strictObject({ token: z.string().max(16_384) });

export const FederationFault = z.enum([
  "unknown_issuer",
  "partner_suspended",
  "partner_expired",
  "organization_not_allowed",
  "token_invalid",
]);
export type FederationFault = z.infer<typeof FederationFault>;

/** Who somebody is at a partner, as its token says. It is no permission to do anything here. */
export const FederatedIdentity = z.object({
  valid: z.boolean(),
  reason: FederationFault.nullable(),
  /** The reason, for people. */
  detail: z.string().nullable(),
  partnerId: idOf("partner").nullable(),
  issuer: z.string().nullable(),
  subject: z.string().nullable(),
  organizationId: z.string().nullable(),
  expiresAt: Timestamp.nullable(),
});
export type FederatedIdentity = z.infer<typeof FederatedIdentity>;

const Segment = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,98})$/;
const Repository = z
  .string()
  .max(201)
  .refine((name) => {
    const [owner = "", repo = "", ...more] = name.split("/");
    return more.length === 0 && Segment.test(owner) && /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/.test(repo);
  }, "is owner/name");
const GithubId = z.string().regex(/^[1-9][0-9]{0,19}$/, "is a number as text");
/** As it is written in a workflow: `main`, not `refs/heads/main`. */
const Branch = z
  .string()
  .max(244)
  .regex(/^(?!refs\/)[^\s*?[\]\\^~:]+$/, "is the exact name of a branch");
const Environment = z
  .string()
  .max(255)
  .regex(/^[\x21-\x29\x2b-\x7e]+(?: [\x21-\x29\x2b-\x7e]+)*$/, "is printable ASCII, and no wildcard");

/** DELETE …/trust-policies/{id}: what becomes of the agents that it let a workflow register. */
export const RemoveTrustPolicy = z.strictObject({ agents: z.enum(["suspend", "keep"]).default("suspend") });

/**
 * POST /api/v1/oidc/trust-policies. Names change hands, so the ids are what counts: they are looked up at GitHub unless
 * told. Without an agent it is a policy for workflows that register one.
 */
export const CreateTrustPolicy = z
  .strictObject({
    provider: z.literal("github"),
    repository: Repository,
    repositoryId: GithubId.optional(),
    repositoryOwnerId: GithubId.optional(),
    branch: Branch.optional(),
    environment: Environment.optional(),
    agentId: idOf("agent").optional(),
    /** What tokens may carry at most: of the agent, or of those that the workflow registers. */
    scopes: z.array(z.string().min(1).max(128)).min(1).max(20).optional(),
  })
  .refine(
    ({ repositoryId, repositoryOwnerId }) =>
      (repositoryId === undefined) === (repositoryOwnerId === undefined),
    "needs both ids of the repository or none",
  )
  .refine(
    ({ branch, environment }) => branch !== undefined || environment !== undefined,
    // A13: whoever may push any branch would be the agent.
    "needs a branch, an environment or both",
  )
  .meta({
    examples: [
      {
        provider: "github",
        repository: "octo-org/octo-repo",
        repositoryId: "1296269",
        repositoryOwnerId: "583231",
        branch: "main",
      },
    ],
  });
export type CreateTrustPolicy = z.infer<typeof CreateTrustPolicy>;

export const TrustPolicyBody = z.object({
  id: idOf("trust"),
  provider: z.literal("github"),
  repository: z.string().nullable(),
  repositoryId: z.string(),
  repositoryOwnerId: z.string(),
  branch: z.string().nullable(),
  environment: z.string().nullable(),
  /** Null: workflows register an agent by it. */
  agentId: idOf("agent").nullable(),
  scopes: z.array(z.string()),
  status: z.enum(["active", "suspended", "expired"]),
  createdAt: Timestamp,
});
export type TrustPolicyBody = z.infer<typeof TrustPolicyBody>;

export const TrustPolicyPage = z.object({
  data: z.array(TrustPolicyBody),
  nextCursor: z.string().nullable(),
});

/**
 * POST /api/v1/oidc/token. With `agentId` a token of that agent; without it one that registers agents in the organization,
 * which is named because anybody's organization may have a policy for anybody's repository.
 */
export const ExchangeWorkflowToken = z
  .strictObject({
    token: z.string().min(1).max(16_384),
    agentId: idOf("agent").optional(),
    organizationId: idOf("tenant").optional(),
    scope: z.string().max(1024).optional(),
  })
  .refine(
    ({ agentId, organizationId }) => (agentId === undefined) !== (organizationId === undefined),
    "needs agentId, or organizationId to register an agent there",
  )
  .meta({ examples: [{ token: "eyJ…", agentId: "agt_01k0000000e8r8000000000000" }] });
export type ExchangeWorkflowToken = z.infer<typeof ExchangeWorkflowToken>;

export const WorkflowToken = z.object({
  access_token: z.string(),
  token_type: z.literal("Bearer"),
  expires_in: z.int(),
  expires_at: Timestamp,
  scope: z.string(),
});
export type WorkflowToken = z.infer<typeof WorkflowToken>;
