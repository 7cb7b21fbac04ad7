import type { Digest } from "../encoding/index.ts";
import { payloadOf } from "../jose/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import { type ClaimPath, openClaims, splitSdJwt } from "./read.ts";

/** Which claims to show: all that can be, or those at the paths with everything they stand in. */
export type Disclose = "all" | readonly ClaimPath[];

/**
 * The SD-JWT with only the chosen disclosures and no key binding (RFC 9901 §7.2): `<jws>~<disclosure>~…~`. A path also
 * shows what lies below it. Throws a Problem of the given code when the text is no SD-JWT.
 */
export function presentSdJwt(
  text: string,
  disclose: Disclose,
  rules: { readonly digest: Digest; readonly refuse: ProblemCode },
): string {
  const parts = splitSdJwt(text);
  if (parts === undefined) throw new Problem(rules.refuse, { detail: "It is not an SD-JWT." });
  if (disclose === "all") return parts.bound;
  const { disclosed } = openClaims(payloadOf(parts.jws) ?? {}, parts.disclosures, rules);
  const shown = disclosed
    .filter(({ path }) => disclose.some((chosen) => isAlong(path, chosen)))
    .map(({ disclosure }) => disclosure.encoded);
  return [parts.jws, ...shown, ""].join("~");
}

/** One path leads through the other: a claim shows with what it stands in, and with what stands in it. */
const isAlong = (a: ClaimPath, b: ClaimPath): boolean =>
  a.every((step, index) => index >= b.length || step === b[index]);
