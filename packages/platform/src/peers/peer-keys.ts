import type { PrivateJwk, PublicJwk } from "@remit/protocol";

/** A service's own keys: one that signs client assertions, one that its tokens are bound to. */
export type PeerKeys = {
  readonly assertion: PrivateJwk;
  readonly dpop: PrivateJwk;
  /** For the service's `/.well-known/jwks.json`. */
  readonly jwks: { readonly keys: readonly PublicJwk[] };
};

/** Reads `<dataDir>/peer-keys.json` (0600); makes it at the first start. */
export declare function loadPeerKeys(dataDir: string): Promise<PeerKeys>;
