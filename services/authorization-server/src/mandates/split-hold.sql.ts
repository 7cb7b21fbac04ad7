import type { Id } from "@remit/kernel";
import { sql, type TenantTx } from "@remit/platform/sql";

/** A part of a hold, spent and counted by itself; false when the hold has ended, or nothing would be left of it. */
export async function splitHold(
  tx: TenantTx,
  { charge, part, amount }: { charge: Id<"charge">; part: Id<"charge">; amount: bigint },
): Promise<boolean> {
  const of = String(amount);
  const { count } = await tx.run(sql`with rest as (
      update mandate_holds set amount = amount - ${of}::numeric
      where charge_id = ${charge} and state = 'held' and amount > ${of}::numeric
      returning mandate_id, merchant_id, category, taken_at
    )
    insert into mandate_holds (tenant_id, charge_id, mandate_id, amount, captured, state, windows, merchant_id, category,
      taken_at)
    select ${tx.tenant}, ${part}, mandate_id, ${of}::numeric, ${of}::numeric, 'captured', '[]'::jsonb, merchant_id,
      category, taken_at from rest`);
  if (count === 0) return false;
  await tx.run(sql`insert into mandate_hold_links (tenant_id, charge_id, mandate_id, depth, windows)
    select tenant_id, ${part}, mandate_id, depth, '[]'::jsonb from mandate_hold_links where charge_id = ${charge}`);
  return true;
}
