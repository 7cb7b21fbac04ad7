import type { DatabaseRoles } from "./migrate.ts";

/** Passwords of the login roles, kept outside the database. */
export type RolePasswords = { of(role: string): string };

export type ProvisionOptions = {
  readonly adminUrl: string;
  readonly service: string;
  readonly passwords: RolePasswords;
  /** Names the installation by its key-encryption key: another installation's database is refused. */
  readonly kekFingerprint: string;
  /** Stands in the roles' names instead of the database's name. */
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

export declare function provision(options: ProvisionOptions): Promise<ServiceDatabase>;

/** Random passwords, made on first use and kept in a file that only its owner can read. */
export declare function rolePasswords(file: string): RolePasswords;
