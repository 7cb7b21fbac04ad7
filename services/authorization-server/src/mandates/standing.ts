import type { Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { standingOfAgent } from "../agents/index.ts";
import { isTenantActive } from "../tenants/index.ts";
import type { Mandate } from "./mandates.ts";

/**
 * Before something is made out of a chain that is locked: every mandate of it stands, every agent in it is active, and so is
 * the principal's organization; none of them stops before the transaction ends without seeing what was made.
 */
export async function assertChainStands(
  tx: TenantTx,
  chain: readonly Mandate[],
  now: Instant,
): Promise<void> {
  for (const mandate of chain) {
    if (mandate.state === "revoked") throw new Problem("mandate_revoked");
    if (mandate.state === "suspended") throw new Problem("mandate_suspended");
    if (now >= mandate.expiresAt) throw new Problem("mandate_expired");
  }
  if (!(await isTenantActive(tx, tx.tenant)))
    throw new Problem("mandate_suspended", { detail: "The principal's organization is suspended." });
  for (const { agent } of chain)
    if ((await standingOfAgent(tx, agent, "share"))?.status !== "active")
      throw new Problem("agent_suspended");
}
