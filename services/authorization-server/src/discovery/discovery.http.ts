import { after, type Clock, dayMs, toRfc3339 } from "@remit/kernel";
import { type Mount, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { type Agent, agentById, tenantOfAgent } from "../agents/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import { mandateType } from "./credential-type.ts";
import { type DidDocument, didDocument, didDocumentOfAgent, didOfServer } from "./did.ts";

type Deps = {
  readonly issuer: string;
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly clock: Clock;
};

const Did = z.looseObject({ id: z.string() });
const AgentPath = z.strictObject({ id: idOf("agent") });
const cached = { "cache-control": "public, max-age=300", "access-control-allow-origin": "*" };

/** Who we and our agents are, for strangers: DID documents and where to report a flaw. */
export function discoveryRoutes(deps: Deps): Route[] {
  const { issuer, db, keys } = deps;
  const server = route({
    method: "GET",
    path: "/.well-known/did.json",
    summary: "The issuer's DID document (did:web)",
    needs: "public",
    answers: { 200: Did },
    handle: () => ({ status: 200, headers: cached, body: { ...serverDocument(issuer, keys) } }),
  });
  const ofAgent = (path: string): Route =>
    route({
      method: "GET",
      path,
      summary: "An agent's DID document (did:web); gone once it is decommissioned",
      needs: "public",
      params: AgentPath,
      answers: { 200: Did, 404: "not_found", 410: "document_gone" },
      handle: async (_, { params }) => {
        const agent = await publicAgent(db, params.id);
        return { status: 200, headers: cached, body: { ...didDocumentOfAgent(issuer, agent) } };
      },
    });
  return [server, ofAgent("/agents/:id/did.json"), ofAgent("/agents/:id/did"), ...credentialRoutes(issuer)];
}

/** What a verifier of mandates looks up (draft-ietf-oauth-sd-jwt-vc §5 and §6). */
const credentialRoutes = (issuer: string): Route[] => [
  route({
    method: "GET",
    path: "/.well-known/jwt-vc-issuer",
    summary: "Where the keys are that sign mandates",
    needs: "public",
    answers: { 200: z.object({ issuer: z.string(), jwks_uri: z.string() }) },
    handle: () => ({
      status: 200,
      headers: cached,
      body: { issuer, jwks_uri: `${issuer}/.well-known/jwks.json` },
    }),
  }),
  route({
    method: "GET",
    path: "/vct/mandate/1",
    summary: "What a mandate's claims mean, and which its holder may withhold",
    needs: "public",
    answers: { 200: z.looseObject({ vct: z.string() }) },
    handle: () => ({ status: 200, headers: cached, body: { ...mandateType(issuer) } }),
  }),
];

function serverDocument(issuer: string, keys: IssuerKeys): DidDocument {
  const named = keys.jwks(["mandate", "receipt"]).keys;
  return didDocument(
    didOfServer(issuer),
    named.map((jwk) => ({ name: jwk.kid ?? "key", jwk })),
  );
}

async function publicAgent(db: Database, id: Agent["id"]): Promise<Agent> {
  const tenant = await db.global.transaction((tx) => tenantOfAgent(tx, id));
  const agent = tenant && (await db.of(tenant).transaction((tx) => agentById(tx, id)));
  if (agent === undefined) throw new Problem("not_found");
  if (agent.status === "decommissioned") throw new Problem("document_gone");
  return agent;
}

/** RFC 9116. */
export const securityTxt = ({ issuer, clock }: Pick<Deps, "issuer" | "clock">): Mount => ({
  paths: ["/.well-known/security.txt"],
  handle: ({ raw }) => {
    const expires = toRfc3339(after(clock.now(), 180 * dayMs));
    const host = new URL(issuer).hostname;
    raw.res.writeHead(200, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "public, max-age=3600",
    });
    raw.res.end(
      `Contact: mailto:security@${host}\nExpires: ${expires}\nCanonical: ${issuer}/.well-known/security.txt\nPreferred-Languages: en\n`,
    );
  },
});
