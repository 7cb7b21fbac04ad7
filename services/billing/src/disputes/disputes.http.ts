import { toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { AnswerDispute, idOf, NetworkDispute } from "@remit/protocol/contracts";
import { z } from "zod";
import { type Dispute, statusOf } from "./disputes.ts";
import { type DisputeDeps, disputeOf, respond } from "./looking.ts";

const needs = { scope: "payments:execute" } as const;
const byId = z.strictObject({ id: idOf("dispute") });
const answers = {
  200: NetworkDispute,
  404: "not_found",
  409: "dispute_state_conflict",
  503: "unavailable",
} as const;

/** The card network's disputes, for the authorization server: there, merchants see and answer all of theirs. */
export const disputeRoutes = (deps: DisputeDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/network-disputes/:id",
    summary: "A dispute of the card network, as it was seen last.",
    needs,
    params: byId,
    answers: { 200: NetworkDispute, 404: "not_found" },
    handle: async (_call, { params }) => ({ status: 200, body: bodyOf(await disputeOf(deps, params.id)) }),
  }),
  route({
    method: "POST",
    path: "/api/v1/network-disputes/:id/evidence",
    summary: "Sends the merchant's answer on to the cardholder's bank, once.",
    needs,
    params: byId,
    body: AnswerDispute,
    answers,
    handle: async (_call, { params, body }) => ({
      status: 200,
      body: bodyOf(await respond(deps, params.id, { kind: "answer", text: body.text })),
    }),
  }),
  route({
    method: "POST",
    path: "/api/v1/network-disputes/:id/accept",
    summary: "Gives a dispute up: the cardholder keeps the money.",
    needs,
    criticality: "critical",
    params: byId,
    body: z.strictObject({}),
    answers,
    handle: async (_call, { params }) => ({
      status: 200,
      body: bodyOf(await respond(deps, params.id, { kind: "accept" })),
    }),
  }),
];

const bodyOf = (dispute: Dispute): z.input<typeof NetworkDispute> => ({
  id: dispute.id,
  charge: dispute.charge,
  payer: dispute.payer,
  payee: dispute.payee,
  reference: dispute.reference,
  status: statusOf(dispute.status),
  reason: dispute.reason ?? "general",
  amount_minor: Number(dispute.amount?.units ?? 0n),
  currency: dispute.amount?.asset.code ?? "",
  respond_by: dispute.respondBy === null ? null : toRfc3339(dispute.respondBy),
  opened_at: toRfc3339(dispute.openedAt),
});
