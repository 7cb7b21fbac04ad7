import { type Route, route } from "@remit/platform/http";
import type { Database, Tx } from "@remit/platform/sql";
import type Stripe from "stripe";
import { z } from "zod";
import { hearEvent } from "./events.ts";

export type WebhookDeps = {
  readonly stripe: Stripe;
  readonly secret: string;
  readonly db: Database;
  readonly now: () => number;
  /** What to do about an object of Stripe that something happened to. */
  readonly hint: {
    payment(tx: Tx, reference: string): Promise<void>;
    setup(tx: Tx, reference: string): Promise<void>;
  };
};

/** Stripe's news. A hint and no more: whatever is written comes from a read. */
export const stripeRoutes = (deps: WebhookDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/webhooks/stripe",
    summary: "Events of Stripe, signed by it.",
    needs: "public",
    body: "raw",
    bodyBytesMax: 512 * 1024,
    answers: { 200: z.object({ received: z.boolean() }), 400: "stripe_signature_invalid" },
    limit: { count: 6000, windowMs: 60_000 },
    handle: async (call, { body }) => {
      await hearEvent(deps, body, call.header("stripe-signature"));
      return { status: 200, body: { received: true } };
    },
  }),
];
