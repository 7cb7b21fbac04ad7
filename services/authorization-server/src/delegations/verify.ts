import { fromNumericDate, type Instant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { IssuerKeys } from "../keys/index.ts";
import { isTokenLive, readOwnToken } from "../tokens/index.ts";
import { type Delegation, pathTo, stateOf } from "./delegations.ts";

/** What is to be said of a delegated token; `because` in words of our own, and nothing else, when it does not hold. */
export type DelegationVerdict =
  | {
      readonly valid: true;
      readonly subject: string;
      readonly audience: string;
      readonly scopes: readonly string[];
      readonly expiresAt: Instant;
      /** From the first link down to the one that the token came by. */
      readonly chain: readonly Delegation[];
    }
  | { readonly valid: false; readonly because: "no_delegation" | "expired" | "revoked" };

/** Says whether a token came by a delegation that stands. Never throws over what it is shown. */
export async function verifyDelegation(
  deps: { readonly db: Database; readonly keys: IssuerKeys; readonly issuer: string },
  token: string,
  now: Instant,
): Promise<DelegationVerdict> {
  const claims = readOwnToken(deps, token, now);
  const { delegation } = claims ?? {};
  if (claims === undefined || delegation === undefined) return { valid: false, because: "no_delegation" };
  return deps.db.of(claims.organization_id).transaction(async (tx): Promise<DelegationVerdict> => {
    const chain = await pathTo(tx, delegation);
    const states = chain.map((link) => stateOf(link, now));
    if (chain.length === 0) return { valid: false, because: "no_delegation" };
    if (states.includes("revoked") || !(await isTokenLive(tx, claims)))
      return { valid: false, because: "revoked" };
    if (states.includes("expired")) return { valid: false, because: "expired" };
    const { sub: subject, aud: audience, scope: scopes, exp } = claims;
    return { valid: true, subject, audience, scopes, expiresAt: fromNumericDate(exp), chain };
  });
}
