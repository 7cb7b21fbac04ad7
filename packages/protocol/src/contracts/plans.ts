import { z } from "zod";
import { type PlanTier, planTiers } from "../plans.ts";
import { idOf, Timestamp } from "./values.ts";

// The tiers of the AgentIdP API, and what billing and the authorization server say to each other of them.

const Tier = z.enum(planTiers as readonly [PlanTier, ...PlanTier[]]);
/** null: any number. */
const Most = z.int().min(0).nullable();

export const PlanLimitsBody = z.strictObject({
  maxAgents: Most,
  maxCallsPerDay: Most,
  maxTokensPerDay: Most,
  maxTokensPerMonth: Most,
  maxRequestsPerMinute: Most,
});

/** GET /api/v1/tiers/status. Days and months are UTC's. */
export const TierStatus = z.object({
  tier: Tier,
  /** Whether what goes beyond the limits is refused here. */
  enforced: z.boolean(),
  limits: PlanLimitsBody,
  usage: z.object({
    agentCount: z.int(),
    callsToday: z.int(),
    tokensToday: z.int(),
    tokensThisMonth: z.int(),
  }),
  /** When a day's use begins again. */
  resetsAt: Timestamp,
});

const ReturnUrl = z.string().min(1).max(2_000);

/** POST /api/v1/billing/checkout. Addresses of allowed origins; `/account` of the issuer unless given. */
export const StartPlanCheckout = z.strictObject({
  successUrl: ReturnUrl.optional(),
  cancelUrl: ReturnUrl.optional(),
});
/** Where the principal pays. */
export const PlanCheckout = z.object({ checkoutUrl: z.url() });

/** POST /api/v1/billing/cancel: what is paid is had until then; null when nothing was. */
export const PlanEnd = z.object({ tier: Tier, endsAt: Timestamp.nullable() });

/** GET /api/v1/billing/usage: what was used this month, by days of UTC. */
export const BillingUsage = z.object({
  organizationId: idOf("tenant"),
  tier: Tier,
  periodStart: Timestamp,
  periodEnd: Timestamp,
  tokens: z.int(),
  calls: z.int(),
  agentCount: z.int(),
  data: z.array(z.object({ date: z.string(), tokens: z.int(), calls: z.int() })),
});

/** PUT /api/v1/organizations/{id}/plan: by agreement, for the operator of the installation. */
export const AgreeOnPlan = z.strictObject({ tier: Tier, limits: PlanLimitsBody.optional() });
export const OrganizationPlan = z.object({ tier: Tier, limits: PlanLimitsBody });

/** PUT /api/v1/plans/{tenant} at billing. */
export const AgreePlan = z.strictObject({
  tier: Tier,
  limits: PlanLimitsBody.nullable(),
  by: z.string().max(64),
});
/** POST /api/v1/plans/{tenant}/checkout at billing. */
export const StartCheckout = z.strictObject({
  success_url: ReturnUrl.optional(),
  cancel_url: ReturnUrl.optional(),
});
/** POST /api/v1/plans/{tenant}/end at billing. */
export const EndPlan = z.strictObject({
  when: z.enum(["period", "now"]),
  /** `organization`: it does not act; what ends for this reason goes on when it does. */
  because: z.enum(["asked", "organization"]).default("asked"),
});
export const CheckoutBody = z.object({ url: z.url() });
export const BilledPlan = z.object({
  tier: Tier,
  version: z.int(),
  limits: PlanLimitsBody,
  source: z.enum(["subscription", "agreement"]),
  subscription_status: z.string().nullable(),
  period_end: Timestamp.nullable(),
  ends_with_period: z.boolean(),
});
