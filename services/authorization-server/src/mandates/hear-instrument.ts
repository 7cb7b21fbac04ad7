import { parseId } from "@remit/kernel";
import type { Tenant, TenantTx } from "@remit/platform/sql";
import type { RemitEvent } from "@remit/protocol";
import type { Mandates } from "./mandates.operations.ts";
import { lockPaidBy } from "./mandates.sql.ts";

/**
 * The card that a mandate names is gone: it is suspended, with all that were handed on from it, until its principal resumes
 * it. What names no card is paid by the default one, whichever that is.
 */
export async function hearInstrument(
  mandates: Pick<Mandates, "suspendWithin">,
  tx: TenantTx<Tenant>,
  event: RemitEvent,
): Promise<void> {
  if (event.type !== "instrument.removed" || !isAnybodys(tx)) return;
  const why = { because: "instrument_removed", actor: { type: "system", id: "billing" } } as const;
  for (const id of await lockPaidBy(tx, event.subject)) await mandates.suspendWithin(tx, id, why);
}

/** Cards and mandates are an organization's; the issuer's own log has neither. */
const isAnybodys = (tx: TenantTx<Tenant>): tx is TenantTx => parseId("tenant", tx.tenant) !== undefined;
