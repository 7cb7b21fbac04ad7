import { z } from "zod";
import { Cursor, exampleKeys, idOf, Timestamp, text } from "./values.ts";

// The AgentIdP API: its clients write members in camel case, and so do these contracts.

export const agentTypes = [
  "screener",
  "classifier",
  "orchestrator",
  "extractor",
  "summarizer",
  "router",
  "monitor",
  "custom",
] as const;
export type AgentType = (typeof agentTypes)[number];

export const deploymentEnvs = ["development", "staging", "production"] as const;
export type DeploymentEnv = (typeof deploymentEnvs)[number];

export const agentStatuses = ["active", "suspended", "decommissioned"] as const;

/** What an agent calls itself; not an address that letters go to. Kept in lower case. */
const AgentEmail = z
  .string()
  .max(254)
  .regex(
    /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    "is an e-mail address",
  )
  .toLowerCase()
  .meta({ examples: ["screener@agents.example"] });

/** Semantic Versioning 2.0.0 §2, §9, §10. */
const Version = z
  .string()
  .max(64)
  .regex(
    /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/,
    "is a semantic version",
  )
  .meta({ examples: ["1.4.0"] });

/** `resource:action`. */
export const Capability = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9_.-]*:(?:[a-z0-9][a-z0-9_.-]*|\*)$/, "is resource:action")
  .meta({ examples: ["resume:read"] });

const capabilitiesMax = 50;
const Capabilities = z
  .array(Capability)
  .min(1)
  .max(capabilitiesMax)
  .refine((all) => new Set(all).size === all.length, "names one twice");

const Jwk = z.looseObject({ kty: z.string() });
/** What the agent may do by tokens of its own; beyond paying, at most what whoever gives it may do. */
const Scopes = z
  .array(text(64))
  .max(10)
  .meta({ examples: [["oid4ac:payment"]] });

const about = {
  name: text(120),
  email: AgentEmail,
  agentType: z.enum(agentTypes),
  version: Version,
  capabilities: Capabilities,
  owner: text(128),
  deploymentEnv: z.enum(deploymentEnvs),
  isPublic: z.boolean(),
  scopes: Scopes,
};

/** POST /api/v1/agents. Keys are public JWKs; who has an assertion key has a DPoP key too. */
export const CreateAgent = z.strictObject({
  ...about,
  name: about.name.optional(),
  isPublic: about.isPublic.default(false),
  scopes: about.scopes.default(["oid4ac:payment"]),
  assertionJwk: Jwk.meta({ examples: [exampleKeys.assertion] }).optional(),
  dpopJwk: Jwk.meta({ examples: [exampleKeys.dpop] }).optional(),
});
export type CreateAgent = z.infer<typeof CreateAgent>;

/** PATCH /api/v1/agents/{id}. */
export const ChangeAgent = z
  .strictObject({ ...about, status: z.enum(agentStatuses) })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "names nothing to change")
  .meta({ examples: [{ owner: "talent-team" }] });
export type ChangeAgent = z.infer<typeof ChangeAgent>;

/** PUT /api/v1/agents/{id}/keys. */
export const ReplaceAgentKeys = z
  .strictObject({ assertionJwk: Jwk.optional(), dpopJwk: Jwk.optional() })
  .refine((keys) => Object.keys(keys).length > 0, "names no key")
  .meta({ examples: [{ dpopJwk: exampleKeys.dpop }] });

export const AgentBody = z.object({
  agentId: idOf("agent"),
  organizationId: idOf("tenant"),
  name: z.string(),
  /** null for an agent that registered itself and was given none. */
  email: z.string().nullable(),
  agentType: z.enum(agentTypes),
  version: z.string(),
  capabilities: z.array(z.string()),
  owner: z.string().nullable(),
  deploymentEnv: z.enum(deploymentEnvs),
  status: z.enum(agentStatuses),
  isPublic: z.boolean(),
  scopes: z.array(z.string()),
  did: z.string(),
  /** RFC 7638 thumbprints of its two keys. */
  assertionThumbprint: z.string().nullable(),
  dpopThumbprint: z.string().nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type AgentBody = z.infer<typeof AgentBody>;

/** GET /api/v1/agents. By `cursor`, or by `page` as the AgentIdP API has it; with a page comes the total. */
export const AgentQuery = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: Cursor.optional(),
    page: z.coerce.number().int().min(1).max(1_000).optional(),
    owner: text(128).optional(),
    agentType: z.enum(agentTypes).optional(),
    status: z.enum(agentStatuses).optional(),
    deploymentEnv: z.enum(deploymentEnvs).optional(),
    capability: Capability.optional(),
    /** The beginning of a name or of an e-mail address. */
    text: text(120).optional(),
  })
  .refine(({ cursor, page }) => cursor === undefined || page === undefined, "names both cursor and page");

export const AgentPage = z.object({
  data: z.array(AgentBody),
  nextCursor: z.string().nullable(),
  limit: z.int(),
  page: z.int().optional(),
  total: z.int().optional(),
});

/** One row of POST /api/v1/agents/import: what became of it. */
export const ImportedRow = z.object({
  row: z.int().min(1),
  status: z.enum(["created", "existing", "refused"]),
  agentId: idOf("agent").optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
});
export const ImportedAgents = z.object({
  created: z.int(),
  existing: z.int(),
  refused: z.int(),
  rows: z.array(ImportedRow),
});
