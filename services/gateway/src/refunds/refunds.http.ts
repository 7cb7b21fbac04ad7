import { type Id, minuteMs, toNumericDate, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import { type Hex, transferAuthorizationTypes } from "@remit/protocol";
import { AmountMinor, idOf, PaymentRefund } from "@remit/protocol/contracts";
import { signJws } from "@remit/protocol/node";
import { z } from "zod";
import { refuseUnsigned, typedDataOf } from "./by-transfer.ts";
import { askRefund, carryOut, type Read, type RefundDeps, readRefund, signRefund } from "./refunds.ts";

const CreateRefund = z.strictObject({
  /** The payment's id, or what the card network or the chain calls it, as its receipt says. */
  payment: z.string().regex(/^[\x21-\x7e]{1,500}$/),
  /** All that is left when absent. */
  amount_minor: AmountMinor.optional(),
});
const Signature = z.strictObject({ signature: z.string().regex(/^0x([0-9a-fA-F]{2}){65,4096}$/) });
const RefundPath = z.strictObject({ id: idOf("refund") });
const writing = { scope: "offers:write" } as const;
const reading = { scope: ["offers:read", "offers:write"], bearer: true } as const;
const limit = { count: 300, windowMs: minuteMs, by: "tenant" } as const;

/** A seller gives back what was paid by card or by a transfer, whole or in part. */
export const refundRoutes = (deps: RefundDeps): Route[] => [
  createRoute(deps),
  signRoute(deps),
  readRoute(deps),
];

const createRoute = (deps: RefundDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/refunds",
    summary: "Give a payment back, whole or in part; never more than was paid",
    needs: writing,
    criticality: "critical",
    limit,
    idempotency: "required",
    body: CreateRefund,
    answers: {
      201: PaymentRefund,
      404: "not_found",
      409: ["charge_refund_exceeds_captured", "payment_state_conflict", "idempotency_in_flight"],
      422: "idempotency_conflict",
      503: "unavailable",
    },
    handle: async ({ caller, idempotencyKey: key, bodyDigest }, { body }) => {
      const { tenant, client } = caller;
      const request = { client, route: "POST /api/v1/refunds", key, bodyDigest, keep: "always" as const };
      const { answer, replayed } = await idempotent<{ id: Id<"refund"> }>(
        deps.db.of(tenant),
        request,
        async (keep) => ({
          id: await askRefund(deps, tenant, {
            payment: body.payment,
            amountMinor: body.amount_minor,
            kept: (tx, id) => keep(tx, { id }),
          }),
        }),
      );
      // Of a repetition the first one, or recovery, is at it.
      if (!replayed) await tryOut(deps, tenant, answer.id);
      const headers: Record<string, string> = replayed ? { "Idempotent-Replayed": "true" } : {};
      return { status: 201, body: shown(deps, await readRefund(deps, tenant, answer.id)), headers };
    },
  });

const signRoute = (deps: RefundDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/refunds/:id/signature",
    summary: "The signature of the wallet that was paid, for a refund that waits for one",
    needs: writing,
    criticality: "critical",
    limit,
    params: RefundPath,
    body: Signature,
    answers: {
      200: PaymentRefund,
      404: "not_found",
      409: "payment_state_conflict",
      422: "payment_invalid",
      503: "unavailable",
    },
    handle: async ({ caller: { tenant } }, { params: { id }, body }) => {
      const { refund } = await readRefund(deps, tenant, id);
      const signature = body.signature.toLowerCase() as Hex; // as the pattern has seen
      if (refund.state === "unsigned")
        await refuseUnsigned(deps, refund, signature).catch(async (error: unknown) => {
          // Sent twice at once: the other call may have brought it on the chain already.
          if ((await readRefund(deps, tenant, id)).refund.signature !== signature) throw error;
        });
      await signRefund(deps, tenant, { id, signature });
      await tryOut(deps, tenant, id);
      return { status: 200, body: shown(deps, await readRefund(deps, tenant, id)) };
    },
  });

const readRoute = (deps: RefundDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/refunds/:id",
    summary: "Where a refund stands",
    needs: reading,
    limit,
    params: RefundPath,
    answers: { 200: PaymentRefund, 404: "not_found" },
    handle: async ({ caller: { tenant } }, { params: { id } }) => ({
      status: 200,
      body: shown(deps, await readRefund(deps, tenant, id)),
    }),
  });

/** It is written down: what goes wrong now is recovery's to finish, and no reason to refuse. */
const tryOut = (deps: RefundDeps, tenant: Id<"tenant">, id: Id<"refund">): Promise<void> =>
  carryOut(deps, tenant, id).catch((error: unknown) => {
    deps.log.error({ refund: id, error }, "a refund could not be finished yet");
  });

const statuses = {
  unsigned: "needs_signature",
  sending: "refunding",
  refunded: "refunded",
  refused: "refused",
} as const;

function shown(deps: RefundDeps, read: Read): z.input<typeof PaymentRefund> {
  const { refund, paid } = read;
  const receipt = receiptOf(deps, read);
  return {
    id: refund.id,
    payment: paid.id,
    status: statuses[refund.state],
    amount_minor: refund.amountMinor,
    currency: paid.currency,
    rail: paid.rail === "card" ? "card" : "x402",
    refunded_minor: paid.refundedMinor,
    created_at: toRfc3339(refund.createdAt),
    ...(refund.reference !== undefined && { reference: refund.reference }),
    ...(refund.because !== undefined && { because: refund.because }),
    ...(refund.state === "unsigned" && refund.transfer !== undefined && { to_sign: toSign(refund.transfer) }),
    ...(receipt !== undefined && { receipt }),
  };
}

/** As wallets take it (eth_signTypedData_v4). */
function toSign(transfer: Parameters<typeof typedDataOf>[0]): Record<string, unknown> {
  const { domain, authorization } = typedDataOf(transfer);
  const message = {
    ...authorization,
    value: authorization.value.toString(),
    validAfter: authorization.validAfter.toString(),
    validBefore: authorization.validBefore.toString(),
  };
  return {
    domain,
    types: { TransferWithAuthorization: [...transferAuthorizationTypes.TransferWithAuthorization] },
    primaryType: "TransferWithAuthorization",
    message,
  };
}

/** The seller's own word that it was given back, by the key that signs its offers. */
function receiptOf({ offers }: RefundDeps, { refund, paid }: Read): string | undefined {
  const merchant = [...offers().values()].find((shop) => shop.merchant.id === paid.merchant)?.merchant;
  if (refund.state !== "refunded" || merchant === undefined) return undefined;
  return signJws(
    merchant.keys.offer,
    { typ: "remit-refund+jwt" },
    {
      iss: merchant.origin,
      jti: refund.id,
      iat: toNumericDate(refund.updatedAt),
      payment: paid.id,
      payment_reference: (paid.rail === "card" ? paid.reference : paid.settlement) ?? "",
      refund_reference: refund.reference ?? "",
      amount_minor: refund.amountMinor,
      currency: paid.currency,
      payer: paid.payer,
    },
  );
}
