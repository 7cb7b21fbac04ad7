import { type Clock, type Id, parseId, toRfc3339 } from "@remit/kernel";
import { type Caller, type CallOf, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database } from "@remit/platform/sql";
import { describeMandate, Problem } from "@remit/protocol";
import { ApprovalBody, ApprovalList, ApprovalStatus, DenyApproval, idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { requireSure, type SureDeps } from "../assurance/index.ts";
import type { Approvals, Within } from "./approvals.operations.ts";
import type { Answerer, Approval } from "./approvals.ts";

const Path = z.strictObject({ id: idOf("approval") });
const Page = z.strictObject({
  status: ApprovalStatus.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("approval").optional(),
});

type Deps = SureDeps & {
  readonly db: Database;
  readonly clock: Clock;
  readonly approvals: Approvals;
  /** As its owner wrote it. */
  readonly nameOf: (approval: Approval) => Promise<string>;
};
type Body = z.input<typeof ApprovalBody>;

/** What waits for a person's answer, for a wallet that speaks for this person. */
export const approvalRoutes = (deps: Deps): Route[] => [
  listRoute(deps),
  readRoute(deps),
  approveRoute(deps),
  denyRoute(deps),
];

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/approvals",
    summary: "What agents asked of the caller, newest first",
    needs: { scope: "wallet:read" },
    query: Page,
    answers: { 200: ApprovalList },
    handle: async ({ caller }, { query: { status, limit, cursor } }) => {
      const page = { principal: personOf(caller), state: status, before: cursor, limit: limit + 1 };
      const found = await deps.approvals.list(caller.tenant, page);
      const shown = found.slice(0, limit);
      const next = found.length > limit ? (shown.at(-1)?.id ?? null) : null;
      const data = await Promise.all(
        shown.map(async (approval) => bodyOf(approval, await deps.nameOf(approval))),
      );
      return { status: 200, body: { data, next_cursor: next } };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/approvals/:id",
    summary: "One question of an agent, and its answer",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: ApprovalBody, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const found = await existing(deps, namedBy(caller, id));
      return { status: 200, body: bodyOf(found, await deps.nameOf(found)) };
    },
  });

const approveRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/approvals/:id/approve",
    summary: "Say yes: the mandate that was asked for is issued, once",
    needs: { scope: "wallet:write" },
    params: Path,
    body: z.strictObject({}),
    idempotency: "required",
    answers: {
      200: ApprovalBody,
      401: "insufficient_user_authentication",
      403: "agent_suspended",
      404: "not_found",
      409: ["approval_answered", "approval_expired"],
    },
    handle: async (call, { params: { id } }) => {
      const named = namedBy(call.caller, id);
      await requireSure(deps, { ...call, person: personOf(call.caller) });
      const approve = (within: Within) => deps.approvals.approve(named, answererOf(call), within);
      return { status: 200, ...(await once(deps, { call, named, name: "approve" }, approve)) };
    },
  });

const denyRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/approvals/:id/deny",
    summary: "Say no: the agent is told so, and nothing is allowed",
    needs: { scope: "wallet:write" },
    params: Path,
    body: DenyApproval,
    idempotency: "required",
    answers: {
      200: ApprovalBody,
      404: "not_found",
      409: ["approval_answered", "approval_expired"],
    },
    handle: async (call, { params: { id }, body }) => {
      const named = namedBy(call.caller, id);
      const by = { ...answererOf(call), reason: body.reason };
      const deny = (within: Within) => deps.approvals.deny(named, by, within);
      return { status: 200, ...(await once(deps, { call, named, name: "deny" }, deny)) };
    },
  });

type Keyed = CallOf<{ readonly scope: "wallet:write" }, "required">;

/** The answer is kept in the transaction of the effect; another answer that was there first is no effect of ours. */
async function once(
  deps: Deps,
  { call, named, name }: { call: Keyed; named: Named; name: "approve" | "deny" },
  work: (within: Within) => Promise<Approval>,
): Promise<{ body: Body; headers: Record<string, string> }> {
  const { caller, idempotencyKey: key, bodyDigest } = call;
  const { db } = deps;
  // Read before: the transaction of the answer waits for no other connection.
  const agent = await deps.nameOf(await existing(deps, named));
  const route = `POST /api/v1/approvals/${named.id}/${name}`;
  const request = { client: caller.client, route, key, bodyDigest };
  const { answer, replayed } = await idempotent<Body>(db.of(caller.tenant), request, async (keep) => {
    const approval = await work((tx, answered) => keep(tx, bodyOf(answered, agent)));
    return bodyOf(approval, agent);
  });
  return { body: answer, headers: replayed ? { "idempotent-replayed": "true" } : {} };
}

/** A wallet's token is of a person; whoever else has the scope has nobody's questions to answer. */
function personOf({ subject }: Caller): Id<"account"> {
  const person = parseId("account", subject);
  if (person === undefined) throw new Problem("forbidden", { detail: "Only a person answers here." });
  return person;
}

async function existing({ approvals }: Deps, named: Named): Promise<Approval> {
  const found = await approvals.find(named);
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such approval." });
  return found;
}

type Named = Parameters<Approvals["find"]>[0];

const namedBy = (caller: Caller, id: Id<"approval">) => ({
  tenant: caller.tenant,
  principal: personOf(caller),
  id,
});

const answererOf = (call: Keyed): Answerer => ({
  account: personOf(call.caller),
  ip: call.ip,
  userAgent: call.header("user-agent"),
  signedIn: {
    atS: call.caller.claims.auth_time,
    acr: call.caller.claims.acr,
    amr: call.caller.claims.amr,
  },
});

function bodyOf(approval: Approval, agentName: string): Body {
  const { request, resources, kind } = approval.subject;
  const { details, validUntil } = request;
  return {
    id: approval.id,
    kind,
    status: approval.state,
    agent: { id: approval.agent, name: agentName },
    binding_message: approval.question.bindingMessage ?? null,
    asks: {
      currency: details.currency,
      amount_minor: details.amount_minor,
      per_charge_minor: details.per_charge_minor ?? null,
      merchants: [...(details.merchants ?? [])],
      categories: [...(details.categories ?? [])],
      rails: [...(details.rails ?? [])],
      uses: details.uses,
      purpose: details.purpose ?? null,
      valid_until: toRfc3339(validUntil),
      resources: Object.keys(resources),
      sentences: [...describeMandate(request)],
    },
    times_asked: approval.askedCount,
    asked_at: toRfc3339(approval.askedAt),
    expires_at: toRfc3339(approval.expiresAt),
    answered_at: approval.answeredAt === undefined ? null : toRfc3339(approval.answeredAt),
    mandate_id: approval.mandate ?? null,
  };
}
