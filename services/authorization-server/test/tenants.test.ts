import { migrations, tables } from "@remit/authorization-server";
import { newId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { checkCatalogue } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newClient } from "./client.ts";
import { type Running, startServer, startWith } from "./running.ts";

let running: Running;
let agentId: string;

beforeAll(async () => {
  running = await startServer();
  agentId = (await newClient(running, "agent")).id;
});
afterAll(() => running.close());

const tenantTables = Object.entries(tables)
  .filter(([, kind]) => kind === "tenant")
  .map(([name]) => name);

test("T02 the server refuses to start under a role that can see past a tenant", async () => {
  await expect(startWith(running.database, { databaseUrl: running.database.adminUrl })).rejects.toThrow();
  await expect(startWith(running.database, { databaseUrl: running.database.migrationUrl })).rejects.toThrow();
});

test("T03 every table is declared, and every tenant table is held by its policies, also against its owner", async () => {
  expect(await checkCatalogue(running.database, tables)).toEqual([]);
  expect(migrations).toHaveLength(1);
});

describe("T04 without a tenant nothing is seen", () => {
  test.each(tenantTables)("T04 %s", async (table) => {
    const db = running.database.open();
    const count = () => ({
      text: `select count(*)::int as count from ${table}`,
      values: [],
      name: `t04_${table}`,
    });
    expect(await db.global.transaction((tx) => tx.one(count()))).toEqual({ count: 0 });
    expect(await db.of(newId("tenant")).transaction((tx) => tx.one(count()))).toEqual({ count: 0 });
  });

  test("T04 a tenant that is SQL is refused before it reaches the database", async () => {
    const db = running.database.open();
    const hostile = "org_' or '1'='1" as ReturnType<typeof newId<"tenant">>;
    await expect(async () => db.of(hostile).transaction((tx) => tx.many(sql`select 1`))).rejects.toThrow();
  });
});

describe("T06 a row cannot be put into another tenant", () => {
  test("T06 neither inserted nor moved", async () => {
    const db = running.database.open();
    const [mine, theirs] = [newId("tenant"), running.tenant];
    const insert = db
      .of(mine)
      .transaction((tx) =>
        tx.run(
          sql`insert into memberships (tenant_id, account_id, role, created_at) values (${theirs}, ${"acc_x"}, ${"owner"}, now())`,
        ),
      );
    await expect(insert).rejects.toThrow(/row-level security/);
    const moved = db
      .of(running.tenant as typeof mine)
      .transaction((tx) => tx.run(sql`update agents set tenant_id = ${mine} where id = ${agentId}`));
    await expect(moved).rejects.toThrow(/row-level security/);
    const other = await db
      .of(mine)
      .transaction((tx) => tx.run(sql`update agents set name = ${"stolen"} where id = ${agentId}`));
    expect(other.count).toBe(0);
  });
});

test("T07 an id of another tenant is as unknown as one that nobody has", async () => {
  const db = running.database.open();
  const stranger = newId("tenant");
  const found = await db
    .of(stranger)
    .transaction(async (tx) => [
      await tx.maybe(sql`select id from agents where id = ${agentId}`),
      await tx.maybe(sql`select id from agents where id = ${newId("agent")}`),
    ]);
  expect(found).toEqual([undefined, undefined]);
});
