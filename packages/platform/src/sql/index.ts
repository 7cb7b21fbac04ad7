export {
  type CrossingTx,
  type Database,
  type DatabaseOptions,
  type GlobalTx,
  openDatabase,
  type RelayTx,
  type Scope,
  type Sql,
  type TenantSql,
  type TenantTx,
  type Tx,
} from "./database.ts";
export {
  type DatabaseRoles,
  type MigrateOptions,
  type MigrationSource,
  migrate,
  platformMigrations,
} from "./migrate.ts";
export {
  type ProvisionOptions,
  provision,
  type RolePasswords,
  rolePasswords,
  type ServiceDatabase,
} from "./provision.ts";
export { assertSafeRole } from "./safe-role.ts";
export { type SqlValue, type Statement, sql, sqlTime } from "./statement.ts";
