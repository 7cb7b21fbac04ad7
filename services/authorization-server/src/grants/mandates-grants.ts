import { after, type Id, type Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import { revokeTokens } from "../tokens/index.ts";
import { deleteArtifactsOf } from "./artifacts.sql.ts";
import { revokeGrantsOf } from "./grants.sql.ts";
import { familyMs } from "./grants.ts";

/**
 * Ends the grant that gave a mandate, in the transaction that revokes it: what a principal takes back leaves its agent
 * no token. A grant that has ended already, as in the cascade of a replay, stays as it is. Locks go mandate, token, so
 * this comes last.
 */
export async function endGrantsOf(
  tx: TenantTx,
  { mandate, actor, now }: { mandate: Id<"mandate">; actor: Actor; now: Instant },
): Promise<void> {
  for (const digest of await revokeGrantsOf(tx, mandate, now)) {
    await deleteArtifactsOf(tx, digest);
    await tx.record(newEvent("token.revoked", { tenant: tx.tenant, actor, subject: digest }, now));
    await revokeTokens(tx, `grant:${digest}`, after(now, familyMs));
  }
}
