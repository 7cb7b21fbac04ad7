import { generateKeyPairSync, hash, sign as signBytes, verify as verifyBytes } from "node:crypto";
import { invariant } from "@remit/kernel";
import type { JsonObject } from "../encoding/index.ts";
import {
  type PrivateJwk,
  type PublicJwk,
  parsePrivateJwk,
  type SignatureCheck,
  type SigningAlg,
  signingAlgOf,
  signingInputOf,
  thumbprintInput,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { derOf, rawOf } from "./ecdsa-der.ts";
import { privateKeyOf, publicKeyOf } from "./keys.ts";

export const sha256 = (data: Uint8Array | string): Uint8Array => hash("sha256", data, "buffer");

export const sha256b64url = (data: Uint8Array | string): string => hash("sha256", data, "base64url");

/** RFC 7638 with SHA-256, in base64url. */
export const thumbprint = (jwk: PublicJwk | PrivateJwk): string => sha256b64url(thumbprintInput(jwk));

/** Checks the signatures and hands out the value they prove; throws the Problem of the first that does not hold. */
export function settle<T>({ checks, value }: Unproven<T>): T {
  for (const check of checks) if (!holds(check)) throw new Problem(check.refuse);
  return value;
}

/** Whether one signature holds. A key that is no point of its curve proves nothing. */
export function holds({ alg, key, data, signature }: SignatureCheck): boolean {
  try {
    const keyObject = publicKeyOf(key);
    if (alg === "ES256") return verifyBytes("sha256", data, keyObject, derOf(signature));
    return verifyBytes(alg === "EdDSA" ? null : "sha256", data, keyObject, signature);
  } catch {
    return false;
  }
}

/** The signature over bytes as JWS has it (RFC 7518 §3.4: r ‖ s). */
export function signatureOf(key: PrivateJwk, data: Uint8Array): Uint8Array {
  const keyObject = privateKeyOf(key);
  return key.kty === "EC" ? rawOf(signBytes("sha256", data, keyObject)) : signBytes(null, data, keyObject);
}

/** A compact JWS (RFC 7515 §7.1). `alg` and `kid` come from the key unless the header states a `kid`. */
export function signJws(
  key: PrivateJwk,
  header: JsonObject & { readonly typ: string },
  payload: JsonObject,
): string {
  const labelled = { alg: signingAlgOf(key), ...(key.kid !== undefined && { kid: key.kid }), ...header };
  invariant(labelled.alg === signingAlgOf(key), "the header's alg is the key's");
  const input = signingInputOf(labelled, payload);
  return `${input}.${Buffer.from(signatureOf(key, Buffer.from(input))).toString("base64url")}`;
}

export const sign = <T>(unsigned: Unsigned<T>, key: PrivateJwk): T =>
  unsigned.finish(signJws(key, unsigned.header, unsigned.payload));

/** A new key pair; its `kid` is the thumbprint unless one is given. */
export function generateJwk(alg: SigningAlg, kid?: string): PrivateJwk {
  const { privateKey } =
    alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const jwk = parsePrivateJwk(privateKey.export({ format: "jwk" }));
  invariant(jwk !== undefined, "a generated key is one we accept");
  return { ...jwk, alg, kid: kid ?? thumbprint(jwk) };
}
