import { z } from "zod";
import { idOf, Timestamp } from "./values.ts";

// What the agents of an organization use. Both names that the AgentIdP documents have for it stand side by side.

const Days = z.coerce.number().int().min(1).max(90).default(30);
const of = { tenantId: idOf("tenant"), organizationId: idOf("tenant"), timeZone: z.string() };

/** GET /api/v1/analytics/tokens, …/token-trend. */
export const TrendQuery = z.strictObject({ days: Days });
export const TokenTrend = z.object({
  ...of,
  days: z.int(),
  /** Each day, also those without any. */
  data: z.array(z.object({ date: z.string(), count: z.int() })),
});

/** GET /api/v1/analytics/agents/activity, …/agent-activity. */
export const ActivityQuery = z.strictObject({ days: Days });
export const AgentActivity = z.object({
  ...of,
  days: z.int(),
  data: z.array(z.object({ dayOfWeek: z.int(), hour: z.int(), count: z.int() })),
});

/** GET /api/v1/analytics/agents, …/usage-summary. */
export const SummaryQuery = z.strictObject({
  month: z
    .string()
    .regex(/^(19[7-9]\d|[2-9]\d{3})-(0[1-9]|1[0-2])$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export const AgentSummary = z.object({
  ...of,
  month: z.string(),
  data: z.array(
    z.object({
      agentId: idOf("agent"),
      name: z.string(),
      status: z.string(),
      tokens: z.int(),
      lastActiveAt: Timestamp,
    }),
  ),
});

/** GET and PUT /api/v1/analytics/time-zone: a name of the IANA time zone database. */
export const TimeZone = z.strictObject({
  timeZone: z
    .string()
    .max(64)
    .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/),
});
