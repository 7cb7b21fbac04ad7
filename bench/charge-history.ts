import { type Database, sql, type Tx } from "@remit/platform/sql";

type Copied = {
  readonly table: string;
  /** Which rows of the first charge are copied. */
  readonly where: string;
  /** What each copy has of its own: expressions over `n`, its number. */
  readonly own: Readonly<Record<string, string>>;
};

const copyId = (prefix: string): string => `'${prefix}_0' || lpad(n::text, 24, '0')`;

/** What a charge that is over has left, once per table and side. */
const traces: readonly Copied[] = [
  {
    table: "charges",
    where: "id = $1",
    own: { id: copyId("chg"), offer_id: copyId("off"), receipt_id: copyId("rcp") },
  },
  {
    table: "merchant_charges",
    where: "id = $1",
    own: { id: copyId("chg"), offer_id: copyId("off"), receipt_id: copyId("rcp") },
  },
  { table: "mandate_holds", where: "charge_id = $1", own: { charge_id: copyId("chg") } },
  {
    table: "presentation_claims",
    where: "charge_id = $1",
    own: { charge_id: copyId("chg"), kb_nonce: "md5(n::text)" },
  },
  { table: "receipts", where: "charge_id = $1", own: { charge_id: copyId("chg"), id: copyId("rcp") } },
  {
    table: "audit_rows",
    where: "subject = $1 and event = 'charge.captured'",
    own: { subject: copyId("chg"), event_id: copyId("evt") },
  },
];

/** Copies what one captured charge has left so many times, under its own mandate, past triggers and foreign keys. */
export async function addHistory(
  admin: Database,
  { charge, count }: { readonly charge: { readonly id: string }; readonly count: number },
): Promise<void> {
  await admin.global.transaction(async (tx) => {
    await tx.run(sql`set local session_replication_role = replica`);
    for (const trace of traces) await copy(tx, trace, { id: charge.id, count });
  });
  await admin.global.transaction((tx) => tx.run(sql`analyze`));
}

async function copy(
  tx: Tx,
  { table, where, own }: Copied,
  { id, count }: { readonly id: string; readonly count: number },
): Promise<void> {
  const columns = (
    await tx.many<{ name: string }>(sql`select column_name::text as name from information_schema.columns
      where table_schema = current_schema() and table_name = ${table} and is_generated = 'NEVER'
      order by ordinal_position`)
  ).map(({ name }) => name);
  const values = columns.map((name) => own[name] ?? `one.${name}`);
  // Names and expressions are ours, from the list above.
  await tx.run({
    name: `copy-${table}`,
    text: `insert into ${table} (${columns.join(", ")}) select ${values.join(", ")}
      from (select * from ${table} where ${where}) as one, generate_series(1, $2::integer) as n`,
    values: [id, count],
  });
}
