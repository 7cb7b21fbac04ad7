import { after, type Id, type Instant } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { revokeTokens } from "../tokens/index.ts";
import { deleteArtifactsOf, deleteArtifactsOfUid } from "./artifacts.sql.ts";
import * as rows from "./grants.sql.ts";
import { familyMs } from "./grants.ts";

/**
 * Ends what a session gave and does not outlive it, and the core's record of the session itself, in the transaction that
 * ends it. Its tokens carry the sid, so the caller revokes them by that. `clients` are all that took part in it.
 */
export async function endGrantsOfSession(
  tx: TenantTx,
  sid: string,
  now: Instant,
): Promise<{ readonly clients: readonly string[]; readonly grants: number }> {
  const clients = await rows.clientsOfSession(tx, sid);
  const ended = await rows.revokeGrantsOfSession(tx, sid, now);
  for (const digest of ended) await deleteArtifactsOf(tx, digest);
  await deleteArtifactsOfUid(tx, { model: "Session", uidDigest: sid });
  return { clients, grants: ended.length };
}

/** Ends one grant, in the transaction of who takes it back; false when it had ended. Tokens come last, as everywhere. */
export async function endGrantWithin(
  tx: TenantTx,
  { digest, actor, now }: { digest: string; actor: Actor; now: Instant },
): Promise<boolean> {
  if (!(await rows.markRevoked(tx, { digest, now }))) return false;
  await deleteArtifactsOf(tx, digest);
  await tx.record(newEvent("token.revoked", { tenant: tx.tenant, actor, subject: digest }, now));
  await revokeTokens(tx, `grant:${digest}`, after(now, familyMs));
  return true;
}

/** Ends what a person gave that outlives its session and is no mandate's: offline access (OpenID Connect Core §11). */
export async function endLastingGrantsOf(
  tx: TenantTx,
  account: Id<"account">,
  why: { readonly actor: Actor; readonly now: Instant },
): Promise<void> {
  for (const digest of await rows.lastingGrantsOf(tx, account)) await endGrantWithin(tx, { ...why, digest });
}

/** The session that a code or refresh token ends with; undefined when it outlives it or has none. */
export const sessionOfArtifact = (tx: Sql, model: string, id: string): Promise<string | undefined> =>
  rows.findSessionOfArtifact(tx, model, sha256b64url(id));

/** A grant as its person sees it. */
export type GivenGrant = {
  readonly digest: string;
  readonly client: string;
  readonly mandate: Id<"mandate"> | undefined;
  readonly scopes: readonly string[];
  readonly outlivesSession: boolean;
  readonly since: Instant;
};

/** What a person gave and has not taken back, newest first, at most `limit`. */
export const grantsOfAccount = (tx: TenantTx, account: Id<"account">, limit: number): Promise<GivenGrant[]> =>
  rows.listGrantsOfAccount(tx, account, limit);
