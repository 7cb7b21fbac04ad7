import { z } from "zod";
import { Cursor, idOf, Timestamp } from "./values.ts";

// The AgentIdP API: in camel case, as its clients write.

const Evidence = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

export const ComplianceControl = z.object({
  /** As SOC 2 numbers it. */
  id: z.string(),
  name: z.string(),
  status: z.enum(["passing", "failing", "unknown"]),
  evidence: Evidence,
  checkedAt: Timestamp,
});
export type ComplianceControl = z.infer<typeof ComplianceControl>;
export const ComplianceControls = z.object({ controls: z.array(ComplianceControl) });

const Compliant = z.enum(["compliant", "non-compliant"]);

/** GET /api/v1/compliance/report. */
export const ComplianceReport = z.object({
  reportId: z.string(),
  generatedAt: Timestamp,
  agntcySpecVersion: z.literal("1.0.0"),
  tenantId: idOf("tenant"),
  overallStatus: Compliant,
  sections: z.array(
    z.object({
      name: z.string(),
      status: Compliant,
      requirements: z.array(
        z.object({ id: z.string(), description: z.string(), status: Compliant, evidence: Evidence }),
      ),
    }),
  ),
});
export type ComplianceReport = z.infer<typeof ComplianceReport>;

export const ComplianceQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
  cursor: Cursor.optional(),
});
export const ComplianceAgentCards = z.array(
  z.object({
    did: z.string(),
    /** The agent's e-mail address, or its name where it has none. */
    name: z.string(),
    agentType: z.string(),
    capabilities: z.array(z.string()),
    owner: z.string().nullable(),
    version: z.string(),
    deploymentEnv: z.string(),
    identityProvider: z.string(),
    issuedAt: Timestamp,
  }),
);

export const ReviewQuery = ComplianceQuery.extend({ format: z.enum(["json", "csv"]).default("json") });

/** Who and what has access to the organization. */
export const AccessReview = z.object({
  data: z.array(
    z.object({
      kind: z.enum(["member", "client", "agent", "credential"]),
      id: z.string(),
      /** Of a credential: its agent. */
      of: z.string().nullable(),
      role: z.string().nullable(),
      scopes: z.array(z.string()),
      status: z.string(),
      createdAt: Timestamp,
      expiresAt: Timestamp.nullable(),
      /** Of a credential, to the minute. */
      lastUsedAt: Timestamp.nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});
