import type { PublicJwk } from "@remit/protocol";
import type { Agent } from "../agents/index.ts";

/** `did:web` of an origin (did:web §3): a port's colon is percent-encoded. */
export const didOfServer = (issuer: string): string => `did:web:${new URL(issuer).host.replace(":", "%3A")}`;

export const didOfAgent = (issuer: string, id: string): string => `${didOfServer(issuer)}:agents:${id}`;

export type DidDocument = {
  readonly "@context": readonly string[];
  readonly id: string;
  readonly controller?: string;
  readonly verificationMethod: readonly {
    readonly id: string;
    readonly type: "JsonWebKey";
    readonly controller: string;
    readonly publicKeyJwk: PublicJwk;
  }[];
  readonly authentication: readonly string[];
  readonly assertionMethod: readonly string[];
};

type Key = { readonly name: string; readonly jwk: PublicJwk };

/** DID Core §5 with JsonWebKey verification methods. */
export function didDocument(did: string, keys: readonly Key[], controller?: string): DidDocument {
  const methods = keys.map(({ name, jwk }) => ({
    id: `${did}#${name}`,
    type: "JsonWebKey" as const,
    controller: did,
    publicKeyJwk: jwk,
  }));
  const ids = methods.map(({ id }) => id);
  return {
    "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
    id: did,
    ...(controller === undefined ? {} : { controller }),
    verificationMethod: methods,
    authentication: ids,
    assertionMethod: ids,
  };
}

export const didDocumentOfAgent = (issuer: string, agent: Agent): DidDocument =>
  didDocument(
    didOfAgent(issuer, agent.id),
    [
      { name: "assertion", jwk: agent.assertionJwk },
      { name: "dpop", jwk: agent.dpopJwk },
    ].flatMap(({ name, jwk }) => (jwk === undefined ? [] : [{ name, jwk }])),
    didOfServer(issuer),
  );
