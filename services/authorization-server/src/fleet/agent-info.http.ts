import { parseId } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem, type Scope, scopes } from "@remit/protocol";
import { z } from "zod";
import { agentById, claimsOfAgent } from "../agents/index.ts";

const AgentInfo = z.looseObject({ sub: z.string(), agent_id: z.string(), organization_id: z.string() });

/** Any scope will do: an agent learns about itself alone. */
const needs = { scope: scopes as readonly [Scope, ...Scope[]], bearer: true } as const; // there is a first scope

/** As OpenID's userinfo is for people: what the issuer says of the agent whose own token this is. */
export const agentInfoRoute = (db: Database): Route =>
  route({
    method: "GET",
    path: "/agent-info",
    summary: "What is known of the agent whose token this is",
    needs,
    answers: { 200: AgentInfo, 403: "client_not_allowed" },
    handle: async ({ caller }) => {
      const id = caller.subject === caller.client ? parseId("agent", caller.client) : undefined;
      const agent = id && (await db.of(caller.tenant).transaction((tx) => agentById(tx, id)));
      if (agent === undefined)
        throw new Problem("client_not_allowed", { detail: "This is for an agent, with a token of its own." });
      return { status: 200, headers: { "cache-control": "no-store" }, body: claimsOfAgent(agent) };
    },
  });
