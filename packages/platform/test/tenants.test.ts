import { newId } from "@remit/kernel";
import { type Database, sql } from "@remit/platform/sql";
import { checkCatalogue, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newPurse, newTenant, purseIds, purseMigrations } from "./purses.ts";

const denied = { code: "42501" };

let made: TestDatabase;
let db: Database;

beforeAll(async () => {
  made = await testDatabase({ service: "purses", sources: [purseMigrations] });
  db = made.open({ poolMax: 2 });
});
afterAll(() => made?.drop());

describe("T03 the catalogue", () => {
  const tables = { purses: "tenant", entries: "tenant" } as const;

  test("of a schema that is as declared has no fault", async () => {
    expect(await checkCatalogue(made, tables)).toEqual([]);
  });

  test("finds a table that nobody declared", async () => {
    expect(await checkCatalogue(made, { purses: "tenant" })).toEqual(["entries is not declared"]);
  });

  test("finds a declared table that is missing", async () => {
    expect(await checkCatalogue(made, { ...tables, wallets: "global" })).toEqual([
      "wallets is declared and does not exist",
    ]);
  });

  test.each([
    [
      "row-level security is off",
      "alter table purses disable row level security",
      /without row-level security/,
    ],
    ["the owner is free of it", "alter table purses no force row level security", /owner is not held/],
    [
      "a policy lets rows be written for others",
      "create policy loose on purses for insert with check (true)",
      /not "rows of the current tenant"/,
    ],
    ["the application may truncate", `grant truncate on purses to remit_t_purses`, /may truncate purses/],
    ["the application may create", `grant create on schema purses to remit_t_purses`, /may create in purses/],
  ])("finds that %s", async (_, fault, finding) => {
    const spoiled = await testDatabase({ service: "purses", sources: [purseMigrations] });
    await spoiled.asAdmin(fault);
    expect((await checkCatalogue(spoiled, tables)).join("\n")).toMatch(finding);
    await spoiled.drop();
  });
});

describe("T04 without a valid tenant", () => {
  test("a tenant table shows nothing and takes nothing", async () => {
    await newPurse(db.of(newTenant()));
    await db.global
      .transaction(async (tx) => {
        expect(await tx.many(sql`select id from purses`)).toEqual([]);
        await expect(
          tx.run(sql`insert into purses (tenant_id, id, units) values ('', 'x', 1)`),
        ).rejects.toMatchObject(denied);
      })
      .catch((error: unknown) => expect(String(error)).toContain("in which a statement failed"));
  });

  test.each([
    ["empty", ""],
    ["SQL", "x' or '1'='1"],
    ["a quote and more statements", "'; drop table purses; --"],
    ["another kind of id", newId("agent")],
    ["nothing at all", undefined],
  ])("%s as tenant is refused before anything is sent", async (_, tenant) => {
    const hostile = db.of(tenant as never); // what a caller without types might pass
    await expect(hostile.transaction((tx) => tx.many(sql`select id from purses`))).rejects.toThrow(
      "a tenant is set only by its id",
    );
  });

  test("SQL in the setting itself finds nothing", async () => {
    await newPurse(db.of(newTenant()));
    const rows = await db.global.transaction(async (tx) => {
      await tx.run(sql`select set_config('remit.tenant', ${"' or true --"}, true)`);
      return await tx.many(sql`select id from purses`);
    });
    expect(rows).toEqual([]);
  });
});

describe("T05 a pooled connection", () => {
  test("shows the next tenant nothing of the one before, also after an error amid its transaction", async () => {
    const one = makeOnePool();
    const mine = newTenant();
    await newPurse(one.of(mine));
    await expect(one.of(mine).transaction((tx) => tx.run(sql`select 1 / 0`))).rejects.toMatchObject({
      code: "22012",
    });
    expect(await purseIds(one.of(newTenant()))).toEqual([]);
    expect(await one.global.transaction((tx) => tx.many(sql`select id from purses`))).toEqual([]);
  });

  test("that a tenant was set on for longer than the transaction is thrown away", async () => {
    const one = makeOnePool();
    const mine = newTenant();
    await newPurse(one.of(mine));
    const before = await backendOf(one);
    await expect(
      one.of(mine).transaction((tx) => tx.run(sql`select set_config('remit.tenant', ${mine}, false)`)),
    ).rejects.toThrow("a tenant or role stayed behind");
    expect(await backendOf(one)).not.toBe(before);
    expect(await one.global.transaction((tx) => tx.many(sql`select id from purses`))).toEqual([]);
  });

  test("that kept another role is thrown away", async () => {
    const one = makeOnePool();
    await expect(
      one.global.transaction((tx) => tx.run(sql`select set_config('role', ${made.roles.relay}, false)`)),
    ).rejects.toThrow("a tenant or role stayed behind");
    const { role } = await one.global.transaction((tx) =>
      tx.one<{ role: string }>(sql`select current_user as role`),
    );
    expect(role).toBe(made.roles.app);
  });

  const makeOnePool = (): Database => made.open({ poolMax: 1 });
  const backendOf = async (database: Database): Promise<number> =>
    (await database.global.transaction((tx) => tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid`)))
      .pid;
});

describe("T06 a row", () => {
  test("is not written for another tenant", async () => {
    const [mine, theirs] = [newTenant(), newTenant()];
    const writing = db
      .of(mine)
      .transaction((tx) =>
        tx.run(sql`insert into purses (tenant_id, id, units) values (${theirs}, 'p1', 1)`),
      );
    await expect(writing).rejects.toMatchObject(denied);
  });

  test("is not moved to another tenant", async () => {
    const [mine, theirs] = [newTenant(), newTenant()];
    const id = await newPurse(db.of(mine));
    const moving = db
      .of(mine)
      .transaction((tx) => tx.run(sql`update purses set tenant_id = ${theirs} where id = ${id}`));
    await expect(moving).rejects.toMatchObject(denied);
    expect(await purseIds(db.of(mine))).toEqual([id]);
  });

  test("of another tenant is neither changed nor removed", async () => {
    const [mine, theirs] = [newTenant(), newTenant()];
    const id = await newPurse(db.of(theirs));
    await db.of(mine).transaction(async (tx) => {
      expect(await tx.run(sql`update purses set units = 0 where id = ${id}`)).toEqual({ count: 0 });
      expect(await tx.run(sql`delete from purses where id = ${id}`)).toEqual({ count: 0 });
    });
    expect(await purseIds(db.of(theirs))).toEqual([id]);
  });
});

describe("T08 past the tables", () => {
  const mine = newTenant();
  const as = (text: string): Promise<unknown> =>
    db.of(mine).transaction((tx) => tx.run({ text, values: [], name: "" }));

  test("a view of the owner shows the current tenant's rows alone", async () => {
    await newPurse(db.of(newTenant()));
    expect(await db.of(mine).transaction((tx) => tx.many(sql`select id from purse_view`))).toEqual([]);
  });

  test("a lookup tells the tenant of an id and nothing else", async () => {
    const theirs = newTenant();
    const id = await newPurse(db.of(theirs));
    const rows = await db.of(mine).transaction((tx) => tx.many(sql`select tenant_of_purse(${id}) as tenant`));
    expect(rows).toEqual([{ tenant: theirs }]);
    expect(
      await db.global.transaction((tx) => tx.many(sql`select tenant_of_purse('none') as tenant`)),
    ).toEqual([{ tenant: null }]);
  });

  test.each([
    ["TRUNCATE", "truncate purses"],
    ["COPY to a program", "copy purses to program 'cat'"],
    ["COPY from a file", "copy purses from '/etc/passwd'"],
    [
      "a function of one's own",
      "create function f() returns int language sql security definer as 'select 1'",
    ],
    ["a materialised view", "create materialized view m as select * from purses"],
    ["a temporary table", "create temporary table purses (id text)"],
    ["switching the triggers off", "set session_replication_role = replica"],
    ["switching row-level security off", "alter table purses disable row level security"],
    ["becoming the owner", "set role remit_t_purses_owner"],
    ["becoming the lookup", "set role remit_t_purses_lookup"],
    ["the settings of roles", "select * from pg_authid"],
    ["the ledger of migrations", "insert into remit_migrations (id, checksum) values ('x', 'x')"],
    ["reading events", "select * from outbox"],
    ["removing events", "delete from outbox"],
  ])("%s is refused", async (_, text) => {
    await expect(as(text)).rejects.toMatchObject(denied);
  });

  test("row_security = off fails instead of showing all", async () => {
    const reading = db.of(mine).transaction(async (tx) => {
      await tx.run(sql`set local row_security = off`);
      return await tx.many(sql`select id from purses`);
    });
    await expect(reading).rejects.toMatchObject(denied);
  });

  test("the relay sees no tenant table", async () => {
    await expect(db.relay.transaction((tx) => tx.many(sql`select id from purses`))).rejects.toMatchObject(
      denied,
    );
  });

  test("the relay's rights are not the application's own", async () => {
    await expect(
      db.global.transaction((tx) => tx.many(sql`select * from outbox_cursors`)),
    ).rejects.toMatchObject(denied);
  });
});

describe("L10 an append-only table", () => {
  const mine = newTenant();

  test.each([
    ["update", "update entries set id = 'y'"],
    ["delete", "delete from entries"],
    ["truncate", "truncate entries"],
  ])("refuses %s to the application and to the owner", async (_, text) => {
    const asApplication = db.of(mine).transaction((tx) => tx.run({ text, values: [], name: "" }));
    await expect(asApplication).rejects.toMatchObject(denied);
    await expect(made.asAdmin(text)).rejects.toThrow("append-only");
    await expect(made.asAdmin(`set session_replication_role = replica; ${text}`)).rejects.toThrow(
      "append-only",
    );
  });

  test("grows", async () => {
    const { count } = await db
      .of(mine)
      .transaction((tx) =>
        tx.run(sql`insert into entries (tenant_id, id) values (${mine}, ${newId("entry")})`),
      );
    expect(count).toBe(1);
  });
});

describe("a crossing", () => {
  const [payer, payee, stranger] = [newTenant(), newTenant(), newTenant()];

  test("writes for each of its tenants in one transaction, and for none when one fails", async () => {
    const write = (fails: boolean): Promise<void> =>
      db.crossing(payer, payee, payer).transaction(async (tx) => {
        for (const tenant of [payer, payee, payer]) {
          const as = await tx.as(tenant);
          const id = newId("account");
          await as.run(sql`insert into purses (tenant_id, id, units) values (${as.tenant}, ${id}, 1)`);
        }
        if (fails) await tx.run(sql`select 1 / 0`);
      });
    await expect(write(true)).rejects.toMatchObject({ code: "22012" });
    expect(await purseIds(db.of(payer))).toEqual([]);
    await write(false);
    expect(await purseIds(db.of(payer))).toHaveLength(2);
    expect(await purseIds(db.of(payee))).toHaveLength(1);
  });

  test("enters no tenant it was not opened for", async () => {
    const entering = db.crossing(payer, payee).transaction((tx) => tx.as(stranger));
    await expect(entering).rejects.toThrow("only the tenants it was opened for");
  });

  test("lets nobody write under the former tenant's handle", async () => {
    const writing = db.crossing(payer, payee).transaction(async (tx) => {
      const former = await tx.as(payer);
      await tx.as(payee);
      return await former.many(sql`select id from purses`);
    });
    await expect(writing).rejects.toThrow("only until the next `as`");
  });

  test("sees no tenant's rows before it enters one", async () => {
    await newPurse(db.of(payer));
    expect(await db.crossing(payer, payee).transaction((tx) => tx.many(sql`select id from purses`))).toEqual(
      [],
    );
  });
});
