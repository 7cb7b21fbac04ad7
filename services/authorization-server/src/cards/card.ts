import { resourceMetadataUrl } from "@remit/platform/http";
import { canonicalise, type Json, type JsonObject } from "@remit/protocol";
import type { Agent } from "../agents/index.ts";
import { didOfAgent, didOfServer, type PublishedAgent } from "../dids/index.ts";
import type { IssuerKeys } from "../keys/index.ts";

/**
 * An A2A agent card (A2A 1.0 §4.4.1) as JSON. Members with their usual value are left out, as §8.4.1 signs them; so are
 * `securitySchemes` (optional), which @a2a-js/sdk 1.3.0 loses from a card that it has parsed, and then it finds no valid
 * signature: an extension says where the same stands.
 */
export type AgentCard = JsonObject;

/** The version of A2A whose cards these are. */
export const cardSchemaVersion = "1.0";
const didExtension = "https://www.w3.org/ns/did/v1";
const authorizationExtension = "https://www.rfc-editor.org/rfc/rfc9728";
const json = ["application/json"];

/** The issuer's own card: what it does for agents, by its own API, which is no A2A. */
export const cardOfServer = (issuer: string, version: string): AgentCard => ({
  name: "Remit",
  description: "Gives an agent an identity, a budget and a receipt.",
  version,
  supportedInterfaces: [
    {
      url: `${issuer}/api/v1`,
      protocolBinding: `${issuer}/openapi.json`,
      protocolVersion: cardSchemaVersion,
    },
  ],
  documentationUrl: `${issuer}/openapi.json`,
  capabilities: capabilities(
    didOfServer(issuer),
    {
      document: `${issuer}/.well-known/did.json`,
      keys: `${issuer}/.well-known/http-message-signatures-directory`,
    },
    [authorizedAs(issuer)],
  ),
  defaultInputModes: json,
  defaultOutputModes: json,
  skills: [
    skill("identity", "Identity", "Registers agents and gives them keys, credentials and tokens."),
    skill("mandates", "Mandates", "Says what an agent may spend, and ends it at once."),
    skill("charges", "Charges", "Decides whether a purchase is allowed, and gives a receipt for it."),
  ],
});

const skill = (id: string, name: string, description: string): JsonObject => ({
  id,
  name,
  description,
  tags: [id],
});

/**
 * The card of a public agent: what its operator said of it for everybody. Neither its e-mail address nor its owner nor what
 * its tokens may do stands here.
 */
export function cardOfAgent(issuer: string, { agent, provider }: PublishedAgent): AgentCard {
  const about = `${issuer}/agents/${agent.id}`;
  return {
    name: publicNameOf(agent),
    description: descriptionOf(agent),
    version: agent.version,
    // Required (A2A 1.0 §4.4.1), and empty: where an agent itself answers we are not told. What is empty is not signed.
    supportedInterfaces: [],
    ...(provider === undefined ? {} : { provider: { organization: provider, url: issuer } }),
    capabilities: capabilities(didOfAgent(issuer, agent.id), {
      document: `${about}/did.json`,
      keys: `${about}/http-message-signatures-directory`,
    }),
    defaultInputModes: json,
    defaultOutputModes: json,
    skills: skillsOf(agent),
  };
}

/** Whoever registers an agent may leave its name out, and then its e-mail address is its name: that one is not told. */
export const publicNameOf = ({ name, agentType, id }: Pick<Agent, "name" | "agentType" | "id">): string =>
  name.includes("@") ? `${agentType} ${id.slice(-6)}` : name;

export const descriptionOf = ({ agentType, deploymentEnv }: Agent): string =>
  `${sentence[agentType]} (${deploymentEnv})`;

const sentence = {
  screener: "Screens",
  classifier: "Classifies",
  orchestrator: "Orchestrates other agents",
  extractor: "Extracts",
  summarizer: "Summarizes",
  router: "Routes",
  monitor: "Monitors",
  custom: "An agent",
} as const satisfies Readonly<Record<Agent["agentType"], string>>;

function skillsOf({ capabilities: able, agentType }: Agent): JsonObject[] {
  if (able.length === 0) return [skill(agentType, agentType, sentence[agentType])];
  return able.map((capability) => {
    const [resource = capability, action = "*"] = capability.split(":");
    const description = `${action === "*" ? "Any action" : action} on ${resource}`;
    return { id: capability, name: capability, description, tags: [...new Set([resource, action])] };
  });
}

/** How whoever calls is let in: what the security schemes of a card would say, in the words of OAuth. */
const authorizedAs = (issuer: string): JsonObject => ({
  uri: authorizationExtension,
  description: "Whose access tokens it takes, with which scopes and proofs (RFC 9728, RFC 8414).",
  params: {
    resource_metadata: resourceMetadataUrl(issuer),
    issuer_metadata: `${issuer}/.well-known/oauth-authorization-server`,
  },
});

const capabilities = (did: string, where: JsonObject, more: readonly JsonObject[] = []): JsonObject => ({
  streaming: false,
  pushNotifications: false,
  extendedAgentCard: false,
  extensions: [
    { uri: didExtension, description: "Its DID, and where its keys stand.", params: { did, ...where } },
    ...more,
  ],
});

export type SignedCard = { readonly card: AgentCard; readonly kid: string };

/**
 * The card with its signature (A2A 1.0 §8.4): a JWS over its canonical form without `signatures`, by the issuer, whose key
 * stands at `jku`.
 */
export async function signCard(
  card: AgentCard,
  { keys, issuer }: { readonly keys: IssuerKeys; readonly issuer: string },
): Promise<SignedCard> {
  const { kid, alg } = keys.currentKey("card");
  const header = { alg, kid, typ: "JOSE", jku: `${issuer}/.well-known/jwks.json` };
  const inBase64 = (text: string): string => Buffer.from(text).toString("base64url");
  const protectedHeader = inBase64(JSON.stringify(header));
  const input = `${protectedHeader}.${inBase64(canonicalCard(card))}`;
  const signature = Buffer.from(await keys.signBytes(kid, Buffer.from(input))).toString("base64url");
  return { card: { ...card, signatures: [{ protected: protectedHeader, signature }] }, kid };
}

/** What is signed of a card (A2A 1.0 §8.4.1): without signatures, without what is empty, in the one form of RFC 8785. */
export function canonicalCard(card: AgentCard): string {
  const { signatures: _, ...rest } = card;
  return canonicalise(withoutEmpty(rest) ?? {});
}

function withoutEmpty(value: Json | undefined): Json | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const kept = value.map(withoutEmpty).filter((one) => one !== undefined);
    return kept.length === 0 ? undefined : kept;
  }
  const kept = Object.entries(value).flatMap(([name, one]) => {
    const member = withoutEmpty(one);
    return member === undefined ? [] : [[name, member] as const];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
