import { invariant } from "@remit/kernel";
import { type Sql, sql, type TenantTx } from "@remit/platform/sql";
import { type ChargeRow, chargeOf } from "./charges.sql.ts";
import type { Amended, Charge } from "./charges.ts";

export type Amendment = { readonly amended: Amended; readonly minor: bigint };

/**
 * Sends a held charge on its way again with the greater amount: the next generation, whose former payment is to be let go
 * of first. One conditional UPDATE; undefined for the loser of a race.
 */
export async function amendCharge(
  tx: Sql,
  from: Charge,
  { amended, minor }: Amendment,
): Promise<Charge | undefined> {
  invariant(from.payment !== undefined, "what is authorised has its payment");
  const row = await tx.maybe<ChargeRow>(sql`update charges set
      state = 'authorizing', intent = 'hold', generation = generation + 1, amount_minor = ${minor},
      amended = ${JSON.stringify(amended)}::jsonb, former_payment_id = payment_id, former_minor = amount_minor,
      payment_id = null, payment_reference = null
    where id = ${from.id} and state = 'authorized' and generation = ${from.generation}
    returning *`);
  return row && chargeOf(row);
}

/** The payee's row of it, in the payee's tenant: for the greater amount nothing is held yet. */
export async function amendMerchantCharge(
  tx: TenantTx,
  { id, amount, state, generation }: Charge,
): Promise<void> {
  await tx.run(sql`update merchant_charges set amount_minor = ${amount.units}, state = ${state},
      generation = ${generation}, payment_reference = null
    where id = ${id}`);
}
