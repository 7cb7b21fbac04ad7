import { minuteMs } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { agentById, unknownAgent } from "../agents/index.ts";
import { publish } from "../documents/index.ts";
import { didOfAgent } from "./did.ts";
import { didDocumentOfAgent, didDocumentOfServer } from "./dids.ts";
import { didTypeFor, didTypes } from "./media-types.ts";
import { publishedAgent } from "./published-agent.ts";
import { type ResolveDeps, resolveDid } from "./resolve.ts";

const Did = z.looseObject({ id: z.string() });
const AgentPath = z.strictObject({ id: idOf("agent") });
const DidQuery = z.strictObject({ did: z.string().min(1).max(512) });
const Resolved = z.object({
  didDocument: Did,
  didDocumentMetadata: z.record(z.string(), z.string()),
  didResolutionMetadata: z.object({ contentType: z.string() }),
});

/** DID documents of the issuer and of each agent, and a resolver of any did:web. */
export const didRoutes = (deps: ResolveDeps): Route[] => [
  serverRoute(deps),
  // The first is where resolvers of did:web look, the others are where clients of the AgentIdP API do.
  agentRoute(deps, "/agents/:id/did.json"),
  agentRoute(deps, "/agents/:id/did"),
  agentRoute(deps, "/api/v1/agents/:id/did"),
  resolveRoute(deps, "/did/resolve"),
  resolveRoute(deps, "/api/v1/did/resolve"),
  resolveAgentRoute(deps),
];

const serverRoute = ({ issuer, keys }: ResolveDeps): Route =>
  route({
    method: "GET",
    path: "/.well-known/did.json",
    summary: "The issuer's DID document (did:web)",
    needs: "public",
    answers: { 200: Did, 304: nothing },
    types: didTypes,
    handle: (call) => {
      const type = didTypeFor(call.header("accept"));
      return publish(call, { type, body: { ...didDocumentOfServer(issuer, keys) } });
    },
  });

const agentRoute = ({ issuer, db }: ResolveDeps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary:
      "An agent's DID document (did:web): its keys, good for nothing while it is suspended; gone with it",
    needs: "public",
    params: AgentPath,
    answers: { 200: Did, 304: nothing, 404: "not_found", 410: "document_gone" },
    types: didTypes,
    handle: async (call, { params }) => {
      const found = await publishedAgent(db, params.id);
      const type = didTypeFor(call.header("accept"));
      return publish(call, { type, body: { ...didDocumentOfAgent(issuer, found) } });
    },
  });

const needs = { scope: "agents:read", bearer: true } as const;
const refusals = { 404: "not_found", 410: "document_gone" } as const;

const resolveRoute = (deps: ResolveDeps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "Resolve a did:web: ours, or another host's",
    needs,
    query: DidQuery,
    answers: { 200: Resolved, 400: "did_invalid", ...refusals, 502: "did_unresolvable" },
    // Each one of another host is a request that we send for the caller.
    limit: { count: 120, windowMs: minuteMs, by: "tenant" },
    handle: async ({ caller }, { query }) => ({
      status: 200,
      body: bodyOf(await resolveDid(deps, query.did, caller.tenant)),
    }),
  });

const resolveAgentRoute = (deps: ResolveDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents/:id/did/resolve",
    summary: "Resolve the DID of one of the organization's agents",
    needs,
    params: AgentPath,
    answers: { 200: Resolved, ...refusals },
    handle: async ({ caller }, { params }) => {
      const own = await deps.db.of(caller.tenant).transaction((tx) => agentById(tx, params.id));
      if (own === undefined) throw unknownAgent();
      const did = didOfAgent(deps.issuer, own.id);
      return { status: 200, body: bodyOf(await resolveDid(deps, did, caller.tenant)) };
    },
  });

const bodyOf = ({
  didDocument,
  ...rest
}: Awaited<ReturnType<typeof resolveDid>>): z.input<typeof Resolved> => ({
  ...rest,
  // A document of ours has an id, and one of another host was refused unless it has the one that was asked for.
  didDocument: didDocument as z.input<typeof Did>,
});
