import { after, dayMs, type Id, type Instant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { revokeTokens, revokeTokensIssued } from "../tokens/index.ts";
import { deleteArtifactsOf } from "./artifacts.sql.ts";
import * as rows from "./grants.sql.ts";
import { familyMs } from "./grants.ts";

/** Longer than any access token lives, and than a delegation for a day. */
const revokedMs = 2 * dayMs;

/**
 * Takes back everything that a client holds: its access tokens and the families of its grants, with whomever they are, in
 * one transaction. The client stays; what it is given afterwards counts. Returns how many families ended.
 */
export const endTokensOfClient = (
  db: Database,
  { client, tenant, actor, now }: { client: string; tenant: Id<"tenant">; actor: Actor; now: Instant },
): Promise<number> =>
  db.global.transaction(async (tx) => {
    const ended = await rows.revokeGrantsOfClient(tx, client, now);
    for (const { digest, tenant: principal } of ended) {
      await deleteArtifactsOf(tx, digest);
      await tx.record(newEvent("token.revoked", { tenant: principal, actor, subject: digest }, now));
    }
    const payload = { grants: ended.length };
    await tx.record(newEvent("token.revoked", { tenant, actor, subject: client, payload }, now));
    // Locks on token keys come last, as at the commit point of a charge.
    const issued = { until: after(now, revokedMs), issuedUntil: now };
    await revokeTokensIssued(tx, `client:${client}`, issued);
    // In the order in which a commit point takes them. A token that is being issued now is refused by its grant.
    for (const digest of ended.map((grant) => grant.digest).toSorted())
      await revokeTokens(tx, `grant:${digest}`, after(now, familyMs));
    return ended.length;
  });
