import { type Route, route } from "@remit/platform/http";
import type Stripe from "stripe";
import { z } from "zod";
import { hearEvent, type News } from "./events.ts";

export type WebhookDeps = {
  readonly stripe: Stripe;
  readonly secrets: readonly string[];
  readonly livemode: boolean;
  /** Who is told that something happened to an object of Stripe. Once is enough, and more often does no harm. */
  readonly hint: Readonly<
    Record<
      "payment" | "payout" | "plan" | "setup" | "dispute" | "token" | "refund",
      (news: News) => Promise<void>
    >
  >;
};

/** Stripe's news. A hint and no more: whatever is written comes from a read. The other name is the AgentIdP API's. */
export const stripeRoutes = (deps: WebhookDeps): Route[] =>
  ["/api/v1/webhooks/stripe", "/api/v1/billing/webhook"].map((path) => newsRoute(deps, path));

const newsRoute = (deps: WebhookDeps, path: string): Route =>
  route({
    method: "POST",
    path,
    summary: "Events of Stripe, signed by it.",
    needs: "public",
    criticality: "critical",
    body: "raw",
    bodyBytesMax: 512 * 1024,
    answers: {
      200: z.object({ received: z.boolean() }),
      400: ["stripe_signature_invalid", "livemode_mismatch"],
    },
    limit: { count: 60_000, windowMs: 60_000 },
    handle: async (call, { body }) => {
      await hearEvent(deps, body, call.header("stripe-signature"));
      return { status: 200, body: { received: true } };
    },
  });
