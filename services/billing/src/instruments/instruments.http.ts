import type { Clock } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import { Problem } from "@remit/protocol";
import {
  EnrolPaymentMethod,
  ForgetPayer,
  idOf,
  PaymentMethodBody,
  PaymentMethodList,
  PaymentMethodSetup,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { finishSetup, openSetup } from "./by-holder.ts";
import { enrol, type Instrument, type InstrumentDeps, instrumentsOf } from "./instruments.ts";
import { makeDefault, removeInstrument } from "./keeping.ts";
import { forgetPayer } from "./leaving.ts";

/** `confirmAt`: a page where holders confirm with a secret, where there is one. */
export type InstrumentRouteDeps = InstrumentDeps & {
  readonly clock: Clock;
  readonly confirmAt: (clientSecret: string) => string | null;
};

const One = z.strictObject({ id: idOf("instrument") });
const Nothing = z.strictObject({});

/** A principal's saved cards. */
export const instrumentRoutes = (deps: InstrumentRouteDeps): Route[] => [
  ...byHolderRoutes(deps),
  ...keepingRoutes(deps),
  forgetRoute(deps),
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

/** A card that its holder saves in the browser: opened, confirmed at Stripe, and finished here. */
const byHolderRoutes = (deps: InstrumentRouteDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/payment-methods/setups",
    summary: "Opens a setup in which the holder's browser saves a card at Stripe.",
    needs: { scope: "wallet:write" },
    body: Nothing,
    answers: { 201: PaymentMethodSetup, 400: "invalid_request", 402: "card_declined", 503: "unavailable" },
    limit: { count: 20, windowMs: 60_000, by: "tenant" },
    handle: async ({ caller }) => {
      const { id, setup, clientSecret } = await openSetup(deps, caller.tenant);
      const confirm_at = deps.confirmAt(clientSecret);
      const body = { id, setup_intent: setup, client_secret: clientSecret, confirm_at };
      return { status: 201, body, headers: { "cache-control": "no-store" } };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/payment-methods/:id/finish",
    summary: "Makes a card usable that its holder has saved at Stripe.",
    needs: { scope: "wallet:write" },
    params: One,
    body: Nothing,
    answers: {
      200: PaymentMethodBody,
      402: "card_declined",
      404: "not_found",
      409: "authentication_pending",
      503: "unavailable",
    },
    limit: { count: 60, windowMs: 60_000, by: "tenant" },
    handle: async ({ caller: { tenant, subject: account } }, { params: { id } }) => ({
      status: 200,
      body: bodyOf(await finishSetup(deps, { tenant, account, instrument: id })),
    }),
  }),
];

const keepingRoutes = (deps: InstrumentRouteDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/payment-methods/:id/default",
    summary: "Lets a card pay for what names no other.",
    needs: { scope: "wallet:write" },
    params: One,
    body: Nothing,
    answers: { 200: PaymentMethodBody, 404: "not_found" },
    handle: async ({ caller: { tenant, subject: account } }, { params: { id } }) => ({
      status: 200,
      body: bodyOf(await makeDefault(deps, { tenant, account, instrument: id })),
    }),
  }),
  route({
    method: "POST",
    path: "/api/v1/payment-methods/:id/remove",
    summary: "Forgets a card: nothing is charged to it any more, and mandates that name it are suspended.",
    needs: { scope: "wallet:write" },
    criticality: "critical",
    params: One,
    body: Nothing,
    answers: { 200: PaymentMethodList, 404: "not_found", 409: "payment_method_is_default" },
    handle: async ({ caller: { tenant, subject: account } }, { params: { id } }) => {
      await removeInstrument(deps, { tenant, account, instrument: id });
      return { status: 200, body: { data: (await instrumentsOf(deps, tenant)).map(bodyOf) } };
    },
  }),
];

const forgetRoute = (deps: InstrumentRouteDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/payment-methods/forget",
    summary:
      "Forgets a payer who has left: every card, and the customer at Stripe; what was captured stays refundable.",
    needs: { scope: "payments:execute" },
    criticality: "critical",
    body: ForgetPayer,
    answers: { 204: nothing, 403: "client_not_allowed" },
    handle: async ({ caller }, { body }) => {
      if (caller.client !== "authorization-server") throw new Problem("client_not_allowed");
      await forgetPayer(deps, body.organization_id);
      return { status: 204 };
    },
  });

type Body = z.input<typeof PaymentMethodBody>;

const bodyOf = ({ id, brand, last4, isDefault }: Instrument): Body => ({
  id,
  brand,
  last4,
  default: isDefault,
});
