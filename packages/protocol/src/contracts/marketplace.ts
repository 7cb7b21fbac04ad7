import { z } from "zod";
import { agentTypes, Capability, deploymentEnvs } from "./agents.ts";
import { Cursor, idOf, Timestamp, text } from "./values.ts";

// Members in camel case, as the AgentIdP API has them.

const Document = z.looseObject({ id: z.string().max(512) });
const Card = z.looseObject({ name: z.string(), signatures: z.array(z.looseObject({})).min(1) });

/** What everybody may know of a public agent. */
const listed = {
  name: text(120),
  agentType: z.enum(agentTypes),
  version: z.string().max(64),
  capabilities: z.array(Capability).max(50),
  deploymentEnv: z.enum(deploymentEnvs),
  /** The company that publishes it; null where that is a person. */
  provider: text(120).nullable(),
  did: z.string().max(512),
  didDocument: Document,
  card: Card,
};

/** Rises with each change of what it is of: what is older than what is known changes nothing. */
const Revision = z.int().min(1);

/**
 * PUT /api/v1/listings, by the authorization server to the directory: how a publisher stands, and with it what one of its
 * agents may be listed with, or null when it may not be listed.
 */
export const ToldListing = z.strictObject({
  publisher: z.strictObject({
    tenant: idOf("tenant"),
    revision: Revision,
    standing: z.enum(["active", "suspended", "erased"]),
  }),
  agent: z
    .strictObject({ id: idOf("agent"), revision: Revision, listing: z.strictObject(listed).nullable() })
    .optional(),
});
export type ToldListing = z.infer<typeof ToldListing>;

export const MarketplaceAgent = z.strictObject({
  agentId: idOf("agent"),
  ...listed,
  publishedAt: Timestamp,
  updatedAt: Timestamp,
});
export type MarketplaceAgent = z.infer<typeof MarketplaceAgent>;

/** GET /api/v1/marketplace/agents. By `cursor`, or by `page` as the AgentIdP API has it; with a page comes the total. */
export const MarketplaceQuery = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: Cursor.optional(),
    page: z.coerce.number().int().min(1).max(1_000).optional(),
    /** Words; each begins a word of the name or of a capability. */
    text: text(120).optional(),
    agentType: z.enum(agentTypes).optional(),
    capability: Capability.optional(),
    deploymentEnv: z.enum(deploymentEnvs).optional(),
    /** Whether to count what else the list could be narrowed by. */
    facets: z.stringbool().default(false),
  })
  .refine(({ cursor, page }) => cursor === undefined || page === undefined, "names both cursor and page");
export type MarketplaceQuery = z.infer<typeof MarketplaceQuery>;

const Facet = z.array(z.object({ value: z.string(), count: z.int() }));

export const MarketplacePage = z.object({
  data: z.array(MarketplaceAgent),
  nextCursor: z.string().nullable(),
  limit: z.int(),
  page: z.int().optional(),
  total: z.int().optional(),
  facets: z.object({ agentType: Facet, deploymentEnv: Facet, capability: Facet }).optional(),
});

/** PUT /api/v1/marketplace/agents/{id}/moderation, by the operator of the installation. */
export const ModerateListing = z
  .strictObject({ hidden: z.boolean(), reason: text(500).optional() })
  .refine(
    ({ hidden, reason }) => hidden === (reason !== undefined),
    "gives a reason if and only if it hides",
  );

export const ListingModeration = z.object({
  agentId: idOf("agent"),
  hidden: z.boolean(),
  reason: z.string().nullable(),
  since: Timestamp.nullable(),
});
