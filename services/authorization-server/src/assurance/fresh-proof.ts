import { after, fromNumericDate, type Instant, minuteMs } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { Problem } from "@remit/protocol";

const freshMs = 5 * minuteMs;

type Proven = { readonly caller: Caller; readonly now: Instant };

/**
 * Design section 5: changing what mandates are bound to is a step-up. A person shows a second factor again; a management
 * client, whom nobody can ask, proves itself again: its token is bound to a key and has just been issued.
 */
export function requireFreshProof(call: Proven): void {
  if (!isFreshlyProven(call))
    throw new Problem("insufficient_user_authentication", {
      detail:
        "Use a token that is bound to a key and was issued in the last 5 minutes, by a second factor if a person's.",
    });
}

export function isFreshlyProven({ caller, now }: Proven): boolean {
  const { claims, actor, thumbprint } = caller;
  const provenAt = actor.type === "account" ? strongSignIn(claims) : claims.iat;
  const fresh = provenAt !== undefined && after(fromNumericDate(provenAt), freshMs) > now;
  return fresh && thumbprint !== undefined;
}

const strongSignIn = ({ acr, auth_time }: Caller["claims"]): number | undefined =>
  acr === "urn:remit:aal2" || acr === "urn:remit:aal3" ? auth_time : undefined;
