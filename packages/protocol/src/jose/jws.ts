import { base64url, isJsonObject, type Json, type JsonObject, readJson } from "../encoding/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import { type PublicJwk, parsePublicJwk, type SignatureAlg } from "./keys.ts";

export type JwsHeader = {
  readonly alg: SignatureAlg;
  readonly typ?: string;
  readonly kid?: string;
  /** Only where the rules allow it (RFC 9449 §4.2). */
  readonly jwk?: PublicJwk;
};

export type ParsedJws = {
  readonly header: JwsHeader;
  readonly payload: JsonObject;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
};

export type JwsRules = {
  /** The accepted `typ` values, compared exactly; `undefined` in the list accepts its absence. */
  readonly typ: readonly (string | undefined)[];
  readonly algs: readonly SignatureAlg[];
  /** What a refusal is called. */
  readonly refuse: ProblemCode;
  /** DPoP proofs carry their key (RFC 9449 §4.2); nothing else may. */
  readonly headerJwk?: boolean;
  /** 16 384 unless told. */
  readonly charactersMax?: number;
};

const charactersMaxUsual = 16_384;
// A key that travels in the header, or is fetched because of it, would be the sender's own (RFC 8725 §3.10);
// `crit` and `b64` change what the signature means (RFC 7515 §4.1.11, RFC 7797).
const forbiddenHeaders = ["crit", "b64", "zip", "jku", "x5u", "x5c"];
const ascii = new TextEncoder();

/**
 * Reads a compact JWS (RFC 7515 §7.1) without trusting it: the signature is still to be checked. Throws a Problem for
 * anything but one canonical spelling of an allowed `alg` and `typ` with a JSON object as payload.
 */
export function parseJws(text: string, rules: JwsRules): ParsedJws {
  const refuse = (because: string): never => {
    throw new Problem(rules.refuse, { detail: because });
  };
  const lengthMax = rules.charactersMax ?? charactersMaxUsual;
  if (text.length > lengthMax) return refuse(`The JWS is longer than ${lengthMax} characters.`);
  const firstDot = text.indexOf(".");
  const lastDot = text.lastIndexOf(".");
  if (firstDot < 1 || text.indexOf(".", firstDot + 1) !== lastDot || lastDot === firstDot)
    return refuse("The JWS does not have three parts.");
  const header = headerOf(readHeader(text.slice(0, firstDot)), rules);
  if (typeof header === "string") return refuse(header);
  const payload = readPart(text.slice(firstDot + 1, lastDot), lengthMax);
  if (payload === undefined) return refuse("The payload is not a strict JSON object in base64url.");
  const signature = base64url.decode(text.slice(lastDot + 1));
  if (signature === undefined || !hasRightSize(header.alg, signature))
    return refuse("The signature is not in canonical base64url or has the wrong size.");
  return { header, payload, signingInput: ascii.encode(text.slice(0, lastDot)), signature };
}

/** The `kid` a JWS claims, to find or fetch the key with. Nothing about it is proven. */
export function keyIdOf(jws: string): string | undefined {
  const header = readHeader(jws.slice(0, Math.max(0, jws.indexOf("."))));
  return typeof header?.["kid"] === "string" ? header["kid"] : undefined;
}

/** The payload a JWS claims, for its own holder or to find a key with. Nothing about it is proven. */
export function payloadOf(jws: string): JsonObject | undefined {
  const start = jws.indexOf(".") + 1;
  return readPart(jws.slice(start, jws.indexOf(".", start)), charactersMaxUsual);
}

/** What a JWS signs (RFC 7515 §5.1): the two parts in base64url with a dot between. */
export const signingInputOf = (header: JsonObject, payload: JsonObject): string =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}`;

const knownMax = 1_024;
const knownCharactersMax = 512;
const knownHeaders = new Map<string, JsonObject>();
const knownKeys = new WeakMap<object, PublicJwk>();

/** A header, of which one sender has few: the same text is read once, and its key then stays one object. */
function readHeader(part: string): JsonObject | undefined {
  const known = knownHeaders.get(part);
  if (known !== undefined) return known;
  const header = readPart(part, charactersMaxUsual);
  if (header === undefined || part.length > knownCharactersMax) return header;
  if (knownHeaders.size >= knownMax) knownHeaders.clear();
  knownHeaders.set(part, header);
  return header;
}

function headerKeyOf(jwk: Json | undefined): PublicJwk | undefined {
  if (!isJsonObject(jwk)) return undefined;
  const key = knownKeys.get(jwk) ?? parsePublicJwk(jwk);
  if (key !== undefined) knownKeys.set(jwk, key);
  return key;
}

function readPart(part: string, charactersMax: number): JsonObject | undefined {
  const bytes = part.length > charactersMax ? undefined : base64url.decode(part);
  if (bytes === undefined) return undefined;
  const found = readJson(bytes, charactersMax);
  return "value" in found && isJsonObject(found.value) ? found.value : undefined;
}

/** The header as far as Remit knows it, or the reason for refusing it. */
function headerOf(header: JsonObject | undefined, rules: JwsRules): JwsHeader | string {
  if (header === undefined) return "The header is not a strict JSON object in base64url.";
  const { typ, kid, jwk } = header;
  const alg = rules.algs.find((allowed) => allowed === header["alg"]);
  if (alg === undefined) return "The alg is not one that is accepted here.";
  if (!rules.typ.some((allowed) => allowed === typ)) return "The typ is not the one that is accepted here.";
  for (const name of forbiddenHeaders) if (name in header) return `The header ${name} is not accepted.`;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > 256))
    return "The kid is not a short text.";
  const labels = { alg, ...(typeof typ === "string" && { typ }), ...(kid !== undefined && { kid }) };
  if (rules.headerJwk !== true) return jwk === undefined ? labels : "The header jwk is not accepted.";
  const key = headerKeyOf(jwk);
  return key === undefined ? "The header jwk is not an acceptable public key." : { ...labels, jwk: key };
}

const hasRightSize = (alg: SignatureAlg, signature: Uint8Array): boolean =>
  alg === "RS256" ? signature.length >= 256 : signature.length === 64;
