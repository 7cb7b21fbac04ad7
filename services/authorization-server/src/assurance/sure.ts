import { type Id, type Instant, parseId, toNumericDate } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { Problem } from "@remit/protocol";

const sureAcrs: readonly unknown[] = ["urn:remit:aal2", "urn:remit:aal3"];
const sureForS = 300;

export type SureDeps = {
  /** Whether the money is real. */
  readonly livemode: boolean;
  readonly factors: { hasSecond(account: Id<"account">): Promise<boolean> };
};

/** The same for what lets pass again what was stopped: to stop never needs it. */
export async function requireSureOf(
  deps: SureDeps,
  { caller, now }: { readonly caller: Caller; readonly now: Instant },
): Promise<void> {
  const person = parseId("account", caller.subject);
  if (person !== undefined) await requireSure(deps, { caller, person, now });
}

/** A sign-in of the last minutes, by whatever factors the person has: for what cannot be taken back. */
export function requireSignInLately({
  caller,
  now,
}: {
  readonly caller: Pick<Caller, "claims">;
  readonly now: Instant;
}): void {
  const { acr, auth_time: signedInS = 0 } = caller.claims;
  if (toNumericDate(now) - signedInS <= sureForS) return;
  throw new Problem("insufficient_user_authentication", {
    extra: { acr_values: acr ?? "urn:remit:aal1", max_age: sureForS },
  });
}

/**
 * RFC 9470: a yes of somebody who has a second factor, and of everybody where the money is real, needs a sign-in that
 * used one, and lately; whoever has none is led to add one by that sign-in. A no never does.
 */
export async function requireSure(
  { livemode, factors }: SureDeps,
  { caller, person, now }: { readonly caller: Caller; readonly person: Id<"account">; readonly now: Instant },
): Promise<void> {
  if (!livemode && !(await factors.hasSecond(person))) return;
  const { acr, auth_time: signedInS = 0 } = caller.claims;
  if (sureAcrs.includes(acr) && toNumericDate(now) - signedInS <= sureForS) return;
  throw new Problem("insufficient_user_authentication", {
    extra: { acr_values: String(sureAcrs[0]), max_age: sureForS },
  });
}
