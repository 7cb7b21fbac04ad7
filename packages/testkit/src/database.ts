import type { Database, DatabaseOptions, MigrationSource, ServiceDatabase } from "@remit/platform/sql";

export type TestDatabaseOptions = {
  readonly service: string;
  /** The migrations of the service; the platform's own come first and need not be named. */
  readonly sources?: readonly MigrationSource[];
};

export type TestDatabase = ServiceDatabase & {
  /** Of the cluster's superuser, in this database. */
  readonly adminUrl: string;
  readonly sources: readonly MigrationSource[];
  /** Opens a pool as the application role; closed by `drop`. */
  open(options?: Partial<DatabaseOptions>): Database;
  /** Runs SQL as the superuser: what no application may do. */
  asAdmin<T = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<T[]>;
  drop(): Promise<void>;
};

/** A fresh database from a template that holds these migrations, built once per fingerprint. About 0.2 s. */
export declare function testDatabase(options: TestDatabaseOptions): Promise<TestDatabase>;
