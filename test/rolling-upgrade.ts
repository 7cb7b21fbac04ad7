import type { TestDatabase } from "@remit/testkit";

/** What a program that was written for a schema relies on: by its name, how it is. */
export type Schema = ReadonlyMap<string, string>;

/** Columns, functions and rights as the application role of a service finds them. */
export async function schemaOf(database: TestDatabase): Promise<Schema> {
  const { schema, roles } = database;
  const rows = await database.asAdmin<{ name: string; how: string }>(
    `select 'column ' || c.relname || '.' || a.attname as name,
        format_type(a.atttypid, a.atttypmod)
          || case when a.attnotnull then ' not null' else '' end
          || case when a.attnotnull and not (a.atthasdef or a.attidentity <> '') then ', to be given' else '' end as how
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relkind in ('r', 'p', 'v') and a.attnum > 0 and not a.attisdropped
    union all
      select 'function ' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')', format_type(p.prorettype, null)
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1
    union all
      select 'right to ' || lower(privilege_type) || ' ' || table_name, 'given'
      from information_schema.role_table_grants where table_schema = $1 and grantee = $2
    union all
      select 'right to ' || lower(privilege_type) || ' ' || table_name || '.' || column_name, 'given'
      from information_schema.column_privileges where table_schema = $1 and grantee = $2`,
    [schema, roles.app],
  );
  return new Map(rows.map(({ name, how }) => [name, how]));
}

/**
 * What a program of the former release would trip over once the database is migrated, while both run (D11): a migration only
 * adds; what nobody needs any more goes one release later.
 */
export function brokenFor(former: Schema, now: Schema): string[] {
  const gone = [...former].flatMap(([name, how]) => {
    const is = now.get(name);
    if (is === undefined) return [`${name} is gone`];
    // A column that fills itself now is written and read as ever; so is one that may be empty, until somebody leaves it so.
    const may = [how, how.replace(", to be given", ""), how.replace(/ not null.*$/, "")];
    return may.includes(is) ? [] : [`${name} was ${how} and is ${is}`];
  });
  const tables = new Set([...former.keys()].flatMap((name) => /^column ([^.]+)\./.exec(name)?.[1] ?? []));
  const asked = [...now].flatMap(([name, how]) => {
    const table = /^column ([^.]+)\./.exec(name)?.[1] ?? "";
    const isNew = !former.has(name) && tables.has(table);
    return isNew && how.endsWith(", to be given")
      ? [`${name} must be given, and the former release does not know it`]
      : [];
  });
  return [...gone, ...asked];
}
