/** What an organization pays for, and so how much its agents may do. */
export const planTiers = ["free", "pro", "enterprise"] as const;
export type PlanTier = (typeof planTiers)[number];

/** How much of each a plan allows; null is any number. Days and months are UTC's, minutes the clock's. */
export type PlanLimits = {
  /** That are not decommissioned. */
  readonly maxAgents: number | null;
  /** Calls of the management API. */
  readonly maxCallsPerDay: number | null;
  /** Access tokens that clients get in their own name. */
  readonly maxTokensPerDay: number | null;
  readonly maxTokensPerMonth: number | null;
  /** Calls and token requests together. */
  readonly maxRequestsPerMinute: number | null;
};

/** The one schedule (decision 0034): both tables of the AgentIdP documents, whose dimensions are all kept. */
// biome-ignore format: a schedule reads best as a table
export const planSchedule: Readonly<Record<PlanTier, PlanLimits>> = {
  free: { maxAgents: 10, maxCallsPerDay: 1_000, maxTokensPerDay: 1_000, maxTokensPerMonth: 10_000, maxRequestsPerMinute: 100 },
  pro: { maxAgents: 100, maxCallsPerDay: 50_000, maxTokensPerDay: 50_000, maxTokensPerMonth: 100_000, maxRequestsPerMinute: 1_000 },
  enterprise: { maxAgents: null, maxCallsPerDay: null, maxTokensPerDay: null, maxTokensPerMonth: null, maxRequestsPerMinute: null },
};

/** What billing tells of an organization's plan, each time with a greater version: whoever has a later one passes it over. */
export type PlanSnapshot = {
  readonly tier: PlanTier;
  readonly version: number;
  readonly limits: PlanLimits;
};

/** The payload of `plan.changed`. */
export const planPayload = ({ tier, version, limits }: PlanSnapshot) => ({
  tier,
  version,
  max_agents: limits.maxAgents,
  max_calls_per_day: limits.maxCallsPerDay,
  max_tokens_per_day: limits.maxTokensPerDay,
  max_tokens_per_month: limits.maxTokensPerMonth,
  max_requests_per_minute: limits.maxRequestsPerMinute,
});

const members = {
  max_agents: "maxAgents",
  max_calls_per_day: "maxCallsPerDay",
  max_tokens_per_day: "maxTokensPerDay",
  max_tokens_per_month: "maxTokensPerMonth",
  max_requests_per_minute: "maxRequestsPerMinute",
} as const satisfies Readonly<Record<string, keyof PlanLimits>>;

/** The snapshot in the payload of a `plan.changed`; undefined when it is none. */
export function readPlanPayload(payload: Readonly<Record<string, unknown>>): PlanSnapshot | undefined {
  const { tier: named, version } = payload;
  const tier = planTiers.find((one) => one === named);
  if (tier === undefined || !isCount(version)) return undefined;
  const limits: { -readonly [M in keyof PlanLimits]: PlanLimits[M] } = { ...planSchedule.enterprise };
  for (const [member, limit] of Object.entries(members)) {
    const most = payload[member];
    if (most !== null && !isCount(most)) return undefined;
    limits[limit] = most;
  }
  return { tier, version, limits };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
