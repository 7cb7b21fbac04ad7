import type { PublicJwk } from "@remit/protocol";

/** The public keys that may have signed something. Given a `kid`, the source looks again when it does not know it. */
export type KeySource = (kid?: string) => Promise<readonly PublicJwk[]>;
