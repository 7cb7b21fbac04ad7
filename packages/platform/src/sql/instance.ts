import { type Client, escapeIdentifier } from "pg";
import { StartRefused } from "../host/index.ts";

/** One row per schema: of which installation it is, told by the fingerprint of its key-encryption key. */
export type Instance = {
  readonly schema: string;
  /** Of each key-encryption key at hand: there are two while one is rotated in. The first claims a new schema. */
  readonly kekFingerprint: string | readonly string[];
};

const tableOf = (schema: string): string => `${escapeIdentifier(schema)}.remit_instance`;

/** Refuses a schema that another installation claimed. Changes nothing; as a role that may read the schema's tables. */
export async function refuseForeignInstance(client: Client, instance: Instance): Promise<void> {
  if (!(await isClaimed(client, instance.schema))) return;
  const theirs = await keyOf(client, instance.schema);
  if (theirs === undefined || [instance.kekFingerprint].flat().includes(theirs)) return;
  throw new StartRefused(
    `the database belongs to an installation with another key-encryption key (${theirs.slice(0, 12)}…)`,
    "Use the data directory this database was made with, or another database.",
  );
}

/** The key that wraps, as the service wrote it down at its first start and at each rotation; before, the one that claimed. */
async function keyOf(client: Client, schema: string): Promise<string | undefined> {
  const kept = `${escapeIdentifier(schema)}.key_encryption`;
  const { rows: found } = await client.query<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [kept],
  );
  if (found[0]?.there === true) {
    const { rows } = await client.query<{ current: string }>(`select current from ${kept}`);
    if (rows[0] !== undefined) return rows[0].current;
  }
  const { rows } = await client.query<{ kek_fingerprint: string }>(
    `select kek_fingerprint from ${tableOf(schema)}`,
  );
  return rows[0]?.kek_fingerprint;
}

/** Claims the schema. As its owner. */
export async function claimInstance(client: Client, instance: Instance): Promise<void> {
  await client.query(`create table if not exists ${tableOf(instance.schema)} (
    only_one boolean primary key default true check (only_one),
    kek_fingerprint text not null, created_at timestamptz not null default now())`);
  await client.query(
    `insert into ${tableOf(instance.schema)} (kek_fingerprint) values ($1) on conflict do nothing`,
    [[instance.kekFingerprint].flat()[0]],
  );
}

export async function isClaimed(client: Client, schema: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = 'remit_instance'`,
    [schema],
  );
  return rowCount === 1;
}
