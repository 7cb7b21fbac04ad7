import type { Instant } from "@remit/kernel";
import { type Sql, sql } from "../sql/index.ts";

export const databaseTime = (db: Sql): Promise<{ readonly at: Instant }> =>
  db.one<{ readonly at: Instant }>(sql`select date_trunc('milliseconds', clock_timestamp()) as at`);
