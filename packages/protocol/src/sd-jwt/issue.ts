import { invariant } from "@remit/kernel";
import { base64url, type Digest, isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import type { Unsigned } from "../jose/index.ts";
import type { ClaimPath } from "./read.ts";

export type SdJwtDraft = {
  readonly header: JsonObject & { readonly typ: string };
  /** All claims in clear. */
  readonly claims: JsonObject;
  /** Which of them the holder may withhold. Paths that lead nowhere are passed over. */
  readonly disclosable: readonly ClaimPath[];
  /** Digests of nothing, added at the top so that the number of claims stays hidden (RFC 9901 §4.2.5). */
  readonly decoys?: number;
};

export type SdJwtTools = {
  readonly digest: Digest;
  /** 128 random bits in base64url, new at each call (RFC 9901 §9.3). */
  readonly salt: () => string;
};

/** An SD-JWT with all its disclosures (RFC 9901 §6), still to be signed; `finish` answers `<jws>~<disclosure>~…~`. */
export function issueSdJwt(draft: SdJwtDraft, tools: SdJwtTools): Unsigned<string> {
  const disclosures: string[] = [];
  const hide = (parts: readonly Json[]): string => {
    const encoded = base64url.encode(JSON.stringify(parts));
    disclosures.push(encoded);
    return tools.digest(encoded);
  };
  // The deepest first, so that a claim's own disclosure carries the digests of what lies within it.
  const paths = draft.disclosable.toSorted((a, b) => b.length - a.length);
  const hidden = paths.reduce<JsonObject>((claims, path) => {
    const changed = concealed(claims, path, { hide, salt: tools.salt });
    return isJsonObject(changed) ? changed : claims;
  }, draft.claims);
  const decoys = Array.from({ length: draft.decoys ?? 0 }, () => tools.digest(tools.salt()));
  const payload = { ...sortedDigests(withDigests(hidden, decoys)), _sd_alg: "sha-256" };
  return {
    header: draft.header,
    payload,
    finish: (jws) => [jws, ...disclosures, ""].join("~"),
  };
}

type Concealer = { readonly hide: (parts: readonly Json[]) => string; readonly salt: () => string };

/** The value with the claim at the path replaced by its digest; the value itself when the path leads nowhere. */
function concealed(value: Json, [step, ...rest]: ClaimPath, concealer: Concealer): Json {
  const { hide, salt } = concealer;
  if (Array.isArray(value)) {
    const element = typeof step === "number" ? value[step] : undefined;
    if (typeof step !== "number" || element === undefined) return value;
    return value.with(
      step,
      rest.length > 0 ? concealed(element, rest, concealer) : { "...": hide([salt(), element]) },
    );
  }
  if (!isJsonObject(value) || typeof step !== "string") return value;
  const { [step]: member, ...others } = value;
  if (member === undefined) return value;
  if (rest.length > 0) return { ...value, [step]: concealed(member, rest, concealer) };
  return withDigests(others, [hide([salt(), step, member])]);
}

function withDigests(object: JsonObject, digests: readonly string[]): JsonObject {
  if (digests.length === 0) return object;
  const known = object["_sd"] ?? [];
  invariant(Array.isArray(known), "claims to be issued do not use the name _sd");
  return { ...object, _sd: [...known, ...digests] };
}

/** RFC 9901 §4.2.4.1: the order of digests must not tell the order of claims. */
function sortedDigests(value: JsonObject): JsonObject {
  const sorted = (within: Json | undefined): Json => {
    if (Array.isArray(within)) return within.map(sorted);
    return isJsonObject(within) ? sortedDigests(within) : (within ?? null);
  };
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [
        name,
        name === "_sd" && Array.isArray(member) ? member.map(String).toSorted() : sorted(member),
      ]),
  );
}
