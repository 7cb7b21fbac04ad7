import { type Id, newId } from "@remit/kernel";
import { type MigrationSource, sql, type TenantSql } from "@remit/platform/sql";

/** The tables of the platform's own tests. */
export const purseMigrations: MigrationSource = {
  name: "purses",
  directory: new URL("./migrations/", import.meta.url),
};

export const newTenant = (): Id<"tenant"> => newId("tenant");

/** A purse of one tenant with so many units. */
export async function newPurse(db: TenantSql, units = 1n): Promise<string> {
  const id = newId("account");
  await db.transaction((tx) =>
    tx.run(sql`insert into purses (tenant_id, id, units) values (${db.tenant}, ${id}, ${units})`),
  );
  return id;
}

export const purseIds = async (db: TenantSql): Promise<string[]> =>
  (await db.transaction((tx) => tx.many<{ id: string }>(sql`select id from purses order by id`))).map(
    ({ id }) => id,
  );
