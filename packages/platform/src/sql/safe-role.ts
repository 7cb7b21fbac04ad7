import type { Database } from "./database.ts";

/** Refuses to start when the application's role could see past row-level security (T02). */
export declare function assertSafeRole(database: Database): Promise<void>;
