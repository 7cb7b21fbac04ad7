import { type Instant, minuteMs } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Accounts } from "../accounts/index.ts";
import { type Aal, levelOf } from "../assurance/index.ts";
import { type Factors, type Methods, reachable } from "../factors/index.ts";
import type { SignedIn } from "../oidc/index.ts";
import { endSessionsOf, requireSession } from "../sessions/index.ts";

/** How long ago somebody may have shown who they are to change how they sign in. */
export const freshMs = 5 * minuteMs;
/** The same when the page of a change is opened: whoever gets it has two minutes to send its form. */
export const openMs = 3 * minuteMs;

export const hasSecond = ({ app, passkeys }: Methods): boolean => app || passkeys.length > 0;

/**
 * What a change takes: as much as the account can show at all, so that nobody brings it below that with less (NIST SP
 * 800-63B-4 §4.1.2). `two`: what is as good as a second factor is given to nobody by one.
 */
export const wantedFor = (methods: Methods, { two }: { two: boolean }): Aal => {
  const reached = reachable(methods);
  return two && reached < 2 ? 2 : reached;
};

export const isFresh = (
  { acr, authenticatedAt }: Pick<SignedIn, "acr" | "authenticatedAt">,
  { aal, now, withinMs }: { aal: Aal; now: Instant; withinMs: number },
): boolean => levelOf(acr) >= aal && now - authenticatedAt <= withinMs;

export type Change = {
  readonly me: SignedIn;
  readonly now: Instant;
  /** Something no longer opens the account. `others`: whether the other sessions end, which may have begun with it. */
  readonly closes?: { readonly because: "password_changed" | "revoked_by_person"; readonly others: boolean };
};

type Changing = {
  readonly db: Database;
  readonly accounts: Pick<Accounts, "lock" | "refuseSignInsBefore">;
  readonly factors: Pick<Factors, "hasSecondWithin">;
};

/** A change of how somebody signs in, from a live session of theirs: one at a time, with its events and letters. */
export const changeMethods = <T>(
  { db, accounts, factors }: Changing,
  { me, now, closes }: Change,
  work: (tx: TenantTx) => Promise<T>,
): Promise<T> =>
  db.of(me.account.home).transaction(async (tx) => {
    const { account, sid } = me;
    await accounts.lock(tx, account.id);
    const { acr } = await requireSession(tx, sid, now);
    // Whoever added a second factor meanwhile is not overtaken by one alone.
    if (levelOf(acr) < 2 && (await factors.hasSecondWithin(tx, account.id)))
      throw new Problem("invalid_request", {
        detail: "Your account has a second way by now. Open the page again and use it.",
      });
    const result = await work(tx);
    if (closes === undefined) return result;
    // A sign-in that waits for its second step was let so far by what is gone.
    await accounts.refuseSignInsBefore(tx, account.id, { now });
    const actor = { type: "account", id: account.id } as const;
    const why = { because: closes.because, actor, now, except: sid } as const;
    if (closes.others) await endSessionsOf(tx, account.id, why);
    return result;
  });
