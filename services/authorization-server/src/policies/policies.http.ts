import { minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { type Call, type Caller, nothing, type Route, route } from "@remit/platform/http";
import {
  ActivatePolicy,
  ChangePolicy,
  CreatePolicy,
  DecisionPage,
  DecisionQuery,
  EndpointPermissions,
  ExplainPolicy,
  idOf,
  PolicyBody,
  PolicyExplanation,
  PolicyList,
  PolicySchema,
  PolicyValidation,
  PolicyWithContent,
  ValidatePolicy,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { requireFreshProof } from "../assurance/index.ts";
import { endpointPermissions } from "./actions.ts";
import { type ExplainDeps, explain } from "./explain.ts";
import {
  activatePolicy,
  type By,
  changePolicy,
  createPolicy,
  decisionsOf,
  errorsIn,
  type Policy,
  policiesOf,
  removePolicy,
  writtenPolicy,
} from "./policies.ts";

type Deps = ExplainDeps & { readonly cursors: Cursors };

const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const PolicyPath = z.strictObject({ id: idOf("policy") });
const unproven = "insufficient_user_authentication" as const;

/** Policies of an organization: saved, tried, then activated. Changes take a fresh proof, and no policy stands in their way. */
export const policyRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
  activateRoute(deps),
  deactivateRoute(deps),
  validateRoute(deps),
  explainRoute(deps),
  decisionsRoute(deps),
  permissionsRoute(deps),
  schemaRoute(deps),
];

const byOf = ({ caller, now }: Call & { readonly caller: Caller }): By => ({
  actor: { type: caller.actor.type === "account" ? "account" : "client", id: caller.actor.id },
  now,
});

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/policies",
    summary: "Save a policy; it decides nothing before it is activated",
    needs,
    limit,
    body: CreatePolicy,
    answers: {
      201: PolicyBody,
      400: ["invalid_request", "policy_invalid"],
      401: unproven,
      409: ["policy_name_taken", "policy_limit_reached"],
    },
    handle: async (call, { body }) => {
      requireFreshProof(call);
      const policy = await createPolicy(deps, call.caller.tenant, { ...body, by: byOf(call) });
      return { status: 201, headers: { location: `/api/v1/policies/${policy.id}` }, body: bodyOf(policy) };
    },
  });

const listRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/policies",
    summary: "The organization's policies",
    needs,
    limit,
    answers: { 200: PolicyList },
    handle: async ({ caller }) => {
      const found = await policiesOf(db, caller.tenant);
      return { status: 200, body: { data: found.map(bodyOf) } };
    },
  });

const readRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/policies/:id",
    summary: "One policy, with the text of its newest version or of another",
    needs,
    limit,
    params: PolicyPath,
    query: z.strictObject({ version: z.coerce.number().int().min(1).max(1_000_000).optional() }),
    answers: { 200: PolicyWithContent, 404: "not_found" },
    handle: async ({ caller }, { params, query }) => {
      const asked = { id: params.id, version: query.version };
      const { policy, version, content, by } = await writtenPolicy(db, caller.tenant, asked);
      const text = { content, content_version: version, content_by: by };
      return { status: 200, body: { ...bodyOf(policy), ...text } };
    },
  });

const changeRoute = (deps: Deps): Route =>
  route({
    method: "PUT",
    path: "/api/v1/policies/:id",
    summary: "Save another version; what decides goes on deciding until this one is activated",
    needs,
    limit,
    params: PolicyPath,
    body: ChangePolicy,
    answers: {
      200: PolicyBody,
      400: ["invalid_request", "policy_invalid"],
      401: unproven,
      404: "not_found",
      409: "policy_name_taken",
    },
    handle: async (call, { params, body }) => {
      requireFreshProof(call);
      const change = { id: params.id, name: body.name, content: body.content, by: byOf(call) };
      return { status: 200, body: bodyOf(await changePolicy(deps, call.caller.tenant, change)) };
    },
  });

const removeRoute = (deps: Deps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/policies/:id",
    summary: "Remove a policy that decides nothing",
    needs,
    limit,
    params: PolicyPath,
    answers: { 204: nothing, 401: unproven, 404: "not_found", 409: "policy_active" },
    handle: async (call, { params }) => {
      requireFreshProof(call);
      await removePolicy(deps, call.caller.tenant, { id: params.id, by: byOf(call) });
      return { status: 204 };
    },
  });

const activateRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/policies/:id/activate",
    summary: "Let the newest version decide, or another; in every process within a second",
    needs,
    limit,
    params: PolicyPath,
    body: ActivatePolicy,
    answers: {
      200: PolicyBody,
      400: "policy_invalid",
      401: unproven,
      404: "not_found",
      409: "policy_limit_reached",
    },
    handle: async (call, { params, body }) => {
      requireFreshProof(call);
      const wanted = { id: params.id, version: body.version ?? ("newest" as const), by: byOf(call) };
      return { status: 200, body: bodyOf(await activatePolicy(deps, call.caller.tenant, wanted)) };
    },
  });

const deactivateRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/policies/:id/deactivate",
    summary: "Let a policy decide nothing any more",
    needs,
    limit,
    params: PolicyPath,
    answers: { 200: PolicyBody, 401: unproven, 404: "not_found" },
    handle: async (call, { params }) => {
      requireFreshProof(call);
      const wanted = { id: params.id, version: "none" as const, by: byOf(call) };
      return { status: 200, body: bodyOf(await activatePolicy(deps, call.caller.tenant, wanted)) };
    },
  });

const validateRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/policies/validate",
    summary: "Whether a text could be a policy, and if not, why",
    needs,
    limit,
    body: ValidatePolicy,
    answers: { 200: PolicyValidation },
    handle: async (_call, { body }) => {
      const errors = await errorsIn(deps, body);
      return { status: 200, body: { valid: errors.length === 0, errors: [...errors] } };
    },
  });

const explainRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/policies/explain",
    summary: "What would be decided of a call that nobody makes, by which policies, and why",
    needs,
    limit,
    body: ExplainPolicy,
    answers: { 200: PolicyExplanation, 400: ["invalid_request", "policy_invalid"] },
    handle: async ({ caller, now }, { body }) => ({
      status: 200,
      body: await explain(deps, caller.tenant, { asked: body, now }),
    }),
  });

const decisionsRoute = ({ db, cursors }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/policies/decisions",
    summary: "What policies decided in the last 30 days, newest first",
    needs: { scope: "audit:read", bearer: true },
    limit,
    query: DecisionQuery,
    answers: { 200: DecisionPage, 400: "cursor_invalid" },
    handle: async ({ caller }, { query }) => {
      const { cursor, decision } = query;
      const bound = {
        list: "decisions",
        tenant: caller.tenant,
        ...(decision === undefined ? {} : { decision }),
      };
      const before = cursor === undefined ? undefined : parseId("decision", cursors.read(bound, cursor));
      const window = { before, decision, limit: query.limit + 1 };
      const found = await decisionsOf(db, caller.tenant, window);
      const shown = found.slice(0, query.limit);
      const last = found.length > query.limit ? shown.at(-1) : undefined;
      const data = shown.map((row) => ({ ...row, at: toRfc3339(row.at) }));
      const next_cursor = last === undefined ? null : cursors.make(bound, last.id);
      return { status: 200, body: { data, next_cursor } };
    },
  });

const permissionsRoute = ({ language }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/policies/endpoint-permissions",
    summary: "The scope map: which scopes each call needs, one of which suffices",
    needs,
    limit,
    answers: { 200: EndpointPermissions },
    handle: () => ({
      status: 200,
      body: { endpoint_permissions: endpointPermissions(language().actions) },
    }),
  });

const schemaRoute = ({ language }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/policies/schema",
    summary: "The Cedar schema that policies are validated against",
    needs,
    limit,
    answers: { 200: PolicySchema },
    handle: () => ({ status: 200, body: { cedar_schema: language().cedar.schema } }),
  });

const bodyOf = ({ id, name, kind, version, activeVersion, createdAt, changedAt }: Policy) => ({
  id,
  name,
  kind,
  version,
  active_version: activeVersion ?? null,
  created_at: toRfc3339(createdAt),
  changed_at: toRfc3339(changedAt),
});
