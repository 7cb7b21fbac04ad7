import {
  base64url,
  type Digest,
  isJsonObject,
  type Json,
  type JsonObject,
  readJson,
} from "../encoding/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";

/** The parts of an SD-JWT (RFC 9901 §4). */
export type SdJwtParts = {
  readonly jws: string;
  /** As received, in base64url: digests are taken of these very texts. */
  readonly disclosures: readonly string[];
  readonly keyBinding?: string;
  /** Everything up to and with the last `~`: what `sd_hash` is the digest of. */
  readonly bound: string;
};

export type Disclosure = {
  readonly encoded: string;
  readonly digest: string;
  readonly salt: string;
  /** Absent for an array's element. */
  readonly name?: string;
  readonly value: Json;
};

export const disclosuresMax = 100;
const charactersMax = 65_536;

/** Cuts an SD-JWT into its parts; undefined when it is none. */
export function splitSdJwt(text: string): SdJwtParts | undefined {
  const last = text.lastIndexOf("~");
  if (text.length > charactersMax || last < 1) return undefined;
  const [jws, ...disclosures] = text.slice(0, last).split("~");
  if (jws === undefined || jws === "" || disclosures.length > disclosuresMax) return undefined;
  const keyBinding = text.slice(last + 1);
  const bound = keyBinding === "" ? text : text.slice(0, last + 1);
  return { jws, disclosures, bound, ...(keyBinding !== "" && { keyBinding }) };
}

/** A disclosure in clear (RFC 9901 §4.2): `[salt, name, value]`, or `[salt, value]` for an array's element. */
export function readDisclosure(encoded: string, digest: Digest): Disclosure | undefined {
  const bytes = base64url.decode(encoded);
  const found = bytes === undefined ? undefined : readJson(bytes, charactersMax);
  const parts = found !== undefined && "value" in found ? found.value : undefined;
  if (!Array.isArray(parts) || parts.length < 2 || parts.length > 3 || typeof parts[0] !== "string")
    return undefined;
  const base = { encoded, digest: digest(encoded), salt: parts[0] };
  if (parts.length === 2) return { ...base, value: parts[1] };
  return typeof parts[1] === "string" ? { ...base, name: parts[1], value: parts[2] } : undefined;
}

/** Where a claim stands: names of members and indices of elements, from the top. */
export type ClaimPath = readonly (string | number)[];

export type OpenedClaims = {
  /** The claims with what was disclosed in its place, and no trace of what was not. */
  readonly claims: JsonObject;
  /** Each disclosure with the path at which it stands, in the order of discovery. */
  readonly disclosed: readonly { readonly path: ClaimPath; readonly disclosure: Disclosure }[];
};

const reservedNames = new Set(["_sd", "...", "_sd_alg", "__proto__"]);

// SD-JWT VC §3.2.2.2: what a verifier decides on must not depend on the holder's choice.
const neverDisclosable = new Set(
  "iss nbf exp iat jti aud cnf vct vct#integrity status credentialStatus livemode _sd_alg".split(" "),
);

/**
 * RFC 9901 §7.1 (2)–(4), strictly: `_sd_alg` is sha-256 or absent; no digest stands twice; no disclosure comes twice,
 * lacks its digest, is called `_sd` or `...`, or overwrites a claim; and none stands in for a claim that verifiers
 * decide on. Throws a Problem of the given code.
 */
export function openClaims(
  payload: JsonObject,
  disclosures: readonly string[],
  rules: { readonly digest: Digest; readonly refuse: ProblemCode },
): OpenedClaims {
  const refuse = (detail: string): Problem => new Problem(rules.refuse, { detail });
  const algorithm = payload["_sd_alg"];
  if (algorithm !== undefined && algorithm !== "sha-256") throw refuse("_sd_alg must be sha-256.");
  const byDigest = new Map<string, Disclosure>();
  for (const encoded of disclosures) {
    const disclosure = readDisclosure(encoded, rules.digest);
    if (disclosure === undefined) throw refuse("A disclosure cannot be read.");
    if (byDigest.has(disclosure.digest)) throw refuse("A disclosure comes twice.");
    byDigest.set(disclosure.digest, disclosure);
  }
  const { _sd_alg: _, ...rest } = payload;
  const opener = new Opener(byDigest, refuse);
  const claims = opener.object(rest, []);
  if (opener.disclosed.length !== byDigest.size)
    throw refuse("A disclosure has no digest in the credential.");
  return { claims, disclosed: opener.disclosed };
}

class Opener {
  readonly disclosed: { path: ClaimPath; disclosure: Disclosure }[] = [];
  readonly #byDigest: ReadonlyMap<string, Disclosure>;
  readonly #refuse: (detail: string) => Problem;
  readonly #seen = new Set<string>();

  constructor(byDigest: ReadonlyMap<string, Disclosure>, refuse: (detail: string) => Problem) {
    this.#byDigest = byDigest;
    this.#refuse = refuse;
  }

  #value(value: Json, path: ClaimPath): Json {
    if (Array.isArray(value)) return this.#array(value, path);
    return isJsonObject(value) ? this.object(value, path) : value;
  }

  object(object: JsonObject, path: ClaimPath): JsonObject {
    const opened: Record<string, Json> = {};
    for (const [name, value] of Object.entries(object)) {
      if (name === "..." || name === "_sd_alg") throw this.#refuse(`The name ${name} is reserved.`);
      if (name !== "_sd" && value !== undefined) opened[name] = this.#value(value, [...path, name]);
    }
    for (const digest of this.#digestsOf(object["_sd"])) {
      const disclosure = this.#take(digest);
      if (disclosure === undefined) continue;
      const name = this.#nameOf(disclosure, object, path);
      if (Object.hasOwn(opened, name)) throw this.#refuse("A disclosure overwrites a claim.");
      const at = [...path, name];
      this.disclosed.push({ path: at, disclosure });
      opened[name] = this.#value(disclosure.value, at);
    }
    return opened;
  }

  #nameOf({ name }: Disclosure, object: JsonObject, path: ClaimPath): string {
    if (name === undefined) throw this.#refuse("An element's disclosure stands where a member is expected.");
    if (reservedNames.has(name)) throw this.#refuse(`The name ${name} is reserved.`);
    if (Object.hasOwn(object, name)) throw this.#refuse("A disclosure overwrites a claim.");
    if (path.length === 0 && neverDisclosable.has(name))
      throw this.#refuse(`The claim ${name} must not be disclosable.`);
    return name;
  }

  #array(array: readonly Json[], path: ClaimPath): Json[] {
    const opened: Json[] = [];
    for (const element of array) {
      const digest = this.#elementDigest(element);
      if (digest === undefined) {
        opened.push(this.#value(element, [...path, opened.length]));
        continue;
      }
      const disclosure = this.#take(digest);
      if (disclosure === undefined) continue;
      if (disclosure.name !== undefined)
        throw this.#refuse("A member's disclosure stands where an element is expected.");
      const at = [...path, opened.length];
      this.disclosed.push({ path: at, disclosure });
      opened.push(this.#value(disclosure.value, at));
    }
    return opened;
  }

  #elementDigest(element: Json): string | undefined {
    if (!isJsonObject(element) || !Object.hasOwn(element, "...")) return undefined;
    const digest = element["..."];
    if (typeof digest !== "string" || Object.keys(element).length !== 1)
      throw this.#refuse("An element's digest must stand alone.");
    return digest;
  }

  #digestsOf(list: Json | undefined): readonly string[] {
    if (list === undefined) return [];
    if (!Array.isArray(list) || !list.every((digest) => typeof digest === "string"))
      throw this.#refuse("_sd must be a list of digests.");
    return list;
  }

  /** The disclosure of a digest, if it came; a digest may stand only once in all. */
  #take(digest: string): Disclosure | undefined {
    if (this.#seen.has(digest)) throw this.#refuse("A digest stands twice.");
    this.#seen.add(digest);
    return this.#byDigest.get(digest);
  }
}
