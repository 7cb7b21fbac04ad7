import { dayMs, type Id, type Instant, instantOf, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  AgreeOnPlan,
  BillingUsage,
  idOf,
  OrganizationPlan,
  PlanCheckout,
  PlanEnd,
  StartPlanCheckout,
  TierStatus,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { isTenant, platformTenant } from "../tenants/index.ts";
import { usageNow, usageOfMonth } from "../usage/index.ts";
import type { Billed } from "./billed.ts";
import { planOf } from "./plans.ts";

export type PlanDeps = { readonly db: Database; readonly billed: Billed; readonly enforced: boolean };

// Read beside what is counted: who has used up a plan must be able to see it, and to change it.
const reads = { scope: ["agents:read", "admin:orgs", "wallet:read"], bearer: true } as const;
const buys = { scope: ["admin:orgs", "wallet:write"] } as const;
const limit = { count: 60, windowMs: minuteMs, by: "tenant" } as const;
const bought = { count: 20, windowMs: minuteMs, by: "tenant" } as const;

/** An organization's plan: what it allows, what of it is used, and the way to another one. */
export const planRoutes = (deps: PlanDeps): Route[] => [
  statusRoute(deps),
  usageRoute(deps),
  upgradeRoute(deps),
  checkoutRoute(deps),
  cancelRoute(deps),
  webhookRoute(deps),
  agreementRoute(deps),
];

const nextDay = (now: Instant): Instant => instantOf((Math.floor(now / dayMs) + 1) * dayMs);

const statusRoute = ({ db, enforced }: PlanDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/tiers/status",
    summary: "The organization's plan, its limits, and what of them is used",
    needs: reads,
    limit,
    answers: { 200: TierStatus },
    handle: async ({ caller: { tenant }, now }) => {
      const used = await usageNow(db, { tenant, now });
      const { tier, limits, agents } = await db.of(tenant).transaction((tx) => planOf(tx));
      const usage = { ...used, agentCount: agents };
      return { status: 200, body: { tier, enforced, limits, usage, resetsAt: toRfc3339(nextDay(now)) } };
    },
  });

const usageRoute = ({ db }: PlanDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/billing/usage",
    summary: "What the organization used this month, day by day of UTC",
    needs: reads,
    limit,
    answers: { 200: BillingUsage },
    handle: async ({ caller: { tenant }, now }) => {
      const days = await usageOfMonth(db, { tenant, now });
      const { tier, agents } = await db.of(tenant).transaction((tx) => planOf(tx));
      const data = days.map(({ date, tokens, calls }) => ({
        date,
        tokens: Number(tokens),
        calls: Number(calls),
      }));
      const sum = (what: "tokens" | "calls"): number => data.reduce((total, day) => total + day[what], 0);
      const periodStart = `${data[0]?.date ?? ""}T00:00:00.000Z`;
      const of = { organizationId: tenant, tier, periodStart, periodEnd: toRfc3339(now) };
      return {
        status: 200,
        body: { ...of, tokens: sum("tokens"), calls: sum("calls"), agentCount: agents, data },
      };
    },
  });

const checkoutAnswers = {
  200: PlanCheckout,
  400: "return_url_refused",
  409: "plan_change_refused",
  503: "unavailable",
} as const;

const upgradeRoute = ({ billed }: PlanDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/tiers/upgrade",
    summary: "Where to pay for the next plan: an address of Stripe's Checkout",
    needs: buys,
    limit: bought,
    answers: checkoutAnswers,
    handle: async ({ caller }) => ({
      status: 200,
      body: { checkoutUrl: await billed.checkOut(buyer(caller.tenant), {}) },
    }),
  });

const checkoutRoute = ({ billed }: PlanDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/billing/checkout",
    summary: "The same, with addresses to return to",
    needs: buys,
    limit: bought,
    body: StartPlanCheckout,
    answers: checkoutAnswers,
    handle: async ({ caller }, { body: { successUrl, cancelUrl } }) => {
      const returnTo = {
        ...(successUrl === undefined ? {} : { successUrl }),
        ...(cancelUrl === undefined ? {} : { cancelUrl }),
      };
      return { status: 200, body: { checkoutUrl: await billed.checkOut(buyer(caller.tenant), returnTo) } };
    },
  });

const cancelRoute = ({ billed }: PlanDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/billing/cancel",
    summary: "End what the organization pays for, with the period that is paid",
    needs: buys,
    criticality: "critical",
    limit: bought,
    answers: { 200: PlanEnd, 409: "plan_change_refused", 503: "unavailable" },
    handle: async ({ caller }) => ({ status: 200, body: await billed.end(buyer(caller.tenant), "period") }),
  });

/** The installation itself buys nothing of itself. */
function buyer(tenant: Id<"tenant">): Id<"tenant"> {
  if (tenant === platformTenant)
    throw new Problem("plan_change_refused", { detail: "The installation itself has no plan." });
  return tenant;
}

const webhookRoute = ({ billed }: PlanDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/billing/webhook",
    summary: "Events of Stripe, signed by it, for billing",
    needs: "public",
    criticality: "critical",
    body: "raw",
    bodyBytesMax: 512 * 1024,
    limit: { count: 6_000, windowMs: minuteMs },
    answers: {
      200: z.object({ received: z.boolean() }),
      400: "stripe_signature_invalid",
      503: "unavailable",
    },
    handle: async (call, { body }) => {
      await billed.hearStripe(body, call.header("stripe-signature"));
      return { status: 200, body: { received: true } };
    },
  });

const agreementRoute = ({ db, billed }: PlanDeps): Route =>
  route({
    method: "PUT",
    path: "/api/v1/organizations/:id/plan",
    summary: "Agree on a plan with an organization; for the operator of the installation",
    needs: { scope: "admin:orgs" },
    limit: bought,
    params: z.strictObject({ id: idOf("tenant") }),
    body: AgreeOnPlan,
    answers: { 200: OrganizationPlan, 404: "not_found", 409: "plan_change_refused", 503: "unavailable" },
    handle: async ({ caller }, { params, body }) => {
      const id = parseId("tenant", params.id);
      const isTheirs = caller.tenant === platformTenant && id !== undefined && id !== platformTenant;
      if (!isTheirs || !(await db.of(id).transaction((tx) => isTenant(tx))))
        throw new Problem("not_found", { detail: "There is no such organization." });
      const { tier, limits } = await billed.agreeOn(id, {
        tier: body.tier,
        limits: body.limits,
        by: caller.client,
      });
      return { status: 200, body: { tier, limits } };
    },
  });
