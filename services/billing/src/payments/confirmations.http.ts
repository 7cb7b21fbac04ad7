import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { idOf, PaymentConfirmation } from "@remit/protocol/contracts";
import { z } from "zod";
import { type PaymentDeps, paymentsOf } from "./payments.ts";

/** For the holder's wallet: what Stripe's form needs to have a payment confirmed that the card's issuer asks about. */
export const confirmationRoute = (deps: PaymentDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/charges/:id/confirmation",
    summary: "What the cardholder's browser confirms a charge with that its issuer asks about.",
    needs: { scope: "wallet:write" },
    params: z.strictObject({ id: idOf("charge") }),
    answers: { 200: PaymentConfirmation, 404: "not_found", 503: "unavailable" },
    handle: async ({ caller }, { params: { id } }) => {
      const payments = await paymentsOf(deps, id);
      const waiting = payments.find(
        ({ tenant, state }) => tenant === caller.tenant && state === "requires_action",
      );
      const reference = waiting?.reference ?? undefined;
      const secret = reference === undefined ? undefined : await deps.secretOf(reference);
      if (reference === undefined || secret === undefined)
        throw new Problem("not_found", { detail: "No payment of this charge waits for its holder." });
      const confirm_at = deps.confirmAt(secret);
      const body = { charge_id: id, payment_intent: reference, client_secret: secret, confirm_at };
      return { status: 200, body, headers: { "cache-control": "no-store" } };
    },
  });
