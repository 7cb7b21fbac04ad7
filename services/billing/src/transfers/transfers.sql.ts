import { assetOf, type Id, type Instant, invariant, money } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Transfer, Way } from "./transfers.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"transfer">;
  readonly about: Transfer["about"];
  readonly about_reference: string;
  readonly ordinal: number;
  readonly way: Way;
  readonly payment_id: Id<"payment">;
  readonly payment_reference: string;
  readonly destination: string;
  readonly charge_id: Id<"charge">;
  readonly merchant_id: Id<"merchant">;
  readonly currency: string;
  readonly amount_minor: bigint;
  readonly state: Transfer["state"];
  readonly unwanted: boolean;
  readonly attempt: number;
  readonly asked_at: Instant | null;
  readonly source: string | null;
  readonly reference: string | null;
  readonly booked: boolean;
  readonly created_at: Instant;
};

function transferOf(row: Row): Transfer {
  const asset = assetOf(row.currency);
  invariant(asset !== undefined, "a stored currency is one we know");
  return {
    id: row.id,
    about: row.about,
    aboutReference: row.about_reference,
    ordinal: row.ordinal,
    way: row.way,
    payment: row.payment_id,
    paymentReference: row.payment_reference,
    destination: row.destination,
    charge: row.charge_id,
    owner: { tenant: row.tenant_id, merchant: row.merchant_id },
    amount: money(asset, row.amount_minor),
    state: row.state,
    unwanted: row.unwanted,
    attempt: row.attempt,
    askedAt: row.asked_at,
    source: row.source,
    reference: row.reference,
    booked: row.booked,
    createdAt: row.created_at,
  };
}

const maybe = (row: Row | undefined): Transfer | undefined => row && transferOf(row);

/** False when another call has written one of that number, or one is under way. */
export async function insertTransfer(tx: Sql, of: Transfer): Promise<boolean> {
  const written = await tx.run(sql`
    insert into transfers (tenant_id, id, about, about_reference, ordinal, way, payment_id, payment_reference, destination, charge_id,
      merchant_id, currency, amount_minor, state, created_at)
    values (${of.owner.tenant}, ${of.id}, ${of.about}, ${of.aboutReference}, ${of.ordinal}, ${of.way}, ${of.payment},
      ${of.paymentReference}, ${of.destination}, ${of.charge}, ${of.owner.merchant}, ${of.amount.asset.code}, ${of.amount.units},
      ${of.state}, ${sqlTime(of.createdAt)})
    on conflict do nothing`);
  return written.count === 1;
}

export const transfersAbout = async (tx: Sql, about: Transfer["about"]): Promise<Transfer[]> =>
  (await tx.many<Row>(sql`select * from transfers where about = ${about} order by ordinal limit 1000`)).map(
    transferOf,
  );

export const transferById = async (tx: Sql, id: Id<"transfer">): Promise<Transfer | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from transfers where id = ${id}`));

/** What we have sent on of a payment after its capture, as Stripe calls it. */
export const sentOn = async (tx: Sql, payment: Id<"payment">): Promise<string[]> =>
  (
    await tx.many<{ reference: string }>(sql`
      select reference from transfers where payment_id = ${payment} and way = 'on' and state = 'sent' order by id limit 1000`)
  ).map(({ reference }) => reference);

export const setUnwanted = async (tx: Sql, id: Id<"transfer">, unwanted: boolean): Promise<void> => {
  await tx.run(sql`
    update transfers set unwanted = ${unwanted} where id = ${id} and state = 'sending' and unwanted <> ${unwanted}`);
};

/** Chooses what is reversed, and how much of it, before anybody is asked; it stays chosen. */
export const chooseSource = async (
  tx: Sql,
  { id }: Transfer,
  of: { readonly source: string; readonly units: bigint },
): Promise<Transfer | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update transfers set source = ${of.source}, amount_minor = ${of.units}
      where id = ${id} and state = 'sending' and source is null and asked_at is null returning *`),
  );

/** Notes that an attempt is asked for, before it is: since when it may be known by its key. */
export const noteAsked = async (
  tx: Sql,
  { id, attempt }: Transfer,
  now: Instant,
): Promise<Transfer | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update transfers set asked_at = coalesce(asked_at, ${sqlTime(now)})
      where id = ${id} and state = 'sending' and attempt = ${attempt} returning *`),
  );

/** A read has shown that the attempt moved nothing: another may be asked for, of another part if need be. */
export const nextAttempt = async (tx: Sql, { id, attempt }: Transfer): Promise<void> => {
  await tx.run(sql`
    update transfers set attempt = attempt + 1, asked_at = null, source = null where id = ${id} and state = 'sending' and attempt = ${attempt}`);
};

export const endTransfer = async (
  tx: Sql,
  { id }: Transfer,
  to: { readonly state: "sent" | "dropped"; readonly reference: string | null; readonly booked: boolean },
): Promise<Transfer | undefined> =>
  maybe(
    await tx.maybe<Row>(sql`
      update transfers set state = ${to.state}, reference = ${to.reference}, booked = ${to.booked}
      where id = ${id} and state = 'sending' returning *`),
  );

export const noteBooked = async (tx: Sql, { id }: Transfer): Promise<void> => {
  await tx.run(sql`update transfers set booked = true where id = ${id} and state = 'sent'`);
};
