import type { Digest } from "../encoding/index.ts";
import type { Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import type { MandateClaims } from "./claims.ts";
import { examineMandate, type MandateInput, type VerifiedMandate } from "./credential.ts";

/** A mandate has at most as many above it. */
const linksMax = 9;

export type MandateChainInput = Omit<MandateInput, "mandate"> & {
  /** Each as `<jws>~<disclosure>~…~`, the one that the principal gave first, the one that is used last. */
  readonly mandates: readonly string[];
};

/**
 * A mandate with all that it was handed on from, by themselves and without any list: each is the issuer's, names the one
 * before it by id and hash, ends no later, and allows no more as far as both show. Throws what `examineMandate` does, or
 * `mandate_chain_broken`. Whether one of them was revoked since is for the status lists, or for the issuer.
 */
export function examineMandateChain(
  { mandates, ...rules }: MandateChainInput,
  digest: Digest,
): Unproven<readonly VerifiedMandate[]> {
  if (mandates.length === 0 || mandates.length > linksMax)
    throw broken(`A chain has 1 to ${linksMax} mandates.`);
  const examined = mandates.map((mandate) => examineMandate({ mandate, ...rules }, digest));
  const chain = examined.map(({ value }) => value);
  for (const [at, link] of chain.entries()) assertFollows(link.claims, chain[at - 1]);
  return { checks: examined.flatMap(({ checks }) => checks), value: chain };
}

function assertFollows(claims: MandateClaims, above: VerifiedMandate | undefined): void {
  const { parent } = claims;
  if (above === undefined) {
    if (parent !== undefined) throw broken("The first of a chain was handed on itself.");
    return;
  }
  if (parent?.jti !== above.claims.jti || parent.mandate_hash !== above.mandateHash)
    throw broken("A mandate was not handed on from the one before it.");
  if (claims.exp > above.claims.exp) throw broken("A mandate outlives the one it was handed on from.");
  if (claims.livemode !== above.claims.livemode || claims.details.currency !== above.claims.details.currency)
    throw broken("A mandate is of another kind than the one it was handed on from.");
  for (const limit of ["amount_minor", "per_charge_minor"] as const)
    if ((claims.details[limit] ?? 0) > (above.claims.details[limit] ?? Number.MAX_SAFE_INTEGER))
      throw broken(`${limit} is above that of the mandate it was handed on from.`);
}

const broken = (detail: string): Problem => new Problem("mandate_chain_broken", { detail });
