import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { type PrivateJwk, type PublicJwk, thumbprintInput } from "../jose/index.ts";

const keysMax = 4096;

// Keyed by what a thumbprint is made of (RFC 7638), so that equal keys share an entry whatever their labels. Importing
// a P-256 key costs more than verifying with it; a Map keeps insertion order, so its first entry is the least used.
const publicKeys = new Map<string, KeyObject>();
const publicKeysOfJwks = new WeakMap<PublicJwk, KeyObject>();
const privateKeys = new WeakMap<PrivateJwk, KeyObject>();

/** The key for node:crypto. Throws when the point is not on its curve. */
export function publicKeyOf(jwk: PublicJwk): KeyObject {
  const known = publicKeysOfJwks.get(jwk);
  if (known !== undefined) return known;
  const key = equalKeyOf(jwk);
  publicKeysOfJwks.set(jwk, key);
  return key;
}

function equalKeyOf(jwk: PublicJwk): KeyObject {
  const identity = thumbprintInput(jwk);
  const known = publicKeys.get(identity);
  if (known !== undefined) publicKeys.delete(identity);
  const key = known ?? createPublicKey({ key: jwk, format: "jwk" });
  publicKeys.set(identity, key);
  if (publicKeys.size > keysMax) dropLeastUsed();
  return key;
}

/** The private key for node:crypto, kept as long as the caller keeps the JWK. */
export function privateKeyOf(jwk: PrivateJwk): KeyObject {
  const key = privateKeys.get(jwk) ?? createPrivateKey({ key: jwk, format: "jwk" });
  privateKeys.set(jwk, key);
  return key;
}

function dropLeastUsed(): void {
  for (const identity of publicKeys.keys()) {
    publicKeys.delete(identity);
    return;
  }
}
