import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { StartRefused } from "../host/index.ts";
import { lacksLock } from "./failures.ts";
import { claimInstance, refuseForeignInstance } from "./instance.ts";

/** A folder of `0001_name.sql`, forward only. The name stands in the ledger: `platform/0001_outbox.sql`. */
export type MigrationSource = { readonly name: string; readonly directory: URL };

export type DatabaseRoles = { readonly app: string; readonly relay: string; readonly lookup: string };

export type MigrateOptions = {
  /** Of the owner, or of an administrator who may `set role` to it. */
  readonly url: string;
  readonly ownerRole?: string;
  readonly schema: string;
  readonly roles: DatabaseRoles;
  readonly sources: readonly MigrationSource[];
  /** Refuses the schema of an installation with another key-encryption key, and claims it when nobody has. */
  readonly kekFingerprint?: string | readonly string[];
};

/** What every service runs first. */
export const platformMigrations: MigrationSource = {
  name: "platform",
  directory: new URL("../../migrations/", import.meta.url),
};

type Migration = { readonly id: string; readonly text: string; readonly checksum: string };

// Whoever comes after a file that waits for its lock waits behind it, also for what is only read: for so long, and then it lets
// them by and tries again, for some minutes in all.
const lockMsMax = 1_000;
const lockPauseMs = 1_000;
const lockTries = 150;

/**
 * Runs what has not run yet, in the order of sources and file names, each file in a transaction of its own. One process
 * at a time; the others wait and find nothing to do. A file that has run and has changed since is refused. One that does not get
 * its lock beside a long transaction is tried again.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const migrations = (await Promise.all(options.sources.map(readSource))).flat();
  await withClient(options.url, async (client) => {
    if (options.ownerRole !== undefined)
      await client.query(`set role ${escapeIdentifier(options.ownerRole)}`);
    await client.query("select set_config('search_path', $1, false)", [escapeIdentifier(options.schema)]);
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [
      `remit.migrate.${options.schema}`,
    ]);
    if (options.kekFingerprint !== undefined) {
      const instance = { schema: options.schema, kekFingerprint: options.kekFingerprint };
      await refuseForeignInstance(client, instance);
      await claimInstance(client, instance);
    }
    const done = await readLedger(client);
    for (const migration of migrations) await runOnce(client, { migration, done, options });
  });
}

/** A fingerprint of everything `migrate` would run. */
export async function fingerprintOf(sources: readonly MigrationSource[]): Promise<string> {
  const hash = createHash("sha256");
  for (const source of sources)
    for (const { id, checksum } of await readSource(source)) hash.update(`${id} ${checksum}\n`);
  return hash.digest("hex");
}

/** What `migrate` would have run, by the ids in its ledger (`remit_migrations`). */
export const migrationIds = async (sources: readonly MigrationSource[]): Promise<string[]> =>
  (await Promise.all(sources.map(readSource))).flat().map(({ id }) => id);

async function readSource({ name, directory }: MigrationSource): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sql")).sort();
  return await Promise.all(
    files.map(async (file) => {
      if (!/^\d{4}_[a-z0-9_]+\.sql$/.test(file))
        throw new StartRefused(`${name}/${file} is no migration`, "Name it 0001_what_it_does.sql.");
      const text = await readFile(new URL(file, directory), "utf8");
      const checksum = createHash("sha256").update(text.replaceAll("\r\n", "\n")).digest("hex");
      return { id: `${name}/${file}`, text, checksum };
    }),
  );
}

async function readLedger(client: Client): Promise<ReadonlyMap<string, string>> {
  await client.query(`create table if not exists remit_migrations (
    id text collate "C" primary key, checksum text not null, applied_at timestamptz not null default now())`);
  const { rows } = await client.query<{ id: string; checksum: string }>(
    "select id, checksum from remit_migrations",
  );
  return new Map(rows.map(({ id, checksum }) => [id, checksum]));
}

async function runOnce(
  client: Client,
  run: { migration: Migration; done: ReadonlyMap<string, string>; options: MigrateOptions },
): Promise<void> {
  const { id, text, checksum } = run.migration;
  const known = run.done.get(id);
  if (known === checksum) return;
  if (known !== undefined)
    throw new StartRefused(
      `${id} has run in this database and has changed since`,
      "Put the file back as it was, and write the change as a new migration.",
    );
  const file = `begin; set local lock_timeout = ${lockMsMax};\n${withVariables(text, run.options)}`;
  try {
    for (let tries = 1; !(await hasLocks(client, file, tries)); tries++) await pause(lockPauseMs);
    await client.query("insert into remit_migrations (id, checksum) values ($1, $2)", [id, checksum]);
    await client.query("commit");
  } catch (error) {
    throw new StartRefused(
      `${id} failed: ${error instanceof Error ? error.message : String(error)}`,
      "Nothing of this file was kept. Mend the cause and start again.",
      { cause: error },
    );
  }
}

/** Carries a file out; false when it did not get a lock, and nothing of it is left. */
async function hasLocks(client: Client, file: string, tries: number): Promise<boolean> {
  try {
    await client.query(file);
    return true;
  } catch (error) {
    if (!lacksLock(error) || tries === lockTries) throw error;
    await client.query("rollback");
    return false;
  }
}

/** `:"app"` and `:'app'` as in psql, so that a person can run the same file by hand. */
function withVariables(text: string, { roles, schema }: MigrateOptions): string {
  const values: Readonly<Record<string, string>> = { ...roles, schema };
  return text.replace(/(?<!:):(["'])([a-z_]+)\1/g, (whole, quote: string, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return quote === '"' ? escapeIdentifier(value) : escapeLiteral(value);
  });
}

/** Runs a statement as the owner of a schema: what the application may not do itself. */
export const asOwner = (
  {
    url,
    schema,
    role,
  }: { readonly url: string; readonly schema: string; readonly role?: string | undefined },
  statement: string,
): Promise<void> =>
  withClient(url, async (client) => {
    if (role !== undefined) await client.query(`set role ${escapeIdentifier(role)}`);
    await client.query("select set_config('search_path', $1, false)", [escapeIdentifier(schema)]);
    await client.query(statement);
  });

/** A connection for one piece of administrative work. */
export async function withClient<R>(url: string, work: (client: Client) => Promise<R>): Promise<R> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000, keepAlive: true });
  client.on("error", () => undefined); // the query that runs meanwhile fails with it
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
