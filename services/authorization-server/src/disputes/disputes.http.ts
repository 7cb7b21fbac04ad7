import { type Instant, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, onlyOperator, type Route, route } from "@remit/platform/http";
import { type Actor, Problem } from "@remit/protocol";
import {
  AnswerDispute,
  DecideDispute,
  DisputeBody,
  DisputeList,
  DisputeStatus,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { wholeDispute } from "./deciding.ts";
import {
  actOn,
  type DisputesDeps,
  disputesOf,
  respond,
  type ShownDispute,
  showDispute,
} from "./disputes.operations.ts";
import { anyMerchant, type Dispute } from "./disputes.ts";

export const DisputePath = z.strictObject({ id: idOf("dispute") });
export const DisputeSearch = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("dispute").optional(),
  status: DisputeStatus.optional(),
  charge_id: idOf("charge").optional(),
});
/** A merchant's own client, for what it charged; or the people of its organization, for what any of its shops did. */
const reads = { scope: ["charges:write", "billing:read"] } as const;
/** Whoever may give buyers' money back may say that it goes back, or why not. */
const answers = { scope: ["charges:write", "offers:write"] } as const;

/** Disputes as the merchant sees them that made the charge, and its organization, and the operator's word where the two sides do not agree. */
export const disputeRoutes = (deps: DisputesDeps): Route[] => [
  listRoute(deps),
  readRoute(deps),
  answerRoute(deps),
  acceptRoute(deps),
  decideRoute(deps),
];

const sideOf = ({ tenant, client, scopes }: Caller): Parameters<typeof showDispute>[1] => ({
  tenant,
  client: scopes.has("charges:write") ? client : anyMerchant,
});

const byOf = (caller: Caller): Actor =>
  caller.scopes.has("charges:write") ? { type: "merchant", id: caller.client } : actorOf(caller);

const listRoute = (deps: DisputesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/disputes",
    summary: "Disputes about the caller's charges, newest first",
    needs: reads,
    query: DisputeSearch,
    answers: { 200: DisputeList },
    handle: async ({ caller }, { query }) => ({
      status: 200,
      body: await pageOf(query, (page) =>
        disputesOf(deps, caller.tenant, { ...page, client: sideOf(caller).client }),
      ),
    }),
  });

type Search = z.output<typeof DisputeSearch>;
type Page = Parameters<typeof disputesOf>[2];

export async function pageOf(
  { limit, cursor, status, charge_id }: Search,
  find: (page: Omit<Page, "client">) => Promise<Dispute[]>,
): Promise<z.input<typeof DisputeList>> {
  const found = await find({ limit: limit + 1, before: cursor, state: status, charge: charge_id });
  const shown = found.slice(0, limit);
  const next = found.length > limit ? (shown.at(-1)?.id ?? null) : null;
  return { data: shown.map((dispute) => bodyOf({ dispute })), next_cursor: next };
}

const readRoute = (deps: DisputesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/disputes/:id",
    summary: "One dispute about a charge of the caller, with what was said",
    needs: reads,
    params: DisputePath,
    answers: { 200: DisputeBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => ({
      status: 200,
      body: bodyOf(known(await showDispute(deps, sideOf(caller), params.id))),
    }),
  });

const refusals = {
  404: "not_found",
  409: "dispute_state_conflict",
  503: "unavailable",
} as const;

const answerRoute = (deps: DisputesDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/disputes/:id/evidence",
    summary: "Answer a dispute, once and before its deadline",
    needs: answers,
    params: DisputePath,
    body: AnswerDispute,
    answers: { 200: DisputeBody, ...refusals },
    handle: async ({ caller }, { params, body }) => {
      const { dispute } = known(await showDispute(deps, sideOf(caller), params.id));
      const actor = byOf(caller);
      const moved = await respond(deps, dispute, { act: "answer", actor, answer: body.text });
      return { status: 200, body: bodyOf({ dispute: moved }) };
    },
  });

const acceptRoute = (deps: DisputesDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/disputes/:id/accept",
    summary: "Accept a dispute: the money goes back",
    needs: answers,
    criticality: "critical",
    params: DisputePath,
    body: z.strictObject({}),
    answers: { 200: DisputeBody, ...refusals },
    handle: async ({ caller }, { params }) => {
      const { dispute } = known(await showDispute(deps, sideOf(caller), params.id));
      const actor = byOf(caller);
      return {
        status: 200,
        body: bodyOf({ dispute: await respond(deps, dispute, { act: "accept", actor }) }),
      };
    },
  });

const decideRoute = (deps: DisputesDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/disputes/:id/decision",
    summary: "Decide a dispute that its merchant has answered; for the operator",
    needs: { scope: "admin:orgs" },
    params: DisputePath,
    body: DecideDispute,
    answers: { 200: DisputeBody, 403: "forbidden", ...refusals },
    handle: async ({ caller }, { params, body }) => {
      onlyOperator(caller);
      const dispute = await wholeDispute(deps, params.id);
      if (dispute === undefined) throw unknown();
      const act = body.outcome === "upheld" ? "uphold" : "reject";
      const type = caller.actor.type === "account" ? "account" : "client";
      const moved = await actOn(deps, dispute, { act, actor: { type, id: caller.actor.id } });
      return { status: 200, body: bodyOf({ dispute: moved }) };
    },
  });

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such dispute." });

export function known(shown: ShownDispute | undefined): ShownDispute {
  if (shown === undefined) throw unknown();
  return shown;
}

const timeOf = (at: Instant | undefined): string | null => (at === undefined ? null : toRfc3339(at));

export const bodyOf = ({
  dispute,
  words,
}: Pick<ShownDispute, "dispute"> & Partial<ShownDispute>): z.input<typeof DisputeBody> => ({
  id: dispute.id,
  charge_id: dispute.charge,
  merchant_id: dispute.merchant,
  agent_id: dispute.agent,
  origin: dispute.origin,
  status: dispute.state,
  reason: dispute.reason,
  because: dispute.because ?? null,
  amount_minor: Number(dispute.amountMinor),
  currency: dispute.currency,
  refund: dispute.refund,
  refund_minor: dispute.refundMinor === undefined ? null : Number(dispute.refundMinor),
  respond_by: timeOf(dispute.respondBy),
  review_by: timeOf(dispute.reviewBy),
  opened_at: toRfc3339(dispute.openedAt),
  answered_at: timeOf(dispute.answeredAt),
  decided_at: timeOf(dispute.decidedAt),
  ...(words === undefined ? {} : { statement: words.statement ?? null, answer: words.answer ?? null }),
});
