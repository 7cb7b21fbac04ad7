import { toRfc3339 } from "@remit/kernel";
import type { Agent } from "../agents/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import { type DidDocument, didDocument, didOfAgent, didOfServer, type NamedKey } from "./did.ts";
import type { PublishedAgent } from "./published-agent.ts";

/** What this issuer signs that others verify by its DID: all that is evidence, and cards. */
const purposes = ["mandate", "receipt", "audit", "card"] as const;

/** The issuer's document: its current mandate key first. */
export function didDocumentOfServer(issuer: string, keys: IssuerKeys): DidDocument {
  const { kid } = keys.currentKey("mandate");
  const named = keys.jwks(purposes).keys.map((jwk): NamedKey => ({ name: jwk.kid ?? "key", jwk }));
  const first = named.filter(({ name }) => name === kid);
  return didDocument(didOfServer(issuer), {
    keys: [...first, ...named.filter((key) => !first.includes(key))],
  });
}

/** An agent's document: its two keys and nothing else, so that it tells no more of a private agent than of a public one. */
export const didDocumentOfAgent = (issuer: string, { agent, active }: PublishedAgent): DidDocument =>
  didDocument(didOfAgent(issuer, agent.id), {
    keys: keysOfAgent(agent),
    controller: didOfServer(issuer),
    active,
  });

const keysOfAgent = ({ assertionJwk, dpopJwk }: Agent): NamedKey[] =>
  [
    { name: "assertion", jwk: assertionJwk },
    { name: "dpop", jwk: dpopJwk },
  ].flatMap(({ name, jwk }) => (jwk === undefined ? [] : [{ name, jwk }]));

/** DID Resolution §5: what is known of a document beside what stands in it. */
export const metadataOfAgent = ({ createdAt, updatedAt }: Agent): Readonly<Record<string, string>> => ({
  created: toRfc3339(createdAt),
  updated: toRfc3339(updatedAt),
});
