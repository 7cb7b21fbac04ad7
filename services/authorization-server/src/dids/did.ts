import type { PublicJwk } from "@remit/protocol";

/** `did:web` of an origin (did:web §3): a port's colon is percent-encoded. */
export const didOfServer = (issuer: string): string => `did:web:${new URL(issuer).host.replace(":", "%3A")}`;

export const didOfAgent = (issuer: string, id: string): string => `${didOfServer(issuer)}:agents:${id}`;

type Method = {
  readonly id: string;
  readonly type: "JsonWebKey" | "JsonWebKey2020";
  readonly controller: string;
  readonly publicKeyJwk: PublicJwk;
};

export type DidDocument = {
  readonly "@context": readonly string[];
  readonly id: string;
  readonly controller?: string;
  readonly verificationMethod: readonly Method[];
  readonly authentication: readonly string[];
  readonly assertionMethod: readonly string[];
};

export type NamedKey = { readonly name: string; readonly jwk: PublicJwk };

export type DidFacts = {
  /** The first is also `#key-1`. */
  readonly keys: readonly NamedKey[];
  readonly controller?: string;
  /** False while the subject may not act: its keys stay known, and are good for nothing. */
  readonly active?: boolean;
};

const contexts = [
  "https://www.w3.org/ns/did/v1",
  "https://w3id.org/security/jwk/v1",
  "https://w3id.org/security/suites/jws-2020/v1",
] as const;

/**
 * DID Core §5. Methods are `JsonWebKey` (Controlled Identifiers §2.2.3); the first stands once more as `#key-1` of the
 * former type `JsonWebKey2020`, by which clients of the AgentIdP API look for it.
 */
export function didDocument(did: string, { keys, controller, active = true }: DidFacts): DidDocument {
  const methods = keys.map(({ name, jwk }) => methodOf(did, { name, jwk }, "JsonWebKey"));
  const first = keys[0];
  const former = first && methodOf(did, { name: "key-1", jwk: first.jwk }, "JsonWebKey2020");
  const all = former === undefined ? methods : [...methods, former];
  const good = active ? all.map(({ id }) => id) : [];
  return {
    "@context": contexts,
    id: did,
    ...(controller === undefined ? {} : { controller }),
    verificationMethod: all,
    authentication: good,
    assertionMethod: good,
  };
}

const methodOf = (did: string, { name, jwk }: NamedKey, type: Method["type"]): Method => ({
  id: `${did}#${name}`,
  type,
  controller: did,
  publicKeyJwk: jwk,
});
