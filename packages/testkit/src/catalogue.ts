import type { TestDatabase } from "./database.ts";

export type TableKind = "tenant" | "global" | "public";
export type Tables = Readonly<Record<string, TableKind>>;

type Found = {
  readonly name: string;
  readonly enabled: boolean;
  readonly forced: boolean;
  /** USING and WITH CHECK of the policies that hold for the application. */
  readonly policies: readonly Policy[];
};

type Policy = { readonly command: string; readonly using: string | null; readonly check: string | null };

const mine = "(tenant_id = NULLIF(current_setting('remit.tenant'::text, true), ''::text))";

/**
 * Compares the schema with what the service declares (T03) and returns every difference as a sentence: tables that are
 * missing or not declared, tenant tables without forced row-level security or with a policy that lacks USING or WITH
 * CHECK, public tables that a tenant could write for another, anything that the application role owns. The platform's own tables need not be declared.
 */
export async function checkCatalogue(database: TestDatabase, tables: Tables): Promise<string[]> {
  const declared: Tables = { ...platformTables, ...tables };
  const found = await database.asAdmin<Found>(
    `select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       coalesce((select jsonb_agg(jsonb_build_object('command', p.cmd, 'using', p.qual, 'check', p.with_check)) from pg_policies p
         where p.schemaname = $1::text and p.tablename = c.relname and p.roles && array['public', $2::text::name]), '[]') as policies
     from pg_class c where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by 1`,
    [database.schema, database.roles.app],
  );
  const names = new Set(found.map(({ name }) => name));
  return [
    ...Object.keys(declared)
      .filter((name) => !names.has(name))
      .map((name) => `${name} is declared and does not exist`),
    ...found.flatMap((table) => faultsOf(table, declared[table.name])),
    ...(await rightsBeyond(database)),
  ];
}

function faultsOf(table: Found, kind: TableKind | undefined): string[] {
  const { name, enabled, forced, policies } = table;
  if (kind === undefined) return [`${name} is not declared`];
  if (kind === "public") return publicFaults(table);
  if (kind === "global") return enabled ? [`${name} is declared ${kind} and has row-level security`] : [];
  return [
    ...(enabled ? [] : [`${name} is a tenant table without row-level security`]),
    ...(forced ? [] : [`${name} is a tenant table whose owner is not held by its policies`]),
    ...(policies.length > 0 ? [] : [`${name} is a tenant table without a policy`]),
    ...policies
      .filter(({ using, check }) => using !== mine || check !== mine)
      .map(
        () => `${name} has a policy that is not "rows of the current tenant" in both USING and WITH CHECK`,
      ),
  ];
}

/** Everybody reads a public table; only a tenant writes rows of its own. */
function publicFaults({ name, enabled, forced, policies }: Found): string[] {
  const writes = policies.filter(({ command }) => command !== "SELECT");
  return [
    ...(enabled && forced ? [] : [`${name} is a public table whose writers are not held by policies`]),
    ...writes
      .filter(({ using, check }) => check !== mine && using !== mine)
      .map(({ command }) => `${name} lets a tenant ${command} rows of another`),
  ];
}

/** What no application role may have: things of its own, TRUNCATE, or a place to put things. */
async function rightsBeyond(database: TestDatabase): Promise<string[]> {
  const rows = await database.asAdmin<{ text: string }>(
    `select 'the application role owns ' || relname as text from pg_class where relowner = $2::text::regrole
     union all select 'the application role owns the function ' || proname from pg_proc where proowner = $2::text::regrole
     union all select 'the application role may truncate ' || relname from pg_class
       where relnamespace = $1::text::regnamespace and relkind in ('r', 'p') and has_table_privilege($2::text, oid, 'truncate')
     union all select 'the application role may create in ' || nspname from pg_namespace
       where nspname in ($1::text, 'public') and has_schema_privilege($2::text, oid, 'create')
     union all select 'everybody may run the definer function ' || proname from pg_proc
       where pronamespace = $1::text::regnamespace and prosecdef and has_function_privilege('public', oid, 'execute')`,
    [database.schema, database.roles.app],
  );
  return rows.map(({ text }) => text);
}

const platformTables: Tables = {
  data_keys: "global",
  dead_jobs: "global",
  first_uses: "global",
  idempotency_keys: "tenant",
  jobs: "global",
  key_encryption: "global",
  outbox: "global",
  outbox_cursors: "global",
  remit_instance: "global",
  remit_migrations: "global",
  remit_roles: "global",
  schedules: "global",
  signing_keys: "global",
};
