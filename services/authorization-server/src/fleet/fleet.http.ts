import { type Clock, type Id, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { nothing, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { type JsonObject, Problem } from "@remit/protocol";
import {
  AgentBody,
  AgentPage,
  AgentQuery,
  ChangeAgent,
  CreateAgent,
  ImportedAgents,
  idOf,
  ReplaceAgentKeys,
} from "@remit/protocol/contracts";
import { thumbprint } from "@remit/protocol/node";
import { z } from "zod";
import {
  type Agent,
  type AgentFilter,
  type AgentReads,
  type AgentStatus,
  agentsOf,
  countAgents,
  unknownAgent,
} from "../agents/index.ts";
import { requireFreshProof } from "../assurance/index.ts";
import { change, managingOf, newAgentOf, replaceKeys, stand } from "./fleet.ts";
import { importAgents, importBytesMax } from "./import.ts";
import type { Registrations } from "./registrations.ts";

export type FleetDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly reads: AgentReads;
  readonly cursors: Cursors;
  readonly didOf: (id: Id<"agent">) => string;
  readonly registrations: Registrations;
};

export const AgentPath = z.strictObject({ id: idOf("agent") });
const reads = { scope: "agents:read", bearer: true } as const;
const writes = { scope: "agents:write", bearer: true } as const;
const refusedAgent = ["invalid_request", "invalid_scope", "key_in_use"] as const;

/** What the operator of a company's agents sees and does. Every standing counts at once, for issued tokens too. */
export const fleetRoutes = (deps: FleetDeps): Route[] => [
  createRoute(deps),
  importRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  keysRoute(deps),
  removeRoute(deps),
  standRoute(deps, { path: "suspend", to: "suspended", summary: "Stop an agent at once" }),
  standRoute(deps, { path: "reactivate", to: "active", summary: "Let a suspended agent act again" }),
  standRoute(deps, { path: "decommission", to: "decommissioned", summary: "Retire an agent for good" }),
];

const createRoute = (deps: FleetDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/agents",
    summary: "Register an agent",
    needs: writes,
    body: CreateAgent,
    answers: {
      201: AgentBody,
      400: refusedAgent,
      403: "agent_limit_reached",
      409: "agent_exists",
    },
    handle: async (call, { body }) => {
      const agent = await deps.registrations.add(newAgentOf(body, call.caller), managingOf(call));
      const headers = { location: `/api/v1/agents/${agent.id}` };
      return { status: 201, headers, body: bodyOf(deps, agent) };
    },
  });

const importRoute = (deps: FleetDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/agents/import",
    summary: "Register many agents: a JSON array, or one JSON object on each line; each row by itself",
    needs: writes,
    body: "raw",
    bodyBytesMax: importBytesMax,
    answers: { 200: ImportedAgents, 400: "invalid_request" },
    limit: { count: 30, windowMs: minuteMs, by: "tenant" },
    handle: async (call, { body }) => ({
      status: 200,
      body: await importAgents(deps, managingOf(call), body),
    }),
  });

const listRoute = (deps: FleetDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents",
    summary: "The organization's agents, newest first",
    needs: reads,
    query: AgentQuery,
    answers: { 200: AgentPage, 400: "cursor_invalid" },
    handle: async (call, { query: { limit, cursor, page, ...filter } }) => {
      const { tenant } = call.caller;
      const bound = boundTo(tenant, filter);
      const before = cursor === undefined ? undefined : parseId("agent", deps.cursors.read(bound, cursor));
      const window = { limit: limit + 1, before, offset: page === undefined ? 0 : (page - 1) * limit };
      const { found, total } = await deps.db.of(tenant).transaction(async (tx) => ({
        found: await agentsOf(tx, filter, window),
        total: page === undefined ? undefined : await countAgents(tx, filter),
      }));
      const shown = found.slice(0, limit);
      const last = found.length > limit ? shown.at(-1) : undefined;
      const data = shown.map((agent) => bodyOf(deps, agent));
      const nextCursor = last === undefined ? null : deps.cursors.make(bound, last.id);
      return {
        status: 200,
        body: { data, nextCursor, limit, ...(page === undefined ? {} : { page, total }) },
      };
    },
  });

/** A cursor is good for the tenant and the filter that it was given for (V07). */
const boundTo = (tenant: string, filter: AgentFilter): JsonObject => ({
  list: "agents",
  tenant,
  ...Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)),
});

const readRoute = (deps: FleetDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents/:id",
    summary: "One agent",
    needs: reads,
    params: AgentPath,
    answers: { 200: AgentBody, 404: "not_found" },
    handle: async (call, { params }) => {
      const agent = await deps.reads.agentOf(call.caller.tenant, params.id);
      if (agent === undefined) throw unknownAgent();
      return { status: 200, body: bodyOf(deps, agent) };
    },
  });

const changeRoute = (deps: FleetDeps): Route =>
  route({
    method: "PATCH",
    path: "/api/v1/agents/:id",
    summary: "Change what is said of an agent, or its standing",
    needs: writes,
    params: AgentPath,
    body: ChangeAgent,
    answers: {
      200: AgentBody,
      400: refusedAgent,
      404: "not_found",
      409: ["agent_decommissioned", "agent_exists"],
    },
    handle: async (call, { params, body }) => {
      const work = deps.db.of(call.caller.tenant);
      const agent = await work.transaction((tx) =>
        change(tx, params.id, { ...managingOf(call), asked: body }),
      );
      return { status: 200, body: bodyOf(deps, agent) };
    },
  });

const keysRoute = (deps: FleetDeps): Route =>
  route({
    method: "PUT",
    path: "/api/v1/agents/:id/keys",
    summary: "Replace one or both keys of an agent; with another DPoP key its mandates are suspended",
    needs: { scope: "agents:write" },
    params: AgentPath,
    body: ReplaceAgentKeys,
    answers: {
      200: AgentBody,
      400: ["invalid_request", "key_in_use"],
      401: "insufficient_user_authentication",
      403: "client_not_allowed",
      404: "not_found",
      409: "agent_decommissioned",
    },
    limit: { count: 60, windowMs: minuteMs, by: "tenant" },
    handle: async (call, { params, body }) => {
      if (call.caller.actor.type === "agent")
        throw new Problem("client_not_allowed", {
          detail: "An agent's keys are for its operator to replace.",
        });
      requireFreshProof(call);
      const work = deps.db.of(call.caller.tenant);
      const agent = await work.transaction((tx) =>
        replaceKeys(tx, params.id, { ...managingOf(call), asked: body }),
      );
      return { status: 200, body: bodyOf(deps, agent) };
    },
  });

const removeRoute = (deps: FleetDeps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/agents/:id",
    summary: "Retire an agent for good; what it did stays known",
    needs: writes,
    criticality: "critical",
    params: AgentPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      const work = deps.db.of(call.caller.tenant);
      await work.transaction((tx) => stand(tx, params.id, { ...managingOf(call), to: "decommissioned" }));
      return { status: 204 };
    },
  });

const standRoute = (
  deps: FleetDeps,
  { path, to, summary }: { path: string; to: AgentStatus; summary: string },
): Route =>
  route({
    method: "POST",
    path: `/api/v1/agents/:id/${path}`,
    summary,
    needs: writes,
    criticality: to === "suspended" ? "critical" : "sheddable",
    params: AgentPath,
    answers: { 200: AgentBody, 404: "not_found", 409: "agent_decommissioned" },
    handle: async (call, { params }) => {
      const work = deps.db.of(call.caller.tenant);
      const agent = await work.transaction((tx) => stand(tx, params.id, { ...managingOf(call), to }));
      return { status: 200, body: bodyOf(deps, agent) };
    },
  });

const bodyOf = ({ didOf }: Pick<FleetDeps, "didOf">, agent: Agent): z.input<typeof AgentBody> => ({
  agentId: agent.id,
  organizationId: agent.tenant,
  name: agent.name,
  email: agent.email ?? null,
  agentType: agent.agentType,
  version: agent.version,
  capabilities: [...agent.capabilities],
  owner: agent.owner ?? null,
  deploymentEnv: agent.deploymentEnv,
  status: agent.status,
  isPublic: agent.isPublic,
  scopes: [...agent.scopes],
  did: didOf(agent.id),
  assertionThumbprint: agent.assertionJwk === undefined ? null : thumbprint(agent.assertionJwk),
  dpopThumbprint: agent.dpopThumbprint ?? null,
  createdAt: toRfc3339(agent.createdAt),
  updatedAt: toRfc3339(agent.updatedAt),
});
