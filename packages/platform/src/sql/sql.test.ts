import { instantOf } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { eventually, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newPurse, newTenant, purseIds, purseMigrations } from "../../test/purses.ts";
import { type Database, openDatabase, sql, sqlTime, type Tx, violates } from "./index.ts";

let made: TestDatabase;
let db: Database;

beforeAll(async () => {
  made = await testDatabase({ service: "purses", sources: [purseMigrations] });
  db = made.open();
});
afterAll(() => made?.drop());

/** A promise and the way to keep it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

describe("a statement", () => {
  test("keeps values out of its text, and has one name per call site", () => {
    const find = (id: string) => sql`select ${id}::text, ${1}::int`;
    expect(find("'; drop table purses").text).toBe("select $1::text, $2::int");
    expect(find("a").name).toBe(find("b").name);
    expect(sql`select 1`.name).not.toBe(sql`select 2`.name);
  });

  test("is prepared once per connection", async () => {
    const one = made.open({ poolMax: 1 });
    for (let i = 0; i < 3; i++) await one.global.transaction((tx) => tx.one(sql`select ${i}::int as i`));
    const { name } = sql`select 1`;
    const { many } = await one.global.transaction((tx) =>
      tx.one<{ many: bigint }>(
        sql`select count(*) as many from pg_prepared_statements where statement like 'select $1::int as i%'`,
      ),
    );
    expect(many).toBe(1n);
    expect(name).toHaveLength(27);
  });

  test("without a name is never taken for the one that was sent before it without a name", async () => {
    const one = made.open({ poolMax: 1 });
    const ask = (text: string, values: readonly string[]) =>
      one.global.transaction((tx) => tx.many<object>({ text, values, name: "" }));
    expect(await ask("select $1::text as a", ["1"])).toEqual([{ a: "1" }]);
    expect(await ask("select $1::text as b, $2::text as c", ["2", "3"])).toEqual([{ b: "2", c: "3" }]);
    expect(await ask("select 'other' as d where $1::text <> '4'", ["4"])).toEqual([]);
    const twice = await one.global.transaction((tx) =>
      Promise.all(
        ["5", "6"].map((value) =>
          tx.many<object>({ text: `select $1::text as v${value}`, values: [value], name: "" }),
        ),
      ),
    );
    expect(twice).toEqual([[{ v5: "5" }], [{ v6: "6" }]]);
  });

  test("brings values back without loss, also once its connection knows it", async () => {
    const at = instantOf(1_795_000_000_123);
    const read = () =>
      one.global.transaction((tx) =>
        tx.one(sql`
        select ${9_007_199_254_740_993n}::bigint as big, ${sqlTime(at)}::timestamptz as at, ${'{"a":[1]}'}::jsonb as json,
          ${new Uint8Array([0, 255])}::bytea as bytes, '1.10'::numeric as amount, '2026-11-22'::date as day,
          ${[1n, 2n]}::bigint[] as bigs, ${["a", 'b"c\\,{}', "null", ""]}::text[] as texts, ${[]}::text[] as none,
          ${null}::bigint as nothing, ${true}::boolean as yes, ${-1.5}::float8 as half, ${""}::text as empty`),
      );
    const one = made.open({ poolMax: 1 });
    for (let times = 0; times < 3; times++)
      expect(await read()).toEqual({
        big: 9_007_199_254_740_993n,
        at,
        json: { a: [1] },
        bytes: Buffer.from([0, 255]),
        amount: "1.10",
        day: "2026-11-22",
        bigs: [1n, 2n],
        texts: ["a", 'b"c\\,{}', "null", ""],
        none: [],
        nothing: null,
        yes: true,
        half: -1.5,
        empty: "",
      });
  });

  test("says how many rows it touched, also once its connection knows it", async () => {
    const one = made.open({ poolMax: 1 });
    const tenant = one.of(newTenant());
    const ids = [await newPurse(tenant), await newPurse(tenant)];
    for (let times = 0; times < 3; times++) {
      const counts = await tenant.transaction((tx) =>
        Promise.all([
          tx.run(sql`update purses set units = units + 1 where id = any(${ids}::text[])`),
          tx.run(sql`update purses set units = units + 1 where id = 'nobody'`),
          tx.run(sql`select units from purses`),
        ]),
      );
      expect(counts).toEqual([{ count: 2 }, { count: 0 }, { count: 2 }]);
    }
  });

  test("that promised one row does not pass with none or with two", async () => {
    const two = sql`select * from generate_series(1, 2)`;
    await expect(db.global.transaction((tx) => tx.one(sql`select 1 where false`))).rejects.toThrow(
      "finds it",
    );
    await expect(db.global.transaction((tx) => tx.one(two))).rejects.toThrow("no more than one");
    await expect(db.global.transaction((tx) => tx.maybe(two))).rejects.toThrow("no more than one");
  });
});

describe("a transaction", () => {
  test("whose work throws leaves nothing behind, and runs nothing after it", async () => {
    const tenant = db.of(newTenant());
    let told = false;
    const failing = tenant.transaction(async (tx) => {
      tx.afterCommit(() => {
        told = true;
      });
      await tx.run(sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, 'lost', 1)`);
      throw new Problem("card_declined");
    });
    await expect(failing).rejects.toMatchObject({ code: "card_declined" });
    expect(await purseIds(tenant)).toEqual([]);
    expect(told).toBe(false);
  });

  test("tells after its commit, and a listener that throws changes nothing", async () => {
    const told: string[] = [];
    await db.global.transaction(async (tx) => {
      tx.afterCommit(() => {
        throw new RangeError("no");
      });
      tx.afterCommit(() => void told.push("after"));
      await tx.run(sql`select 1`);
      told.push("in");
    });
    expect(told).toEqual(["in", "after"]);
  });

  test("in which a failed statement was swallowed does not pass as committed", async () => {
    const tenant = db.of(newTenant());
    const swallowing = tenant.transaction(async (tx) => {
      await tx.run(sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, 'lost', 1)`);
      await tx.run(sql`select 1 / 0`).catch(() => undefined);
    });
    await expect(swallowing).rejects.toThrow("not as if it were committed");
    expect(await purseIds(tenant)).toEqual([]);
  });

  test("cannot be used once it has ended", async () => {
    let kept: Tx | undefined;
    await db.global.transaction(async (tx) => {
      kept = tx;
    });
    await expect(kept?.run(sql`select 1`)).rejects.toThrow("only inside the transaction");
  });

  test("opens no second one, which could wait for a connection that it holds itself", async () => {
    const nested = db.global.transaction(() => db.relay.transaction((tx) => tx.run(sql`select 1`)));
    await expect(nested).rejects.toThrow("not opened inside another one");
  });

  test("may be opened by what runs after the commit of another one", async () => {
    const opened = await db.global.transaction(async (tx) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      tx.afterCommit(() => resolve(db.ping()));
      return { done: promise };
    });
    await opened.done;
  });

  test("runs statements one after the other, also when they are asked for at once", async () => {
    const rows = await db.global.transaction((tx) =>
      Promise.all([1, 2, 3].map((i) => tx.one<{ i: number }>(sql`select ${i}::int as i`))),
    );
    expect(rows).toEqual([{ i: 1 }, { i: 2 }, { i: 3 }]);
  });

  test("carries out what was deferred with the next statement, in the order in which all was asked for", async () => {
    const one = made.open({ poolMax: 1 });
    const tenant = one.of(newTenant());
    const id = await newPurse(tenant);
    for (let times = 1; times <= 3; times++) {
      const seen = await tenant.transaction((tx) => {
        tx.defer(sql`update purses set units = ${times} where id = ${id}`);
        return tx.one<{ units: bigint }>(sql`select units from purses where id = ${id}`);
      });
      expect(seen).toEqual({ units: BigInt(times) });
    }
  });

  test("commits nothing when what was deferred fails, which is what it ends with", async () => {
    const one = made.open({ poolMax: 1 });
    const tenant = one.of(newTenant());
    const move = (divisor: number) =>
      tenant.transaction(async (tx) => {
        await tx.run(
          sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, ${`by ${divisor}`}, 1)`,
        );
        tx.defer(sql`update purses set units = units / ${divisor}::bigint`);
        return divisor;
      });
    expect(await move(1)).toBe(1); // what follows goes in one message
    await expect(move(0)).rejects.toMatchObject({ code: "22012" });
    expect(await move(2)).toBe(2);
    expect(await purseIds(tenant)).toEqual(["by 1", "by 2"]);
  });

  test("that has deferred all it does, and in vain, leaves a connection that can be used", async () => {
    const one = made.open({ poolMax: 1 });
    const divide = (divisor: number) =>
      one.global.transaction(async (tx) => tx.defer(sql`select 1 / ${divisor}::int`));
    await divide(1); // what follows goes in one message
    await expect(divide(0)).rejects.toMatchObject({ code: "22012" });
    expect(await one.global.transaction((tx) => tx.one(sql`select 1 as one`))).toEqual({ one: 1 });
    await divide(2);
  });

  test("begins for what is deferred alone, and not at all for nothing", async () => {
    const one = made.open({ poolMax: 1 });
    const tenant = one.of(newTenant());
    for (let times = 0; times < 3; times++) {
      await tenant.transaction(async (tx) =>
        tx.defer(sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, ${`p${times}`}, 1)`),
      );
      await tenant.transaction(async () => undefined);
    }
    expect(await purseIds(tenant)).toEqual(["p0", "p1", "p2"]);
  });

  test("whose message fails in the middle carries out nothing of what comes after it", async () => {
    await made.asAdmin("create table meant (n int); grant insert on meant to public");
    const one = made.open({ poolMax: 1 });
    const insert = (tx: Tx, n: number) => tx.run(sql`insert into meant values (10 / ${n}::int)`);
    const together = (numbers: readonly number[]) =>
      one.global.transaction((tx) => Promise.all(numbers.map((n) => insert(tx, n))));
    await together([1]); // the connection knows all of it from here on
    await expect(together([2, 0, 5])).rejects.toMatchObject({ code: "22012" });
    await expect(together([0, 5])).rejects.toMatchObject({ code: "22012" });
    expect(await made.asAdmin("select n from meant")).toEqual([{ n: 10 }]);
  });

  test("sends no statement that was still waiting when another one failed", async () => {
    await made.asAdmin("create table loose (n int); grant insert on loose to public");
    const insert = (tx: Tx, n: number) => tx.run(sql`insert into loose values (${n})`);
    const failing = db.global.transaction((tx) =>
      Promise.all([tx.run(sql`select 1 / 0`), insert(tx, 1), insert(tx, 2), insert(tx, 3)]),
    );
    await expect(failing).rejects.toMatchObject({ code: "22012" });
    await db.ping();
    expect(await made.asAdmin("select n from loose")).toEqual([]);
  });

  test("runs again on another connection when a migration has changed what it had prepared", async () => {
    const pool = made.open({ poolMax: 3 });
    await made.asAdmin(
      "create table widening (n int); insert into widening values (1); grant select on widening to public",
    );
    const read = () => pool.global.transaction((tx) => tx.many(sql`select * from widening`));
    const each = () => Promise.all([read(), read(), read()]);
    expect(await each()).toEqual([[{ n: 1 }], [{ n: 1 }], [{ n: 1 }]]);
    await made.asAdmin("alter table widening add column more int");
    expect(await each()).toEqual([1, 2, 3].map(() => [{ n: 1, more: null }]));
  });

  test("C14 that lost a deadlock runs again, so that transfers both ways succeed", async () => {
    const tenant = db.of(newTenant());
    const [one, other] = [await newPurse(tenant), await newPurse(tenant)];
    const [firstLocked, secondLocked] = [gate(), gate()];
    let attempts = 0;
    const move = (from: string, to: string, mine: { open(): void }, theirs: { passed: Promise<void> }) =>
      tenant.transaction(async (tx) => {
        attempts += 1;
        await tx.run(sql`update purses set units = units - 1 where id = ${from}`);
        mine.open();
        await theirs.passed;
        await tx.run(sql`update purses set units = units + 1 where id = ${to}`);
      });
    await Promise.all([
      move(one, other, firstLocked, secondLocked),
      move(other, one, secondLocked, firstLocked),
    ]);
    expect(attempts).toBeGreaterThan(2);
    const units = await tenant.transaction((tx) => tx.many(sql`select units from purses`));
    expect(units).toEqual([{ units: 1n }, { units: 1n }]);
  });

  test("names the constraint that it broke", async () => {
    const tenant = db.of(newTenant());
    const id = await newPurse(tenant);
    const again = tenant.transaction((tx) =>
      tx.run(sql`insert into purses (tenant_id, id, units) values (${tx.tenant}, ${id}, 1)`),
    );
    const error: unknown = await again.catch((thrown: unknown) => thrown);
    expect(violates(error, "purses_pkey")).toBe(true);
    expect(violates(error, "purses_id_key")).toBe(false);
    expect(violates(new RangeError("x"), "purses_pkey")).toBe(false);
  });

  test("over a snapshot reads one moment in many statements, and writes nothing", async () => {
    const moment = sql`select pg_current_snapshot()::text as at`;
    const [before, later] = await db.snapshot.transaction(async (tx) => {
      const first = await tx.one<{ at: string }>(moment);
      await made.asAdmin("select pg_current_xact_id()");
      return [first, await tx.one<{ at: string }>(moment)];
    });
    expect(later).toEqual(before);
    expect(await db.global.transaction((tx) => tx.one(moment))).not.toEqual(before);
    const writing = db.snapshot.transaction((tx) =>
      tx.run(sql`insert into purses (tenant_id, id, units) values ('', 'no', 1)`),
    );
    await expect(writing).rejects.toMatchObject({ code: "unavailable" });
  });

  test("that takes too long is ended and answered 503", async () => {
    const hasty = made.open({ statementMsMax: 50 });
    const slow = hasty.global.transaction((tx) => tx.run(sql`select pg_sleep(30)`));
    await expect(slow).rejects.toMatchObject({
      code: "unavailable",
      status: 503,
      headers: { "retry-after": "2" },
    });
    await hasty.ping();
  });
});

describe("D04 an exhausted pool", () => {
  test("refuses with 503 after a bounded wait, and recovers", async () => {
    const one = openDatabase({ url: made.url, schema: made.schema, relayRole: made.roles.relay, poolMax: 1 });
    const held = gate();
    const holding = one.global.transaction(() => held.passed);
    const waiting = one.global.transaction((tx) => tx.run(sql`select 1`));
    await expect(waiting).rejects.toMatchObject({ code: "unavailable", headers: { "retry-after": "2" } });
    held.open();
    await holding;
    await one.ping();
    await one.close();
  });

  test("lets no more wait than it should", async () => {
    const one = made.open({ poolMax: 1, queueMax: 1 });
    const held = gate();
    const holding = one.global.transaction(() => held.passed);
    const waiting = one.ping();
    await expect(one.ping()).rejects.toMatchObject({ code: "unavailable" });
    held.open();
    await Promise.all([holding, waiting]);
  });
});

describe("D01 a connection", () => {
  test("that breaks amid a transaction answers 503, and the next transaction gets another", async () => {
    const one = made.open({ poolMax: 1 });
    const broken = one.global.transaction(async (tx) => {
      const { pid } = await tx.one<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      await made.asAdmin("select pg_terminate_backend($1)", [pid]);
      await tx.run(sql`select 1`);
    });
    await expect(broken).rejects.toMatchObject({ code: "unavailable", status: 503 });
    await one.ping();
  });

  test("to nowhere answers 503 and tells the caller nothing of the address", async () => {
    const nowhere = openDatabase({ url: "postgres://a:b@127.0.0.1:1/x", schema: "x", relayRole: "x" });
    const refused: unknown = await nowhere.ping().catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: "unavailable", detail: undefined });
    expect(String(refused)).not.toContain("127.0.0.1");
    await nowhere.close();
  });

  test("is not opened any more once the pool is closed", async () => {
    const closed = made.open();
    await closed.close();
    await expect(closed.ping()).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a notification", () => {
  test("reaches listeners of its schema after the commit alone, and says once what it is about", async () => {
    const other = made.open();
    const heard: string[] = [];
    const stop = db.listen("purses", (about = "anything") => void heard.push(about));
    await eventually(() => expect(heard).toEqual(["anything"])); // once when listening begins
    await expect(
      other.global.transaction(async (tx) => {
        tx.notify("purses");
        await tx.run(sql`select 1 / 0`);
      }),
    ).rejects.toThrow();
    await other.global.transaction(async (tx) => {
      for (const about of ["ada's", "bob's", "ada's", undefined]) tx.notify("purses", about);
    });
    await eventually(() => expect(heard).toEqual(["anything", "ada's", "bob's", ""]));
    stop();
  });

  test("may be missed while the listening connection is down, so listening again counts as one", async () => {
    const listening = made.open();
    let heard = 0;
    const stop = listening.listen("purses", () => {
      heard += 1;
    });
    await eventually(() => expect(heard).toBe(1));
    await made.asAdmin(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'listen%'",
    );
    await eventually(() => expect(heard).toBe(2));
    stop();
  });
});
