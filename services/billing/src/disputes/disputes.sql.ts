import { assetOf, type Id, type Instant, invariant, money } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { DisputeSeen } from "../stripe/index.ts";
import type { Dispute } from "./disputes.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"dispute">;
  readonly reference: string;
  readonly payment_id: Id<"payment">;
  readonly charge_id: Id<"charge">;
  readonly payer_id: Id<"tenant">;
  readonly merchant_id: Id<"merchant">;
  readonly status: string | null;
  readonly reason: string | null;
  readonly amount_minor: bigint | null;
  readonly currency: string | null;
  readonly respond_by: Instant | null;
  readonly opened_at: Instant;
  readonly set_aside: number;
  readonly returned: number;
  readonly look: number;
  readonly destination: string | null;
};

function disputeOf(row: Row): Dispute {
  const asset = row.currency === null ? undefined : assetOf(row.currency);
  invariant(row.currency === null || asset !== undefined, "a stored currency is one we know");
  return {
    id: row.id,
    payee: row.tenant_id,
    payer: row.payer_id,
    reference: row.reference,
    payment: row.payment_id,
    charge: row.charge_id,
    merchant: row.merchant_id,
    status: row.status,
    reason: row.reason,
    amount: asset === undefined || row.amount_minor === null ? null : money(asset, row.amount_minor),
    respondBy: row.respond_by,
    openedAt: row.opened_at,
    setAside: row.set_aside,
    returned: row.returned,
    look: row.look,
    destination: row.destination,
  };
}

export type NewDispute = Pick<
  Dispute,
  "id" | "payee" | "payer" | "reference" | "payment" | "charge" | "merchant" | "openedAt" | "destination"
>;

/** Writes a dispute of which Stripe has told; nothing when it is known. */
export async function insertDispute(tx: Sql, of: NewDispute): Promise<void> {
  await tx.run(sql`
    insert into disputes (tenant_id, id, reference, payment_id, charge_id, payer_id, merchant_id, opened_at, destination)
    values (${of.payee}, ${of.id}, ${of.reference}, ${of.payment}, ${of.charge}, ${of.payer}, ${of.merchant},
      ${sqlTime(of.openedAt)}, ${of.destination})
    on conflict (reference) do nothing`);
}

const maybe = (row: Row | undefined): Dispute | undefined => row && disputeOf(row);

/** Begins a look at Stripe, and numbers it. */
export const beginLook = async (tx: Sql, reference: string): Promise<Dispute | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`update disputes set look = look + 1 where reference = ${reference} returning *`),
  );

/** The dispute, locked for what a look has seen. */
export const lockDispute = async (tx: Sql, id: Id<"dispute">): Promise<Dispute | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from disputes where id = ${id} for update`));

/** Writes what a look has seen, if none that began later was written. */
export const endLook = async (
  tx: Sql,
  known: Dispute,
  { seen, moved, look }: { look: number; seen: DisputeSeen; moved: "set_aside" | "returned" | undefined },
): Promise<Dispute | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update disputes set looked = ${look}, status = ${seen.status}, reason = ${seen.reason}, amount_minor = ${seen.amount.units},
        currency = ${seen.amount.asset.code},
        respond_by = ${seen.respondBy === undefined ? null : sqlTime(seen.respondBy)}::timestamptz,
        set_aside = set_aside + ${moved === "set_aside" ? 1 : 0}, returned = returned + ${moved === "returned" ? 1 : 0}
      where id = ${known.id} and looked < ${look} returning *`),
  );

export const disputeById = async (tx: Sql, id: Id<"dispute">): Promise<Dispute | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from disputes where id = ${id}`));

/** The merchant's tenant, by functions that tell nothing else. */
export const tenantOfDispute = async (tx: Sql, id: Id<"dispute">): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_dispute(${id}) as tenant`)).tenant;

export const tenantOfReference = async (tx: Sql, reference: string): Promise<Id<"tenant"> | null> =>
  (
    await tx.one<{ tenant: Id<"tenant"> | null }>(
      sql`select tenant_of_dispute_reference(${reference}) as tenant`,
    )
  ).tenant;
