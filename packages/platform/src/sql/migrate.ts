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
};

/** What every service runs first. */
export const platformMigrations: MigrationSource = {
  name: "platform",
  directory: new URL("../../migrations/", import.meta.url),
};

export declare function migrate(options: MigrateOptions): Promise<void>;
