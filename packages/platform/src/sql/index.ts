export {
  type CrossingTx,
  type Database,
  type DatabaseOptions,
  type GlobalTx,
  openDatabase,
  type RelayTx,
  type Scope,
  type Sql,
  type Tenant,
  type TenantSql,
  type TenantTx,
  type Tx,
} from "./database.ts";
export { violates } from "./failures.ts";
export {
  asOwner,
  type DatabaseRoles,
  fingerprintOf,
  type MigrateOptions,
  type MigrationSource,
  migrate,
  migrationIds,
  platformMigrations,
} from "./migrate.ts";
export { type ProvisionOptions, provision, type ServiceDatabase } from "./provision.ts";
export { type RolePasswords, rolePasswords } from "./role-passwords.ts";
export { assertSafeRole } from "./safe-role.ts";
export { type SqlValue, type Statement, sql, sqlTime } from "./statement.ts";
