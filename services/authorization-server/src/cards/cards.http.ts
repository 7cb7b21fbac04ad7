import type { Id } from "@remit/kernel";
import { type Call, nothing, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import { z } from "zod";
import { agentById, unknownAgent } from "../agents/index.ts";
import { type PublishedAgent, publishedAgent } from "../dids/index.ts";
import { type Kept, publish } from "../documents/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import {
  type AgentCard,
  canonicalCard,
  cardOfAgent,
  cardOfServer,
  type SignedCard,
  signCard,
} from "./card.ts";
import { recordOf } from "./record.ts";

export type CardDeps = {
  readonly issuer: string;
  readonly db: Database;
  readonly keys: IssuerKeys;
  /** Of this program. */
  readonly version: string;
  /** Cards that were signed, by what they say and by which key. */
  readonly signed: Kept<SignedCard>;
};

const Card = z.looseObject({
  name: z.string(),
  description: z.string(),
  version: z.string(),
  capabilities: z.looseObject({}),
  skills: z.array(z.looseObject({ id: z.string() })),
  signatures: z.array(z.object({ protected: z.string(), signature: z.string() })),
});
const AgntcyRecord = z.looseObject({
  schema_version: z.string(),
  name: z.string(),
  skills: z.array(z.looseObject({})),
});
const AgentPath = z.strictObject({ id: idOf("agent") });
const refusals = { 404: "not_found", 410: "document_gone" } as const;

/** Cards of the issuer and of public agents, and their AGNTCY records. A private agent has neither for strangers. */
export const cardRoutes = (deps: CardDeps): Route[] => [
  serverRoute(deps, "/.well-known/agent-card.json"),
  serverRoute(deps, "/did/card"),
  serverRoute(deps, "/api/v1/did/card"),
  agentRoute(deps, "/agents/:id/agent-card.json"),
  agentRoute(deps, "/api/v1/agents/:id/did/card"),
  recordRoute(deps),
  ownRecordRoute(deps),
];

const serverRoute = (deps: CardDeps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "The issuer's A2A agent card, signed",
    needs: "public",
    answers: { 200: Card, 304: nothing },
    handle: (call) => answerCard(deps, call, cardOfServer(deps.issuer, deps.version)),
  });

const agentRoute = (deps: CardDeps, path: string): Route =>
  route({
    method: "GET",
    path,
    summary: "A public agent's A2A agent card, signed by the issuer",
    needs: "public",
    params: AgentPath,
    answers: { 200: Card, 304: nothing, ...refusals },
    handle: async (call, { params }) =>
      answerCard(deps, call, cardOfAgent(deps.issuer, await listedAgent(deps.db, params.id))),
  });

/** A version of a card is signed once by a key, however often strangers ask for it. */
const signedCard = (deps: CardDeps, card: AgentCard): Promise<SignedCard> =>
  deps.signed.get(`${deps.keys.currentKey("card").kid} ${sha256b64url(canonicalCard(card))}`, () =>
    signCard(card, deps),
  );

async function answerCard(deps: CardDeps, call: Call, card: AgentCard) {
  const { card: signed, kid } = await signedCard(deps, card);
  // The schema checks the answer before it leaves; its input type knows no more than that.
  const body = signed as z.input<typeof Card>;
  const says = `${kid} ${canonicalCard(card)}`;
  return publish(call, { type: "application/json", says, body });
}

const recordRoute = (deps: CardDeps): Route =>
  route({
    method: "GET",
    path: "/agents/:id/agntcy-record.json",
    summary: "A public agent's AGNTCY record (OASF)",
    needs: "public",
    params: AgentPath,
    answers: { 200: AgntcyRecord, 304: nothing, ...refusals },
    handle: async (call, { params }) => {
      const found = await listedAgent(deps.db, params.id);
      const unsigned = cardOfAgent(deps.issuer, found);
      const facts = { ...found, issuer: deps.issuer, forItsOwn: false };
      const { card } = await signedCard(deps, unsigned);
      const says = JSON.stringify(recordOf({ ...facts, card: unsigned }));
      return publish(call, { type: "application/json", says, body: recordBody({ ...facts, card }) });
    },
  });

const ownRecordRoute = (deps: CardDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents/:id/agntcy-record",
    summary:
      "The AGNTCY record (OASF) of one of the organization's agents, with what only the organization may know",
    needs: { scope: "agents:read", bearer: true },
    params: AgentPath,
    answers: { 200: AgntcyRecord, ...refusals },
    handle: async ({ caller }, { params }) => {
      const own = await deps.db.of(caller.tenant).transaction((tx) => agentById(tx, params.id));
      if (own === undefined) throw unknownAgent();
      const found = await publishedAgent(deps.db, own.id);
      const { card } = await signedCard(deps, cardOfAgent(deps.issuer, found));
      return { status: 200, body: recordBody({ ...found, issuer: deps.issuer, card, forItsOwn: true }) };
    },
  });

/** The schema checks the answer before it leaves; its input type knows no more than that. */
const recordBody = (facts: Parameters<typeof recordOf>[0]) => recordOf(facts) as z.input<typeof AgntcyRecord>;

/** A public agent that may act. A private or suspended one answers as one that there is not. */
async function listedAgent(db: Database, id: Id<"agent">): Promise<PublishedAgent> {
  const found = await publishedAgent(db, id);
  if (!found.agent.isPublic || !found.active) throw unknownAgent();
  return found;
}
