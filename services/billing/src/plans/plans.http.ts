import { toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { AgreePlan, BilledPlan, CheckoutBody, EndPlan, idOf, StartCheckout } from "@remit/protocol/contracts";
import { z } from "zod";
import { agreeInstead, type CheckoutDeps, checkOut, endPlan } from "./checkouts.ts";
import { limitsOf, type Plan, planOf } from "./plans.ts";
import { endWithOrganization, goOnWithOrganization } from "./standing.ts";

const needs = { scope: "plans:write" } as const;
const OfTenant = z.strictObject({ tenant: idOf("tenant") });

/** Plans of any tenant: for the authorization server, which has made sure who asks. */
export const planRoutes = (deps: CheckoutDeps): Route[] => [
  endRoute(deps),
  goOnRoute(deps),
  route({
    method: "GET",
    path: "/api/v1/plans/:tenant",
    summary: "The plan of an organization and what pays for it.",
    needs,
    params: OfTenant,
    answers: { 200: BilledPlan, 403: "client_not_allowed" },
    handle: async ({ caller }, { params }) => {
      requireIssuer(caller.client);
      return { status: 200, body: bodyOf(await planOf(deps, params.tenant)) };
    },
  }),
  route({
    method: "PUT",
    path: "/api/v1/plans/:tenant",
    summary: "A plan by agreement, with limits of its own.",
    needs,
    params: OfTenant,
    body: AgreePlan,
    answers: {
      200: BilledPlan,
      403: "client_not_allowed",
      409: "plan_change_refused",
      503: "unavailable",
    },
    handle: async ({ caller }, { params, body }) => {
      requireIssuer(caller.client);
      const by = { type: "client", id: body.by } as const;
      const agreed = { tenant: params.tenant, tier: body.tier, limits: body.limits ?? undefined, by };
      return { status: 200, body: bodyOf(await agreeInstead(deps, agreed)) };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/plans/:tenant/checkout",
    summary: "Opens Stripe's Checkout for a plan.",
    needs,
    params: OfTenant,
    body: StartCheckout,
    answers: {
      200: CheckoutBody,
      400: "return_url_refused",
      403: "client_not_allowed",
      409: "plan_change_refused",
      503: "unavailable",
    },
    handle: async ({ caller }, { params, body }) => {
      requireIssuer(caller.client);
      const returnTo = { successUrl: body.success_url, cancelUrl: body.cancel_url };
      const url = await checkOut(deps, { tenant: params.tenant, tier: "pro", returnTo });
      return { status: 200, body: { url } };
    },
  }),
];

const endRoute = (deps: CheckoutDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/plans/:tenant/end",
    summary: "Ends what an organization pays for.",
    needs,
    criticality: "critical",
    params: OfTenant,
    body: EndPlan,
    answers: { 200: BilledPlan, 403: "client_not_allowed", 503: "unavailable" },
    handle: async ({ caller }, { params, body }) => {
      requireIssuer(caller.client);
      const { tenant } = params;
      const plan =
        body.because === "organization" && body.when === "period"
          ? await endWithOrganization(deps, tenant)
          : await endPlan(deps, { tenant, when: body.when });
      return { status: 200, body: bodyOf(plan) };
    },
  });

const goOnRoute = (deps: CheckoutDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/plans/:tenant/resume",
    summary: "Goes on with what was to end because the organization did not act.",
    needs,
    params: OfTenant,
    answers: { 200: BilledPlan, 403: "client_not_allowed", 503: "unavailable" },
    handle: async ({ caller }, { params }) => {
      requireIssuer(caller.client);
      return { status: 200, body: bodyOf(await goOnWithOrganization(deps, params.tenant)) };
    },
  });

function requireIssuer(client: string): void {
  if (client !== "authorization-server") throw new Problem("client_not_allowed");
}

const bodyOf = (plan: Plan): z.input<typeof BilledPlan> => ({
  tier: plan.tier,
  version: plan.version,
  limits: limitsOf(plan),
  source: plan.source,
  subscription_status: plan.status ?? null,
  period_end: plan.periodEnd === undefined ? null : toRfc3339(plan.periodEnd),
  ends_with_period: plan.endsWithPeriod,
});
