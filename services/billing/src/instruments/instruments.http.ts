import type { Clock } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import { EnrolPaymentMethod, PaymentMethodBody, PaymentMethodList } from "@remit/protocol/contracts";
import type { z } from "zod";
import { enrol, type Instrument, type InstrumentDeps, instrumentsOf } from "./instruments.ts";

/** A principal's saved cards. */
export const instrumentRoutes = (deps: InstrumentDeps & { readonly clock: Clock }): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/payment-methods",
    summary: "Saves a card to be charged within mandates while its holder is away.",
    needs: { scope: "wallet:write" },
    idempotency: "required",
    body: EnrolPaymentMethod,
    answers: {
      201: PaymentMethodBody,
      400: "invalid_request",
      402: ["card_declined", "authentication_required"],
      409: "idempotency_in_flight",
      422: "idempotency_conflict",
      503: "unavailable",
    },
    limit: { count: 20, windowMs: 60_000, by: "tenant" },
    handle: async ({ caller, idempotencyKey, bodyDigest }, { body }) => {
      const { tenant, client, subject } = caller;
      const request = {
        client,
        route: "POST /api/v1/payment-methods",
        key: idempotencyKey,
        bodyDigest,
      };
      const { answer, replayed } = await idempotent<Body>(deps.db.of(tenant), request, async (keep) => {
        const enrolment = { tenant, account: subject, method: body.payment_method };
        return bodyOf(await enrol(deps, enrolment, (tx, instrument) => keep(tx, bodyOf(instrument))));
      });
      const headers: Record<string, string> = replayed ? { "Idempotent-Replayed": "true" } : {};
      return { status: 201, body: answer, headers };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/payment-methods",
    summary: "The saved cards of the caller's organization.",
    needs: { scope: ["wallet:read", "wallet:write"] },
    answers: { 200: PaymentMethodList },
    handle: async ({ caller }) => ({
      status: 200,
      body: { data: (await instrumentsOf(deps, caller.tenant)).map(bodyOf) },
    }),
  }),
];

type Body = z.input<typeof PaymentMethodBody>;

const bodyOf = ({ id, brand, last4, isDefault }: Instrument): Body => ({
  id,
  brand,
  last4,
  default: isDefault,
});
