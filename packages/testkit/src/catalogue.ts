import type { TestDatabase } from "./database.ts";

export type TableKind = "tenant" | "global" | "public";
export type Tables = Readonly<Record<string, TableKind>>;

/**
 * Compares the schema with what the service declares (T03) and returns every difference as a sentence: tables that are
 * missing or not declared, tenant tables without forced row-level security or with a policy that lacks USING or WITH
 * CHECK, anything that the application role owns.
 */
export declare function checkCatalogue(database: TestDatabase, tables: Tables): Promise<string[]>;
