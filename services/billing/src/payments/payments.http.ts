import { type Route, route } from "@remit/platform/http";
import {
  InstructionBody,
  idOf,
  PaymentBody,
  PaymentList,
  type RefundBody,
  ReturnRefusal,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { confirmationRoute } from "./confirmations.http.ts";
import { readOrder } from "./instructions.ts";
import { inCurrency } from "./par.ts";
import type { Payment, Refund } from "./payment.ts";
import {
  capture,
  hold,
  type PaymentDeps,
  paymentOf,
  paymentsOf,
  refund,
  refundsOf,
  release,
  releaseByCharge,
} from "./payments.ts";
import { observe } from "./settling.ts";

const needs = { scope: "payments:execute" } as const;
const byId = z.strictObject({ id: idOf("payment") });
const moved = {
  200: PaymentBody,
  400: "livemode_mismatch",
  403: "instruction_invalid",
  404: "not_found",
  409: ["payment_state_conflict", "charge_refund_exceeds_captured"],
} as const;

/** Moving money, for the authorization server alone and only on its signed word. */
export const paymentRoutes = (deps: PaymentDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/payments",
    summary: "Holds a charge's money, or releases what may have been held, once per charge and generation.",
    needs,
    idempotency: "required",
    body: InstructionBody,
    answers: {
      ...moved,
      201: PaymentBody,
      402: "instrument_missing",
      409: [...moved[409], "payouts_halted"],
    },
    handle: async (_call, { body }) => {
      const order = await readOrder(deps.instructions, body.instruction, ["hold", "release"]);
      const { payment, made } = await (order.op === "hold"
        ? hold(deps, order)
        : releaseByCharge(deps, order));
      return { status: made && order.op === "hold" ? 201 : 200, body: await bodyOf(deps, payment) };
    },
  }),
  stepRoute(deps, "capture", capture),
  stepRoute(deps, "release", release),
  stepRoute(deps, "refund", refund),
  confirmationRoute(deps),
  route({
    method: "GET",
    path: "/api/v1/payments",
    summary: "The payments of a charge, one per generation.",
    needs,
    query: z.strictObject({ charge: idOf("charge") }),
    answers: { 200: PaymentList },
    handle: async (_call, { query }) => {
      const known = await paymentsOf(deps, query.charge);
      // Whether the holder of the card has confirmed, Stripe knows before its webhook tells.
      const found = await Promise.all(
        known.map(async (payment) =>
          payment.state === "requires_action" ? observe(deps, payment) : payment,
        ),
      );
      return {
        status: 200,
        body: { data: await Promise.all(found.map((payment) => bodyOf(deps, payment))) },
      };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/payments/:id",
    summary: "One payment.",
    needs,
    params: byId,
    answers: { 200: PaymentBody, 404: "not_found" },
    handle: async (_call, { params }) => ({
      status: 200,
      body: await bodyOf(deps, await paymentOf(deps, params.id)),
    }),
  }),
];

const stepRoute = (deps: PaymentDeps, op: "capture" | "release" | "refund", run: typeof capture): Route =>
  route({
    method: "POST",
    path: `/api/v1/payments/:id/${op}`,
    summary: `Carries out an instruction to ${op}; again, it changes nothing.`,
    needs,
    criticality: "critical",
    idempotency: "required",
    params: byId,
    body: InstructionBody,
    answers: moved,
    handle: async (_call, { params, body }) => {
      const order = await readOrder(deps.instructions, body.instruction, [op]);
      return { status: 200, body: await bodyOf(deps, await run(deps, params.id, order)) };
    },
  });

const refundStatus = {
  refunding: "pending",
  refunded: "succeeded",
  refused: "refused",
  failed: "failed",
} as const;

const refundBodyOf = ({ id, amount, state, because }: Refund): z.input<typeof RefundBody> => {
  const { data } = ReturnRefusal.safeParse(because);
  return {
    id,
    amount_minor: Number(inCurrency(amount).units),
    status: refundStatus[state],
    ...(data === undefined ? {} : { because: data }),
  };
};

const bodyOf = async (deps: PaymentDeps, payment: Payment): Promise<z.input<typeof PaymentBody>> => ({
  id: payment.id,
  charge: payment.charge,
  generation: payment.generation,
  status: payment.state,
  rail: payment.rail,
  reference: payment.settledBy ?? payment.reference,
  amount_minor: Number(inCurrency(payment.amount).units),
  captured_minor: Number(inCurrency(payment.captured).units),
  refunded_minor: Number(inCurrency(payment.refunded).units),
  currency: inCurrency(payment.amount).asset.code,
  ...(payment.declineCode === null ? {} : { decline_code: payment.declineCode }),
  refunds: (await refundsOf(deps, payment)).map(refundBodyOf),
});
