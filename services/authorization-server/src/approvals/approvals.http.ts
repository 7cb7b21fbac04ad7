import { after, type Clock, type Id, parseId, secondMs } from "@remit/kernel";
import { type Caller, type CallOf, nothing, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  ApprovalBody,
  ApprovalList,
  ApprovalStatus,
  ApproveApproval,
  DenyApproval,
  idOf,
} from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import { z } from "zod";
import type { Waiting } from "../waiting/index.ts";
import type { Approvals, Within } from "./approvals.operations.ts";
import type { Answerer, Approval } from "./approvals.ts";
import { type Body, bodyOf } from "./bodies.ts";
import { type ConfirmingDeps, confirmationOf, proofOf } from "./confirming.ts";

const Path = z.strictObject({ id: idOf("approval") });
const waitSMax = 25;
const Page = z.strictObject({
  status: ApprovalStatus.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("approval").optional(),
  /** With If-None-Match: how long to wait for a list that differs, instead of answering 304 at once. */
  wait_s: z.coerce.number().int().min(0).max(waitSMax).default(0),
});

type Deps = ConfirmingDeps & {
  readonly db: Database;
  readonly clock: Clock;
  readonly approvals: Approvals;
  readonly waiting: Waiting;
  /** As its owner wrote it. */
  readonly nameOf: (approval: Approval) => Promise<string>;
};

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
    summary:
      "What agents asked of the caller, newest first. With If-None-Match and wait_s it answers as soon as the list changes",
    needs: { scope: "wallet:read" },
    query: Page,
    answers: { 200: ApprovalList, 304: nothing },
    handle: async (call, { query }) => {
      const person = personOf(call.caller);
      const known = call.header("if-none-match");
      const until = after(deps.clock.now(), query.wait_s * secondMs);
      let leave: (() => void) | undefined;
      try {
        for (;;) {
          // Asked for before the list is read: what changes meanwhile wakes us.
          const news = query.wait_s > 0 ? deps.waiting.next(person) : undefined;
          const body = await listFor(deps, call.caller, query);
          const etag = `"${sha256b64url(JSON.stringify(body)).slice(0, 22)}"`;
          const headers = { etag, "cache-control": "private, no-cache" };
          if (etag !== known) return { status: 200, body, headers };
          if (news === undefined || deps.clock.now() >= until || deps.waiting.isClosed())
            return { status: 304, headers };
          leave ??= deps.waiting.take(person);
          if (!(await call.waits(news))) return { status: 304, headers };
        }
      } finally {
        leave?.();
      }
    },
  });

async function listFor(
  { approvals, nameOf }: Deps,
  caller: Caller,
  { status, limit, cursor }: z.output<typeof Page>,
): Promise<z.input<typeof ApprovalList>> {
  const page = { principal: personOf(caller), state: status, before: cursor, limit: limit + 1 };
  const found = await approvals.list(caller.tenant, page);
  const shown = found.slice(0, limit);
  const next = found.length > limit ? (shown.at(-1)?.id ?? null) : null;
  const data = await Promise.all(shown.map(async (approval) => bodyOf(approval, await nameOf(approval))));
  return { data, next_cursor: next };
}

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/approvals/:id",
    summary: "One question of an agent, and its answer; a purchase that waits says how a yes is confirmed",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: ApprovalBody, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const found = await existing(deps, namedBy(caller, id));
      return {
        status: 200,
        body: bodyOf(found, await deps.nameOf(found), await confirmationOf(deps, found)),
      };
    },
  });

const approveRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/approvals/:id/approve",
    summary: "Say yes: the mandate is issued, or the purchase goes on, once",
    needs: { scope: "wallet:write" },
    params: Path,
    body: ApproveApproval,
    bodyBytesMax: 64 * 1024,
    idempotency: "required",
    answers: {
      200: ApprovalBody,
      401: ["insufficient_user_authentication", "step_up_refused", "passkey_refused"],
      403: ["agent_suspended", "mandate_revoked", "mandate_suspended", "token_revoked"],
      404: "not_found",
      409: ["approval_answered", "approval_expired", "authentication_pending"],
    },
    handle: async (call, { params: { id }, body }) => {
      const named = namedBy(call.caller, id);
      const { now, caller } = call;
      const approve = async (within: Within): Promise<Approval> => {
        const approval = await existing(deps, named);
        const saying = { caller, account: named.principal, now, assertion: body.assertion };
        const confirm = approval.state === "pending" ? await proofOf(deps, approval, saying) : undefined;
        const by = { ...answererOf(call), ...(confirm === undefined ? {} : { confirm }) };
        return deps.approvals.approve(named, by, within);
      };
      return { status: 200, ...(await once(deps, { call, named, name: "approve" }, approve)) };
    },
  });

const denyRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/approvals/:id/deny",
    summary: "Say no: the agent is told so, nothing is allowed, and what was held is free again",
    needs: { scope: "wallet:write" },
    criticality: "critical",
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

const namedBy = (caller: Caller, id: Id<"approval">): Named => ({
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
