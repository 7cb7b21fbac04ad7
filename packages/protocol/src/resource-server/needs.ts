import { type Instant, secondMs } from "@remit/kernel";
import type { AccessTokenClaims } from "../access-token/index.ts";
import { Problem } from "../problems.ts";
import { isScope, mayBeBearer } from "../scopes.ts";

/** RFC 9470 §4: how strongly and how recently the person must have signed in. */
export type StepUp = { readonly acrValues: readonly string[]; readonly maxAgeS?: number };

/** What a call needs of its token: (one of) the scopes; `bearer: true` also lets tokens in that are bound to no key. */
export type CallNeeds = {
  readonly scope: string | readonly string[];
  readonly bearer?: boolean;
  readonly stepUp?: StepUp;
};

/** Design section 5: a plain bearer token lives no longer. */
export const bearerLifeSMax = 900;

/** RFC 9449 §7.2: a bound token presented as a bearer token is refused, or the binding would be worth nothing. */
export function checkScheme(
  claims: AccessTokenClaims,
  scheme: "dpop" | "bearer",
  needs: Pick<CallNeeds, "bearer">,
): void {
  const binding = claims.cnf === undefined ? "bearer" : "dpop";
  if (binding !== scheme) throw refused(`The token is not one for ${scheme}.`);
  if (binding === "dpop") return;
  const carried = claims.scope.filter(isScope);
  if (needs.bearer !== true || !carried.every(mayBeBearer))
    throw refused("This call needs a token that is bound to a key.");
  if (claims.exp - claims.iat > bearerLifeSMax) throw refused("The token lives too long for a bearer token.");
}

/** RFC 6750 §3.1 and RFC 9470 §3. */
export function checkPermission(claims: AccessTokenClaims, { scope, stepUp }: CallNeeds, now: Instant): void {
  if (![scope].flat().some((name) => claims.scope.includes(name))) throw new Problem("insufficient_scope");
  if (stepUp === undefined) return;
  const { acrValues, maxAgeS } = stepUp;
  const strong = claims.acr !== undefined && acrValues.includes(claims.acr);
  const fresh =
    maxAgeS === undefined || (claims.auth_time !== undefined && now / secondMs - claims.auth_time <= maxAgeS);
  if (!strong || !fresh) throw new Problem("insufficient_user_authentication");
}

const refused = (detail: string): Problem => new Problem("invalid_token", { detail });
