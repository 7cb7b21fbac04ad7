import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { invariant } from "@remit/kernel";
import { base64url, type JsonObject } from "../encoding/index.ts";
import {
  type PrivateJwk,
  type PublicJwk,
  parsePrivateJwk,
  type SignatureAlg,
  type SignatureCheck,
  type SigningAlg,
  signingAlgOf,
  signingInputOf,
  thumbprintInput,
  type Unproven,
  type Unsigned,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { privateKeyOf, publicKeyOf } from "./keys.ts";

// WebCrypto hashes asynchronously only; the core needs digests while it decides.
export const sha256 = (data: Uint8Array | string): Uint8Array =>
  nobleSha256(typeof data === "string" ? utf8ToBytes(data) : data);

export const sha256b64url = (data: Uint8Array | string): string => base64url.encode(sha256(data));

/** RFC 7638 with SHA-256, in base64url. */
export const thumbprint = (jwk: PublicJwk | PrivateJwk): string => sha256b64url(thumbprintInput(jwk));

/** Checks the signatures and hands out the value they prove; rejects with the Problem of the first that does not hold. */
export async function settle<T>({ checks, value }: Unproven<T>): Promise<T> {
  const results = await Promise.all(checks.map(holds));
  for (const [index, check] of checks.entries()) if (results[index] !== true) throw new Problem(check.refuse);
  return value;
}

/** Whether one signature holds. A key that is no point of its curve proves nothing. */
export async function holds({ alg, key, data, signature }: SignatureCheck): Promise<boolean> {
  try {
    return await crypto.subtle.verify(
      parametersOf(alg),
      await publicKeyOf(key),
      owned(signature),
      owned(data),
    );
  } catch {
    return false;
  }
}

/** The signature over bytes as JWS has it (RFC 7518 §3.4: r ‖ s). */
export const signatureOf = async (key: PrivateJwk, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(
    await crypto.subtle.sign(parametersOf(signingAlgOf(key)), await privateKeyOf(key), owned(data)),
  );

/** A compact JWS (RFC 7515 §7.1). `alg` and `kid` come from the key unless the header states a `kid`. */
export async function signJws(
  key: PrivateJwk,
  header: JsonObject & { readonly typ: string },
  payload: JsonObject,
): Promise<string> {
  const labelled = { alg: signingAlgOf(key), ...(key.kid !== undefined && { kid: key.kid }), ...header };
  invariant(labelled.alg === signingAlgOf(key), "the header's alg is the key's");
  const input = signingInputOf(labelled, payload);
  return `${input}.${base64url.encode(await signatureOf(key, utf8ToBytes(input)))}`;
}

export const sign = async <T>(unsigned: Unsigned<T>, key: PrivateJwk): Promise<T> =>
  unsigned.finish(await signJws(key, unsigned.header, unsigned.payload));

/** A new key pair; its `kid` is the thumbprint unless one is given. */
export async function generateJwk(alg: SigningAlg, kid?: string): Promise<PrivateJwk> {
  const parameters = alg === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" };
  const pair = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
  invariant("privateKey" in pair, "a signing key is generated as a pair");
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  const jwk = parsePrivateJwk({ kty, crv, x, d, ...(y !== undefined && { y }) });
  invariant(jwk !== undefined, "a generated key is one we accept");
  return { ...jwk, alg, kid: kid ?? thumbprint(jwk) };
}

const parametersOf = (alg: SignatureAlg): Algorithm | EcdsaParams => {
  if (alg === "ES256") return { name: "ECDSA", hash: "SHA-256" };
  return { name: alg === "EdDSA" ? "Ed25519" : "RSASSA-PKCS1-v1_5" };
};

// WebCrypto takes views of unshared memory only, which Uint8Array does not promise.
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
