import { type Instant, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import { isScope, mayBeBearer, Problem, parseScope } from "@remit/protocol";
import {
  CreateTrustPolicy,
  idOf,
  RemoveTrustPolicy,
  TrustPolicyBody,
  TrustPolicyPage,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { agentById } from "../agents/index.ts";
import { type Github, idsOf } from "./github.ts";
import type { GithubRules } from "./rules.ts";
import {
  type By,
  createTrust,
  isStanding,
  type NewTrust,
  removeTrust,
  type Trust,
  trustById,
  trustsOf,
} from "./trusts.ts";

export type PolicyDeps = {
  readonly db: Database;
  readonly github: Pick<Github, "api">;
  readonly githubOutbound: Pick<Outbound, "request">;
};

const PolicyPath = z.strictObject({ id: idOf("trust") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("trust").optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 60, windowMs: minuteMs, by: "tenant" } as const;
const path = "/api/v1/oidc/trust-policies";

/** Trusts in workflows of GitHub Actions, as the AgentIdP API names them. */
export const policyRoutes = (deps: PolicyDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  removeRoute(deps),
];

const byOf = (call: { readonly caller: Caller; readonly now: Instant }): By => ({
  actor: actorOf(call.caller),
  now: call.now,
});

const createRoute = (deps: PolicyDeps): Route =>
  route({
    method: "POST",
    path,
    summary: "Take a workflow's token for one of the organization's agents, or let it register one",
    needs,
    limit,
    body: CreateTrustPolicy,
    answers: {
      201: TrustPolicyBody,
      400: ["invalid_request", "invalid_scope", "outbound_refused"],
      502: "outbound_failed",
    },
    handle: async (call, { body }) => {
      const rules = await rulesOf(deps, body);
      const trust = await deps.db.of(call.caller.tenant).transaction(async (tx) => {
        const scopes = await scopesOf(tx, body);
        const wanted: NewTrust = {
          name: body.repository,
          client: body.agentId,
          scopes,
          bearer: scopes.every((scope) => isScope(scope) && mayBeBearer(scope)),
          rules,
          expiresAt: undefined,
        };
        return createTrust(tx, wanted, byOf(call));
      });
      return { status: 201, body: bodyOf(trust, rules, call.now) };
    },
  });

async function rulesOf(deps: PolicyDeps, body: CreateTrustPolicy): Promise<GithubRules> {
  const { repository, repositoryId, repositoryOwnerId, branch, environment } = body;
  const ids =
    repositoryId === undefined || repositoryOwnerId === undefined
      ? await idsOf(deps, repository)
      : { repository_id: repositoryId, repository_owner_id: repositoryOwnerId };
  return {
    kind: "github",
    repository,
    ...ids,
    ...(branch === undefined ? {} : { ref: `refs/heads/${branch}` }),
    ...(environment === undefined ? {} : { environment }),
  };
}

/** What is asked for; else what the agent may do without a key, or for agents to come, to look at themselves. */
async function scopesOf(tx: TenantTx, { agentId, scopes }: CreateTrustPolicy): Promise<readonly string[]> {
  if (scopes !== undefined) return [...new Set(scopes.map((scope) => parseScope(scope) ?? scope))];
  if (agentId === undefined) return ["agents:read"];
  const held = ((await agentById(tx, agentId))?.scopes ?? []).filter(mayBeBearer);
  if (held.length === 0)
    throw new Problem("invalid_request", {
      detail: "scopes: the agent has none of its own that a token without a key may carry; name them.",
    });
  return held;
}

const listRoute = ({ db }: PolicyDeps): Route =>
  route({
    method: "GET",
    path,
    summary: "The organization's trust in workflows, newest first",
    needs,
    query: Page,
    answers: { 200: TrustPolicyPage },
    handle: async (call, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor, kind: "github" } as const;
      const found = await db.of(call.caller.tenant).transaction((tx) => trustsOf(tx, page));
      const shown = found.slice(0, query.limit);
      const nextCursor = (found.length > query.limit ? shown.at(-1)?.id : undefined) ?? null;
      const data = shown.flatMap((trust) =>
        trust.rules.kind === "github" ? [bodyOf(trust, trust.rules, call.now)] : [],
      );
      return { status: 200, body: { data, nextCursor } };
    },
  });

const removeRoute = ({ db }: PolicyDeps): Route =>
  route({
    method: "DELETE",
    path: `${path}/:id`,
    summary:
      "Take a workflow's tokens no more; those it got end with it, and agents that it registered are suspended or kept",
    needs,
    criticality: "critical",
    limit,
    params: PolicyPath,
    query: RemoveTrustPolicy,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params, query }) => {
      await db.of(call.caller.tenant).transaction(async (tx) => {
        const { rules } = await trustById(tx, params.id);
        if (rules.kind !== "github") throw new Problem("not_found", { detail: "There is no such trust." });
        await removeTrust(tx, params.id, { ...byOf(call), agents: query.agents });
      });
      return { status: 204 };
    },
  });

const bodyOf = (trust: Trust, rules: GithubRules, now: Instant): z.input<typeof TrustPolicyBody> => ({
  id: trust.id,
  provider: "github",
  repository: rules.repository ?? null,
  repositoryId: rules.repository_id,
  repositoryOwnerId: rules.repository_owner_id,
  branch: rules.ref?.replace("refs/heads/", "") ?? null,
  environment: rules.environment ?? null,
  agentId: parseId("agent", trust.client) ?? null,
  scopes: [...trust.scopes],
  status: trust.status === "active" && !isStanding(trust, now) ? "expired" : trust.status,
  createdAt: toRfc3339(trust.createdAt),
});
