import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Instrument, InstrumentAtProvider } from "./instruments.ts";

export type NewInstrument = {
  readonly tenant: Id<"tenant">;
  readonly id: Id<"instrument">;
  readonly customer: string;
  readonly agreement: string;
  readonly at: Instant;
  readonly byHolder: boolean;
};

export async function insertInstrument(tx: Sql, of: NewInstrument): Promise<void> {
  await tx.run(sql`
    insert into instruments (tenant_id, id, state, customer, agreement, agreed_at, created_at, by_holder)
    values (${of.tenant}, ${of.id}, 'enrolling', ${of.customer}, ${of.agreement}, ${sqlTime(of.at)}, ${sqlTime(of.at)},
      ${of.byHolder})`);
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

export type Enrolling = {
  readonly setup: string | null;
  readonly since: Instant;
  readonly byHolder: boolean;
};

export const enrolling = (tx: Sql, id: Id<"instrument">): Promise<Enrolling | undefined> =>
  tx.maybe<Enrolling>(
    sql`select setup_reference as setup, created_at as since, by_holder as "byHolder" from instruments where id = ${id} and state = 'enrolling'`,
  );

export const enrollingBy = (
  tx: Sql,
  setup: string,
): Promise<{ readonly id: Id<"instrument">; readonly byHolder: boolean } | undefined> =>
  tx.maybe(sql`select id, by_holder as "byHolder" from instruments
    where setup_reference = ${setup} and state = 'enrolling' for update`);

export const tenantOfSetup = async (tx: Sql, setup: string): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_setup(${setup}) as tenant`)).tenant;

export type Standing = Instrument & { readonly state: string; readonly method: string | null };

/** One card of the tenant, whatever has become of it. */
export async function findInstrument(tx: Sql, id: Id<"instrument">): Promise<Standing | undefined> {
  const row = await tx.maybe<Row & { readonly state: string; readonly method: string | null }>(
    sql`select id, coalesce(brand, '') as brand, coalesce(last4, '') as last4, is_default, state, method
      from instruments where id = ${id}`,
  );
  return row && { ...instrumentOf(row), state: row.state, method: row.method };
}

/** The default first loses its place: the index allows one at every instant. */
export async function makeDefault(tx: Sql, id: Id<"instrument">): Promise<void> {
  await tx.run(
    sql`update instruments set is_default = false where is_default and state = 'active' and id <> ${id}`,
  );
  await tx.run(sql`update instruments set is_default = true where id = ${id} and state = 'active'`);
}

export async function isAlone(tx: Sql, id: Id<"instrument">): Promise<boolean> {
  const row = await tx.one<{ alone: boolean }>(
    sql`select not exists (select from instruments where state = 'active' and id <> ${id}) as alone`,
  );
  return row.alone;
}

/** Forgets every card of the tenant, and what told one from another; answers those that were usable. */
export async function removeAll(tx: Sql, now: Instant): Promise<Instrument[]> {
  const usable = await activeInstruments(tx);
  await tx.run(sql`update instruments set state = case state when 'enrolling' then 'declined' else 'removed' end,
      is_default = false, removed_at = ${sqlTime(now)}
    where state in ('active', 'enrolling')`);
  await tx.run(sql`update instruments set brand = null, last4 = null where brand is not null`);
  return usable;
}

/** What Stripe may still have attached. */
export const removedMethods = async (tx: Sql): Promise<string[]> =>
  (
    await tx.many<{ method: string }>(
      sql`select method from instruments where state = 'removed' and method is not null order by id`,
    )
  ).map(({ method }) => method);

/** Whether a payment of the tenant needs its card at Stripe still. */
export async function anyPaymentOpen(tx: Sql): Promise<boolean> {
  const row = await tx.one<{ any: boolean }>(sql`select exists (select from payments
    where state in ('authorizing', 'requires_action', 'authorized', 'capturing', 'releasing')) as any`);
  return row.any;
}

/** False when it is not usable any more. */
export async function remove(tx: Sql, id: Id<"instrument">, now: Instant): Promise<boolean> {
  const { count } = await tx.run(sql`update instruments set state = 'removed', is_default = false,
    removed_at = ${sqlTime(now)} where id = ${id} and state = 'active'`);
  return count === 1;
}
