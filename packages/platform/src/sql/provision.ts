import { createHash } from "node:crypto";
import { Client, DatabaseError, escapeIdentifier, escapeLiteral } from "pg";
import { StartRefused } from "../host/index.ts";
import { claimInstance, type Instance, isClaimed, refuseForeignInstance } from "./instance.ts";
import { type DatabaseRoles, withClient } from "./migrate.ts";
import type { RolePasswords } from "./role-passwords.ts";
import { scramVerifier } from "./scram.ts";

export type ProvisionOptions = {
  /** Of a superuser, or of a role with CREATEROLE that owns the database. */
  readonly adminUrl: string;
  readonly service: string;
  readonly passwords: RolePasswords;
  /** Names the installation by its key-encryption key: a database of another installation is refused. */
  readonly kekFingerprint: string | readonly string[];
  /** Begins the roles' names; the database's name by default. */
  readonly prefix?: string;
};

export type ServiceDatabase = {
  /** Of the application role. */
  readonly url: string;
  /** For `migrate`, with `ownerRole`. */
  readonly migrationUrl: string;
  readonly ownerRole: string;
  readonly schema: string;
  readonly roles: DatabaseRoles;
};

type Names = DatabaseRoles & { readonly owner: string; readonly schema: string; readonly database: string };
type Admin = { readonly name: string; readonly mayCreateRoles: boolean; readonly version: number };

const identifierBytesMax = 63;

/**
 * Makes a service's roles and schema, or finds them made: `<prefix>_<service>_owner` (no login, owns the schema),
 * `<prefix>_<service>` (the application), `…_relay` and `…_lookup` (no login). An administrator that may not create
 * roles is told the SQL that somebody else has to run once.
 */
export async function provision(options: ProvisionOptions): Promise<ServiceDatabase> {
  return await withClient(options.adminUrl, async (client) => {
    const names = await namesFor(client, options);
    const admin = await adminOf(client);
    await client.query("select pg_advisory_lock(hashtextextended('remit.provision', 0))");
    const password = options.passwords.of(names.app);
    const instance = { schema: names.schema, kekFingerprint: options.kekFingerprint };
    await refuseForeign(client, names, instance);
    const steps = statementsFor({ names, admin, verifier: scramVerifier(password) });
    if (admin.mayCreateRoles) await runAll(client, steps);
    else if (!(await isProvisioned(client, names))) throw mayNot(steps);
    await client.query(`set role ${escapeIdentifier(names.owner)}`);
    await claimInstance(client, instance);
    return {
      url: urlOf(options.adminUrl, names.app, password),
      migrationUrl: options.adminUrl,
      ownerRole: names.owner,
      schema: names.schema,
      roles: { app: names.app, relay: names.relay, lookup: names.lookup },
    };
  });
}

async function namesFor(client: Client, { service, prefix }: ProvisionOptions): Promise<Names> {
  const { rows } = await client.query<{ name: string }>("select current_database() as name");
  const database = rows[0]?.name ?? "";
  const schema = service.replaceAll("-", "_");
  const role = (ending: string): string => fitting(`${prefix ?? database}_${schema}${ending}`);
  return {
    database,
    schema,
    owner: role("_owner"),
    app: role(""),
    relay: role("_relay"),
    lookup: role("_lookup"),
  };
}

/** PostgreSQL cuts longer names without a word, and two of ours could become one. */
function fitting(name: string): string {
  if (Buffer.byteLength(name) <= identifierBytesMax) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 12);
  return `${Buffer.from(name)
    .subarray(0, identifierBytesMax - 13)
    .toString("latin1")
    .replace(/[^\w]/g, "_")}_${digest}`;
}

async function adminOf(client: Client): Promise<Admin> {
  const { rows } = await client.query<{ name: string; may: boolean; version: string }>(
    "select rolname as name, rolsuper or rolcreaterole as may, current_setting('server_version_num') as version from pg_roles where rolname = current_user",
  );
  const { name = "", may = false, version = "0" } = rows[0] ?? {};
  if (Number(version) < 150_000)
    throw new StartRefused("the database server is older than PostgreSQL 15", "Use PostgreSQL 15 to 18.");
  return { name, mayCreateRoles: may, version: Math.floor(Number(version) / 10_000) };
}

/** What makes the roles and the schema; each statement may run again. Printed as they are for another administrator. */
function statementsFor(input: { names: Names; admin: Admin; verifier: string }): string[] {
  const { names, admin, verifier } = input;
  const id = escapeIdentifier;
  const [owner, app, relay, lookup] = [names.owner, names.app, names.relay, names.lookup].map(id);
  const [schema, database, me] = [names.schema, names.database, admin.name].map(id);
  // From PostgreSQL 16 on a membership says for itself whether rights are inherited; before, the member says it.
  const inherited = (yes: boolean): string => (admin.version >= 16 ? ` with inherit ${yes}, set true` : "");
  return [
    createRole(names.owner, "nologin noinherit"),
    createRole(names.app, "login noinherit"),
    createRole(names.relay, "nologin"),
    createRole(names.lookup, "nologin"),
    `alter role ${app} with login noinherit password ${escapeLiteral(verifier)}`,
    `grant ${owner} to ${me}${inherited(true)}`,
    `grant ${relay} to ${app}${inherited(false)}`,
    `grant ${lookup} to ${owner}${inherited(false)}`,
    `revoke all on database ${database} from public`,
    `grant connect on database ${database} to ${app}`,
    `grant create on database ${database} to ${owner}`,
    "revoke all on schema public from public",
    `set role ${owner}`,
    `create schema if not exists ${schema}`,
    `grant usage on schema ${schema} to ${app}, ${relay}, ${lookup}`,
    "reset role",
    `revoke create on database ${database} from ${owner}`,
  ];
}

const createRole = (name: string, attributes: string): string =>
  `do $$ begin if not exists (select from pg_roles where rolname = ${escapeLiteral(name)}) then ` +
  `create role ${escapeIdentifier(name)} ${attributes}; end if; end $$`;

/** Before anything is changed: this database may hold what another key-encryption key protects. */
async function refuseForeign(client: Client, names: Names, instance: Instance): Promise<void> {
  if (!(await isClaimed(client, names.schema))) return;
  const { rows } = await client.query<{ member: boolean }>(
    "select coalesce((select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = $1), false) as member",
    [names.owner],
  );
  if (rows[0]?.member !== true)
    throw new StartRefused(
      `the schema ${names.schema} belongs to another installation, whose owner role this user cannot use`,
      "Use a database of its own for each installation.",
    );
  await client.query(`set role ${escapeIdentifier(names.owner)}`);
  await refuseForeignInstance(client, instance);
  await client.query("reset role");
}

async function runAll(client: Client, steps: readonly string[]): Promise<void> {
  try {
    for (const step of steps) await runStep(client, step);
  } catch (error) {
    throw error instanceof DatabaseError && error.code === "42501" ? mayNot(steps, error) : error;
  }
}

const triesMax = 10;

/**
 * Roles belong to the cluster, where the lock of this database holds nobody else back: what another installation does to
 * the same rows at this moment is waited for and done again. Every step may run again.
 */
async function runStep(client: Client, step: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await client.query(step);
      return;
    } catch (error) {
      if (tries === triesMax || !isConcurrentChange(error)) throw error;
    }
  }
}

// PostgreSQL has no code of its own for the first; the others are two who create one role.
const isConcurrentChange = (error: unknown): boolean =>
  error instanceof DatabaseError &&
  ((error.code === "XX000" && error.message.startsWith("tuple concurrently")) ||
    error.code === "42710" ||
    (error.code === "23505" && error.constraint === "pg_authid_rolname_index"));

async function isProvisioned(client: Client, names: Names): Promise<boolean> {
  const { owner, app, relay, lookup, schema } = names;
  const { rows } = await client.query<{ ready: boolean }>(
    `select (select count(*) from pg_roles where rolname = any($1)) = 4
       and exists (select from pg_namespace where nspname = $2)
       and pg_has_role(current_user, (select oid from pg_roles where rolname = $3), 'member') as ready`,
    [[owner, app, relay, lookup], schema, owner],
  );
  return rows[0]?.ready === true;
}

const mayNot = (steps: readonly string[], cause?: unknown): StartRefused =>
  new StartRefused(
    "the database user may not create roles, or does not own the database",
    `Let an administrator of the database run this once:\n\n${steps.join(";\n")};\n`,
    { cause },
  );

function urlOf(adminUrl: string, user: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  return url.href;
}
