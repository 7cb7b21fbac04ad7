import { after, hourMs, type Id, type Instant } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import { endGrantsOfSession } from "../grants/index.ts";
import { revokeTokens } from "../tokens/index.ts";
import * as rows from "./sessions.sql.ts";
import { type Ending, isLive, type Session } from "./sessions.ts";

export type Why = { readonly because: Ending; readonly actor: Actor; readonly now: Instant };

/** Tells one client that a session of its person has ended (OIDC Back-Channel Logout 1.0). */
export const logoutQueue = "logout.deliver";

/** The payload of a job of `logoutQueue`: ids and digests. */
export type LogoutDue = { readonly sid: string; readonly client: string; readonly account: Id<"account"> };

/** Longer than any access token lives; what else a session gave is gone with it. */
const revokedMs = hourMs;

/** Keeps a live session from ending before this transaction does, and returns it; refuses when it has ended. */
export async function requireSession(tx: TenantTx, sid: string, now: Instant): Promise<Session> {
  const session = await rows.keepSession(tx, sid);
  if (session === undefined || !isLive(session, now))
    throw new Problem("not_found", { detail: "Your session has ended. Start again at the application." });
  return session;
}

/** For whoever ends a session in a cascade, before their other locks. */
export const lockSessionWithin = (tx: TenantTx, sid: string): Promise<unknown> => rows.lockSession(tx, sid);

/**
 * Ends a session at once and wherever it counts, in one transaction: its row, the core's own record, the grants that end
 * with it, every token that carries its sid; its clients are told afterwards. False when it had ended before.
 */
export async function endSessionWithin(
  tx: TenantTx,
  { sid, ...why }: Why & { sid: string },
): Promise<boolean> {
  const { because, actor, now } = why;
  const ended = await rows.markEnded(tx, { sid, because, now });
  if (ended === undefined) return false;
  const { clients, grants } = await endGrantsOfSession(tx, sid, now);
  const payload = { sid, account: ended.account, because, grants };
  await tx.record(newEvent("session.ended", { tenant: tx.tenant, actor, subject: ended.id, payload }, now));
  for (const client of clients) {
    const due: LogoutDue = { sid, client, account: ended.account };
    await enqueue(tx, { queue: logoutQueue, key: `${sid}:${client}`, payload: due });
  }
  // Waits for the commit points that rely on it, so it comes last.
  await revokeTokens(tx, `session:${sid}`, after(now, revokedMs));
  return true;
}

/** Ends one of a person's own by its id; refuses another's exactly as one that does not exist (T01). */
export async function endOwnSession(
  tx: TenantTx,
  { id, account, ...why }: Why & { readonly id: Id<"session">; readonly account: Id<"account"> },
): Promise<void> {
  const sid = await rows.sidOfSession(tx, { id, account });
  if (sid === undefined || !(await endSessionWithin(tx, { ...why, sid })))
    throw new Problem("not_found", { detail: "There is no such session." });
}

/** From here on no session of this person starts, ends or gives anything until the transaction ends; returns their sids. */
export async function lockSessionsOf(tx: TenantTx, account: Id<"account">): Promise<string[]> {
  await rows.lockSignIns(tx, account);
  return rows.lockOpenSidsOf(tx, account);
}

/**
 * Ends the sessions of a person, perhaps all but one; returns how many. For a changed password, a recovery, an operator:
 * in the transaction of that change, so that both happen or neither. A session that starts at that moment waits, or is seen.
 */
export async function endSessionsOf(
  tx: TenantTx,
  account: Id<"account">,
  { except, ...why }: Why & { readonly except?: string | undefined },
): Promise<number> {
  let count = 0;
  for (const sid of await lockSessionsOf(tx, account))
    if (sid !== except && (await endSessionWithin(tx, { ...why, sid }))) count += 1;
  return count;
}
