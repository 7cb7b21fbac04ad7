import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Instrument, InstrumentAtProvider } from "./instruments.ts";

export type NewInstrument = {
  readonly tenant: Id<"tenant">;
  readonly id: Id<"instrument">;
  readonly customer: string;
  readonly agreement: string;
  readonly at: Instant;
};

export async function insertInstrument(tx: Sql, of: NewInstrument): Promise<void> {
  await tx.run(sql`
    insert into instruments (tenant_id, id, state, customer, agreement, agreed_at, created_at)
    values (${of.tenant}, ${of.id}, 'enrolling', ${of.customer}, ${of.agreement}, ${sqlTime(of.at)}, ${sqlTime(of.at)})`);
}

export async function keepSetup(tx: Sql, id: Id<"instrument">, setup: string): Promise<void> {
  await tx.run(
    sql`update instruments set setup_reference = ${setup} where id = ${id} and state = 'enrolling'`,
  );
}

type Row = {
  readonly id: Id<"instrument">;
  readonly brand: string;
  readonly last4: string;
  readonly is_default: boolean;
};

const instrumentOf = ({ id, brand, last4, is_default: isDefault }: Row): Instrument => ({
  id,
  brand,
  last4,
  isDefault,
});

export type Saved = {
  readonly setup: string;
  readonly method: string;
  readonly brand: string;
  readonly last4: string;
};

/** One tenant's cards take their turns at its customer row. */
export async function lockCards(tx: Sql): Promise<void> {
  await tx.run(sql`select from stripe_customers for update`);
}

/** The usable card that is this method at Stripe. */
export async function activeBy(tx: Sql, method: string): Promise<Instrument | undefined> {
  const row = await tx.maybe<Row>(
    sql`select id, brand, last4, is_default from instruments where state = 'active' and method = ${method} limit 1`,
  );
  return row === undefined ? undefined : instrumentOf(row);
}

/** Makes a card usable; the first one becomes the default. Undefined when its enrolment has ended. */
export async function activate(tx: Sql, id: Id<"instrument">, saved: Saved): Promise<Instrument | undefined> {
  const row = await tx.maybe<Row>(sql`
    update instruments set state = 'active', method = ${saved.method}, brand = ${saved.brand}, last4 = ${saved.last4},
      setup_reference = ${saved.setup},
      is_default = not exists (select from instruments i where i.is_default and i.state = 'active')
    where id = ${id} and state = 'enrolling' returning id, brand, last4, is_default`);
  return row === undefined ? undefined : instrumentOf(row);
}

export async function decline(tx: Sql, id: Id<"instrument">): Promise<void> {
  await tx.run(sql`update instruments set state = 'declined' where id = ${id} and state = 'enrolling'`);
}

export const activeInstruments = async (tx: Sql): Promise<Instrument[]> =>
  (
    await tx.many<Row>(
      sql`select id, brand, last4, is_default from instruments where state = 'active' order by id limit 100`,
    )
  ).map(instrumentOf);

export const usableInstrument = (
  tx: Sql,
  id: Id<"instrument"> | null,
): Promise<InstrumentAtProvider | undefined> =>
  tx.maybe<InstrumentAtProvider>(sql`
    select customer, method from instruments
    where state = 'active' and (id = ${id} or (${id}::text is null and is_default)) limit 1`);

export type Enrolling = { readonly setup: string | null; readonly since: Instant };

export const enrolling = (tx: Sql, id: Id<"instrument">): Promise<Enrolling | undefined> =>
  tx.maybe<Enrolling>(
    sql`select setup_reference as setup, created_at as since from instruments where id = ${id} and state = 'enrolling'`,
  );

export const enrollingBy = async (tx: Sql, setup: string): Promise<Id<"instrument"> | undefined> =>
  (
    await tx.maybe<{ id: Id<"instrument"> }>(
      sql`select id from instruments where setup_reference = ${setup} and state = 'enrolling' for update`,
    )
  )?.id;

export const tenantOfSetup = async (tx: Sql, setup: string): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_setup(${setup}) as tenant`)).tenant;
