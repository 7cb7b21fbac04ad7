import { base64url, isJsonObject, type JsonObject } from "../encoding/index.ts";

/** RS256 is verified for federation partners only; Remit signs with the other two. */
export type SignatureAlg = "ES256" | "EdDSA" | "RS256";
export type SigningAlg = "ES256" | "EdDSA";

type KeyLabels = { readonly kid?: string; readonly alg?: string; readonly use?: string };
export type EcPublicJwk = KeyLabels & {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
};
export type OkpPublicJwk = KeyLabels & { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string };
export type RsaPublicJwk = KeyLabels & { readonly kty: "RSA"; readonly n: string; readonly e: string };

/** A public key (RFC 7517, RFC 7518 §6, RFC 8037 §2) that passed `parsePublicJwk`. */
export type PublicJwk = EcPublicJwk | OkpPublicJwk | RsaPublicJwk;
/** A key Remit can sign with. Keep it in a Secret where it is stored or passed on. */
export type PrivateJwk = (EcPublicJwk | OkpPublicJwk) & { readonly d: string };

export const algOf = (jwk: PublicJwk): SignatureAlg =>
  jwk.kty === "EC" ? "ES256" : jwk.kty === "OKP" ? "EdDSA" : "RS256";

export const signingAlgOf = (jwk: PrivateJwk): SigningAlg => (jwk.kty === "EC" ? "ES256" : "EdDSA");

/** RFC 7638 §3.2: what is hashed for a key's thumbprint. Equal texts are equal keys. */
export function thumbprintInput(jwk: PublicJwk | PrivateJwk): string {
  if (jwk.kty === "EC") return `{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`;
  if (jwk.kty === "OKP") return `{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`;
  return `{"e":"${jwk.e}","kty":"RSA","n":"${jwk.n}"}`;
}

const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** The key when it is a public P-256, Ed25519 or RSA (>= 2048 bits) key in canonical spelling, else undefined. */
export function parsePublicJwk(value: unknown): PublicJwk | undefined {
  if (!isJsonObject(value) || privateMembers.some((name) => name in value)) return undefined;
  const labels = labelsOf(value);
  if (labels === undefined) return undefined;
  const { kty, crv, x, y, n, e } = value;
  if (kty === "EC" && crv === "P-256" && is32Bytes(x) && is32Bytes(y))
    return fits({ kty, crv, x, y, ...labels });
  if (kty === "OKP" && crv === "Ed25519" && is32Bytes(x)) return fits({ kty, crv, x, ...labels });
  if (kty === "RSA" && isModulus(n) && (e === "AQAB" || e === "Aw")) return fits({ kty, n, e, ...labels });
  return undefined;
}

/** As `parsePublicJwk`, for a key with its private half `d`. */
export function parsePrivateJwk(value: unknown): PrivateJwk | undefined {
  if (!isJsonObject(value)) return undefined;
  const { d, ...rest } = value;
  const key = parsePublicJwk(rest);
  return key === undefined || key.kty === "RSA" || !is32Bytes(d) ? undefined : { ...key, d };
}

export function publicJwkOf(jwk: PrivateJwk): EcPublicJwk | OkpPublicJwk {
  const { d: _, ...key } = jwk;
  return key;
}

const keysMax = 100;

/** The usable keys of a JWK Set (RFC 7517 §5: the others are passed over), or undefined when it is none. */
export function parseJwks(value: unknown): PublicJwk[] | undefined {
  if (!isJsonObject(value) || !Array.isArray(value["keys"]) || value["keys"].length > keysMax)
    return undefined;
  return value["keys"].map(parsePublicJwk).filter((key) => key !== undefined);
}

/** The key that a JWS header names; without `kid` only a set with one key of that alg decides. */
export function keyFor(
  keys: readonly PublicJwk[],
  header: { readonly alg: SignatureAlg; readonly kid?: string },
): PublicJwk | undefined {
  const fitting = keys.filter(
    (key) =>
      algOf(key) === header.alg && key.use !== "enc" && (header.kid === undefined || key.kid === header.kid),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

const labelMax = 256;

function labelsOf(value: JsonObject): KeyLabels | undefined {
  const { kid, alg, use } = value;
  for (const label of [kid, alg, use])
    if (label !== undefined && (typeof label !== "string" || label.length > labelMax)) return undefined;
  return {
    ...(typeof kid === "string" && { kid }),
    ...(typeof alg === "string" && { alg }),
    ...(typeof use === "string" && { use }),
  };
}

/** A key that states an alg serves that alg alone (RFC 7517 §4.4; RFC 9864 calls EdDSA on this curve Ed25519). */
function fits(key: PublicJwk): PublicJwk | undefined {
  const stated = key.alg === "Ed25519" ? "EdDSA" : key.alg;
  return stated === undefined || stated === algOf(key) ? key : undefined;
}

// 43 characters are 32 bytes; the last one carries four bits, so only these 16 are canonical.
const thirtyTwoBytes = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

const is32Bytes = (text: unknown): text is string => typeof text === "string" && thirtyTwoBytes.test(text);

function isModulus(text: unknown): text is string {
  if (typeof text !== "string" || text.length > 1400) return false;
  const bytes = base64url.decode(text);
  return bytes !== undefined && bytes.length >= 256 && bytes.length <= 1024 && (bytes[0] ?? 0) >= 0x80;
}
