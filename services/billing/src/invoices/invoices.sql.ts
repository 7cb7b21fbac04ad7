import { assetOf, type Id, type Instant, invariant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Invoice, InvoiceLine, InvoiceState } from "./invoice.ts";

/** The next number of a year, taken with the row's lock: whoever else writes an invoice waits until this one is written. */
export const takeNumber = async (tx: Sql, year: number): Promise<number> =>
  (
    await tx.one<{ last: number }>(sql`
      insert into invoice_numbers as n (year, last) values (${year}, 1)
      on conflict (year) do update set last = n.last + 1 returning last`)
  ).last;

/** Holds the year's numbers until the commit: what is asked for afterwards, be it at once, stays as it is seen. */
export const holdNumbers = async (tx: Sql, year: number): Promise<void> => {
  await Promise.all([
    tx.run(sql`insert into invoice_numbers (year, last) values (${year}, 0) on conflict (year) do nothing`),
    tx.run(sql`select last from invoice_numbers where year = ${year} for update`),
  ]);
};

export async function insertInvoice(tx: Sql, invoice: Invoice, sealed: Uint8Array): Promise<void> {
  const lines = invoice.lines.map(({ fromVolume, count, gross, fee, ...line }) => ({
    ...line,
    fromVolume: String(fromVolume),
    count: String(count),
    gross: String(gross),
    fee: String(fee),
  }));
  await tx.run(sql`
    insert into invoices (tenant_id, id, year, number, kind, month, merchant_id, asset, lines, net, tax, withheld, tax_basis_points,
      reverse_charge, sealed, issued_at, due_at, state, next_step_at, paid_at)
    values (${invoice.tenant}, ${invoice.id}, ${invoice.year}, ${invoice.number}, ${invoice.kind}, ${invoice.month},
      ${invoice.merchant}, ${invoice.asset.code}, ${JSON.stringify(lines)}::jsonb, ${invoice.net}, ${invoice.tax},
      ${invoice.withheld}, ${invoice.taxBasisPoints}, ${invoice.reverseCharge}, ${sealed}, ${sqlTime(invoice.issuedAt)},
      ${sqlTime(invoice.dueAt)}, ${invoice.state}, ${timeOf(invoice.nextStepAt)}, ${timeOf(invoice.paidAt)})`);
}

const timeOf = (at: Instant | null): string | null => (at === null ? null : sqlTime(at));

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"invoice">;
  readonly year: number;
  readonly number: number;
  readonly kind: Invoice["kind"];
  readonly month: string;
  readonly merchant_id: Id<"merchant"> | null;
  readonly asset: string;
  readonly lines: readonly (Pick<InvoiceLine, "kind" | "rail" | "schedule"> & {
    fromVolume: string;
    count: string;
    gross: string;
    fee: string;
  })[];
  readonly net: string;
  readonly tax: string;
  readonly withheld: string;
  readonly credited: string;
  readonly tax_basis_points: number;
  readonly reverse_charge: boolean;
  readonly sealed: Uint8Array;
  readonly issued_at: Instant;
  readonly due_at: Instant;
  readonly state: InvoiceState;
  readonly next_step_at: Instant | null;
  readonly paid_at: Instant | null;
  readonly payment_reference: string | null;
};

export type Stored = { readonly invoice: Invoice; readonly sealed: Uint8Array };

function storedOf(row: Row): Stored {
  const asset = assetOf(row.asset);
  invariant(asset !== undefined, "an invoice is in an asset we know");
  const invoice: Invoice = {
    id: row.id,
    tenant: row.tenant_id,
    year: row.year,
    number: row.number,
    kind: row.kind,
    month: row.month,
    merchant: row.merchant_id,
    asset,
    lines: row.lines.map(({ fromVolume, count, gross, fee, ...line }) => ({
      ...line,
      fromVolume: BigInt(fromVolume),
      count: BigInt(count),
      gross: BigInt(gross),
      fee: BigInt(fee),
    })),
    net: BigInt(row.net),
    tax: BigInt(row.tax),
    withheld: BigInt(row.withheld),
    credited: BigInt(row.credited),
    taxBasisPoints: row.tax_basis_points,
    reverseCharge: row.reverse_charge,
    issuedAt: row.issued_at,
    dueAt: row.due_at,
    state: row.state,
    nextStepAt: row.next_step_at,
    paidAt: row.paid_at,
    paymentReference: row.payment_reference,
  };
  return { invoice, sealed: row.sealed };
}

export const invoicesOfMonth = async (tx: Sql, month: string): Promise<Stored[]> =>
  (await tx.many<Row>(sql`select * from invoices where month = ${month}`)).map(storedOf);

/** The newest first; from the one before which another page ended. */
export const invoices = async (
  tx: Sql,
  { limit, before }: { readonly limit: number; readonly before: Id<"invoice"> | undefined },
): Promise<Stored[]> =>
  (
    await tx.many<Row>(sql`select * from invoices
      where ${before ?? null}::text is null
        or (year, number) < (select year, number from invoices where id = ${before ?? null})
      order by year desc, number desc limit ${limit}`)
  ).map(storedOf);

export async function invoiceById(tx: Sql, id: Id<"invoice">): Promise<Stored | undefined> {
  const row = await tx.maybe<Row>(sql`select * from invoices where id = ${id}`);
  return row === undefined ? undefined : storedOf(row);
}

export const tenantOfInvoice = async (tx: Sql, id: Id<"invoice">): Promise<Id<"tenant"> | null> =>
  (await tx.one<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_invoice(${id}) as tenant`)).tenant;

/** From the very state that was decided upon; undefined when another has moved it. */
export async function moveInvoice(
  tx: Sql,
  { id, state }: Pick<Invoice, "id" | "state">,
  to: { state: InvoiceState; next: Instant | null; paidAt: Instant | null; reference: string | null },
): Promise<Invoice | undefined> {
  const row = await tx.maybe<Row>(sql`
    update invoices set state = ${to.state}, next_step_at = ${timeOf(to.next)}, paid_at = ${timeOf(to.paidAt)},
      payment_reference = ${to.reference}
    where id = ${id} and state = ${state} returning *`);
  return row === undefined ? undefined : storedOf(row).invoice;
}

/** Without reading it: that may be what fails. */
export const putOff = async (
  tx: Sql,
  id: Id<"invoice">,
  { now, until }: { now: Instant; until: Instant },
): Promise<void> => {
  await tx.run(sql`
    update invoices set next_step_at = ${sqlTime(until)} where id = ${id} and next_step_at <= ${sqlTime(now)}::timestamptz`);
};

/** What may be settled by setting it off, the oldest first, held until the commit. */
export const unsettled = async (tx: Sql): Promise<Invoice[]> =>
  (
    await tx.many<Row>(sql`
      select * from invoices where case kind when 'credit_note' then credited < withheld - net - tax
        else state in ('open', 'overdue', 'reminded', 'final_notice', 'uncollectible') end
      order by year, number for update`)
  ).map((row) => storedOf(row).invoice);

/** As decided upon while it was held. */
export const creditInvoice = async (tx: Sql, { id, credited, state, nextStepAt }: Invoice): Promise<void> => {
  await tx.run(sql`
    update invoices set credited = ${credited}, state = ${state}, next_step_at = ${timeOf(nextStepAt)} where id = ${id}`);
};

export const dueInvoices = (
  tx: Sql,
  now: Instant,
): Promise<{ readonly tenant: Id<"tenant">; readonly id: Id<"invoice"> }[]> =>
  tx.many(sql`select tenant, id from invoices_due(${sqlTime(now)}::timestamptz, 200)`);

export type ProfileRow = {
  readonly sealed: Uint8Array;
  readonly tax_basis_points: number;
  readonly reverse_charge: boolean;
  readonly due_days: number;
};

export const profile = (tx: Sql): Promise<ProfileRow | undefined> =>
  tx.maybe<ProfileRow>(
    sql`select sealed, tax_basis_points, reverse_charge, due_days from billing_profiles limit 1`,
  );

export async function saveProfile(
  tx: Sql,
  of: { tenant: string; sealed: Uint8Array; points: number; reverse: boolean; days: number; now: Instant },
): Promise<void> {
  await tx.run(sql`
    insert into billing_profiles (tenant_id, sealed, tax_basis_points, reverse_charge, due_days, changed_at)
    values (${of.tenant}, ${of.sealed}, ${of.points}, ${of.reverse}, ${of.days}, ${sqlTime(of.now)})
    on conflict (tenant_id) do update set sealed = excluded.sealed, tax_basis_points = excluded.tax_basis_points,
      reverse_charge = excluded.reverse_charge, due_days = excluded.due_days, changed_at = excluded.changed_at`);
}
