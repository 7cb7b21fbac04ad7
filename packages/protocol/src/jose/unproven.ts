import type { JsonObject } from "../encoding/index.ts";
import type { ProblemCode } from "../problems.ts";
import type { ParsedJws } from "./jws.ts";
import type { PublicJwk, SignatureAlg } from "./keys.ts";

/** One signature still to be checked; `refuse` is the Problem when it does not hold. */
export type SignatureCheck = {
  readonly alg: SignatureAlg;
  readonly key: PublicJwk;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  readonly refuse: ProblemCode;
};

/**
 * What holds if every signature does. The core decides all the rest first, and never touches cryptography;
 * `settle` of `protocol/node` (at once) or `protocol/web` (a promise) checks the signatures and hands out the value.
 */
export type Unproven<T> = { readonly checks: readonly SignatureCheck[]; readonly value: T };

/** What is to be signed as a compact JWS, and what becomes of the result. The signer adds `alg` (and its `kid`). */
export type Unsigned<T> = {
  readonly header: JsonObject & { readonly typ: string };
  readonly payload: JsonObject;
  readonly finish: (jws: string) => T;
};

export const checkOf = (jws: ParsedJws, key: PublicJwk, refuse: ProblemCode): SignatureCheck => ({
  alg: jws.header.alg,
  key,
  data: jws.signingInput,
  signature: jws.signature,
  refuse,
});
