import { StartRefused } from "../host/index.ts";
import type { Database } from "./database.ts";
import { sql } from "./statement.ts";

type Finding = { readonly name: string; readonly why: string };

/**
 * Refuses to start when the application's role, or any role it can become, could see past row-level security or change
 * it (T02): superuser, BYPASSRLS, may create roles, owns the schema or anything in it.
 */
export async function assertSafeRole(database: Database): Promise<void> {
  const findings = await database.global.transaction((tx) =>
    tx.many<Finding>(sql`
      with reachable as (
        select oid, rolname, rolsuper, rolbypassrls, rolcreaterole from pg_roles where pg_has_role(session_user, oid, 'member')
      )
      select rolname as name, 'is a superuser' as why from reachable where rolsuper
      union all select rolname, 'bypasses row-level security' from reachable where rolbypassrls
      union all select rolname, 'may create roles' from reachable where rolcreaterole
      union all select rolname, 'owns the schema ' || nspname
        from reachable r join pg_namespace n on n.nspowner = r.oid where nspname = ${database.schema}
      union all select rolname, 'owns ' || relname
        from reachable r join pg_class c on c.relowner = r.oid join pg_namespace n on n.oid = c.relnamespace
        where nspname = ${database.schema}
      limit 1`),
  );
  const found = findings[0];
  if (found === undefined) return;
  throw new StartRefused(
    `the database role ${found.name} ${found.why}, so tenants would not be kept apart`,
    "Connect as the application role that `remit migrate` made, not as the owner or an administrator.",
  );
}
