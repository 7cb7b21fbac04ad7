import { minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import { type Actor, Problem } from "@remit/protocol";
import {
  CreateDelegation,
  DelegationPage,
  DelegationQuery,
  DelegationVerdict,
  HandedDelegation,
  idOf,
  VerifyDelegation,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { type NewLink, revokeDelegation, standingLinks } from "./delegations.ts";
import { examineHanded, type HandingDeps, handOver } from "./handing.ts";

export type DelegationDeps = HandingDeps & {
  readonly verified: () => void;
  readonly revoked: () => void;
};

const ChainPath = z.strictObject({ chain: idOf("delegation") });

/** Who acts is what counts here, so anything that an agent may have will do. */
const needs = {
  scope: [
    "agents:read",
    "agents:write",
    "audit:read",
    "oid4ac:payment",
    "tokens:read",
    "webhooks:read",
    "webhooks:write",
  ],
  bearer: true,
} as const;
const noStore = { "cache-control": "no-store" };

/** The calls stand under the names of the AgentIdP API and, like all of ours, under `/api/v1`. */
export const delegationRoutes = (deps: DelegationDeps): Route[] => [
  listRoute(deps),
  ...(["/oauth2/token", "/api/v1/token"] as const).flatMap((at) => [
    delegateRoute(deps, at),
    verifyRoute(deps, at),
    revokeRoute(deps, at),
  ]),
];

const listRoute = ({ db }: DelegationDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/delegations",
    summary: "What agents of the organization have handed to others and still stands, newest first",
    needs: { scope: "agents:read", bearer: true },
    limit: { count: 300, windowMs: minuteMs, by: "tenant" },
    query: DelegationQuery,
    answers: { 200: DelegationPage },
    handle: async ({ caller, now }, { query: { limit, cursor } }) => {
      const window = { before: cursor, limit: limit + 1, now };
      const found = await db.of(caller.tenant).transaction((tx) => standingLinks(tx, window));
      const data = found.slice(0, limit).map((one) => ({
        ...linkOf(one),
        parentId: one.parent ?? null,
        depth: one.depth,
        subject: one.subject,
        createdAt: toRfc3339(one.createdAt),
      }));
      return {
        status: 200,
        body: { data, nextCursor: found.length > limit ? (data.at(-1)?.chainId ?? null) : null },
      };
    },
  });

const delegateRoute = (deps: DelegationDeps, at: string): Route =>
  route({
    method: "POST",
    path: `${at}/delegate`,
    summary: "Hand a part of what an agent may do to another; the token is shown once",
    needs,
    limit: { count: 300, windowMs: minuteMs },
    body: CreateDelegation,
    answers: {
      201: HandedDelegation,
      400: ["invalid_request", "invalid_scope"],
      403: ["bound_token_required", "client_not_allowed"],
      409: "delegation_limit_reached",
      422: "delegation_budget_unenforceable",
    },
    handle: async ({ caller, now }, { body }) => {
      if (body.budget !== undefined) throw new Problem("delegation_budget_unenforceable");
      const { delegateeAgentId: to, scopes, ttlSeconds: ttlS, delegationToken: under } = body;
      const { delegation, token } = await handOver(deps, { to, scopes, ttlS, under, caller, now });
      return { status: 201, headers: noStore, body: { delegationToken: token, ...linkOf(delegation) } };
    },
  });

const verifyRoute = (deps: DelegationDeps, at: string): Route =>
  route({
    method: "POST",
    path: `${at}/verify-delegation`,
    summary: "Whether a delegation of the organization stands at this moment, and why not",
    needs,
    limit: { count: 1_200, windowMs: minuteMs },
    body: VerifyDelegation,
    answers: { 200: DelegationVerdict },
    handle: async ({ caller, now }, { body }) => {
      const asked = { tenant: caller.tenant, token: body.delegationToken, now };
      const found = await examineHanded(deps, asked);
      deps.verified();
      return { status: 200, headers: noStore, body: verdictOf(found) };
    },
  });

const revokeRoute = (deps: DelegationDeps, at: string): Route =>
  route({
    method: "DELETE",
    path: `${at}/delegate/:chain`,
    summary: "End a delegation and all that was handed on from it; again is no error",
    needs,
    criticality: "critical",
    limit: { count: 300, windowMs: minuteMs },
    params: ChainPath,
    answers: { 204: nothing, 403: "client_not_allowed", 404: "not_found" },
    handle: async ({ caller, now }, { params }) => {
      const by = { ...whoEnds(caller), now };
      const work = deps.db.of(caller.tenant);
      const ended = await work.transaction((tx) => revokeDelegation(tx, params.chain, by));
      if (ended.revokedAt === now) deps.revoked();
      return { status: 204 };
    },
  });

/** An agent ends what it handed over itself; who manages agents, and is none, ends any. */
function whoEnds(caller: Caller): { agent?: string; actor: Actor } {
  const { client, scopes, actor } = caller;
  if (client.startsWith("agt_")) return { agent: client, actor: { type: "agent", id: client } };
  if (actor.type === "agent" || !scopes.has("agents:write"))
    throw new Problem("client_not_allowed", {
      detail: "It takes agents:write to end what agents handed over.",
    });
  return { actor: actorOf(caller) };
}

const linkOf = ({ id, delegator, delegatee, scopes, expiresAt }: NewLink) => ({
  chainId: id,
  delegatorAgentId: delegator,
  delegateeAgentId: delegatee,
  scopes: [...scopes],
  expiresAt: toRfc3339(expiresAt),
});

const unknown = {
  chainId: null,
  delegatorAgentId: null,
  delegateeAgentId: null,
  subject: null,
  scopes: [],
  expiresAt: null,
  chain: [],
};

function verdictOf(found: Awaited<ReturnType<typeof examineHanded>>): z.input<typeof DelegationVerdict> {
  if (found.link === undefined) return { valid: false, reason: found.fault, ...unknown };
  const { link, path, scopes, fault } = found;
  return {
    valid: fault === undefined,
    reason: fault ?? null,
    ...linkOf(link),
    scopes: [...scopes],
    subject: link.subject,
    chain: path.map(linkOf),
  };
}
