import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { eventually, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  assertSafeRole,
  type Database,
  type MigrationSource,
  migrate,
  openDatabase,
  platformMigrations,
  provision,
  type RolePasswords,
  rolePasswords,
  sql,
} from "./index.ts";

let made: TestDatabase;
let folder: string;
const passwords: RolePasswords = { of: (role) => `password of ${role}` };

beforeAll(async () => {
  made = await testDatabase({ service: "provisioning" });
  folder = mkdtempSync(path.join(tmpdir(), "remit-provision-"));
});
afterAll(async () => {
  await made?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const open = (url: string): Database =>
  openDatabase({ url, schema: made.schema, relayRole: made.roles.relay });

describe("T02 start-up refuses", () => {
  const refusal = async (url: string): Promise<string> => {
    const db = open(url);
    const refused: unknown = await assertSafeRole(db).catch((thrown: unknown) => thrown);
    await db.close();
    return String(refused);
  };
  /** A login of its own kind, in this cluster for as long as the test runs. */
  const asRole = async (attributes: string, grants: (name: string) => string): Promise<string> => {
    const name = `remit_t_unsafe_${path.basename(folder).toLowerCase().replaceAll("-", "_")}`;
    await made.asAdmin(`create role ${name} login password 'unsafe' ${attributes}`);
    try {
      await made.asAdmin(
        `grant connect on database ${new URL(made.url).pathname.slice(1)} to ${name}; grant usage on schema ${made.schema} to ${name}; ${grants(name)}`,
      );
      const url = new URL(made.url);
      url.username = name;
      url.password = "unsafe";
      return await refusal(url.href);
    } finally {
      await made.asAdmin(
        `reassign owned by ${name} to current_user; drop owned by ${name}; drop role ${name}`,
      );
    }
  };

  test("a superuser", async () => {
    expect(await refusal(made.adminUrl)).toContain("is a superuser");
  });

  test("a role that bypasses row-level security", async () => {
    expect(await asRole("bypassrls", () => "")).toContain("bypasses row-level security");
  });

  test("a role that may create roles", async () => {
    expect(await asRole("createrole", () => "")).toContain("may create roles");
  });

  test("the owner of a table", async () => {
    expect(
      await asRole("", (name) => `create table stolen (id int); alter table stolen owner to ${name}`),
    ).toContain("owns stolen");
  });

  test("a member of the owner, although it inherits nothing", async () => {
    expect(await asRole("noinherit", (name) => `grant ${made.ownerRole} to ${name}`)).toContain("owns");
  });

  test("and accepts the application role that we made", async () => {
    const db = open(made.url);
    await assertSafeRole(db);
    await db.close();
  });
});

describe("provisioning", () => {
  const fresh = (): Promise<TestDatabase> => testDatabase({ service: "provisioning" });

  test("may run again and changes nothing", async () => {
    const first = {
      adminUrl: made.adminUrl,
      service: "second",
      kekFingerprint: "k1",
      prefix: "remit_t",
      passwords,
    };
    expect(await provision(first)).toEqual(await provision(first));
  });

  test("of several databases at once, whose roles are the same rows of one cluster", async () => {
    const several = await Promise.all(
      Array.from({ length: 6 }, () => testDatabase({ service: "provisioning" })),
    );
    expect(new Set(several.map(({ url }) => new URL(url).username)).size).toBe(1);
    for (const database of several) await database.drop();
  });

  test("refuses a database that another key-encryption key protects", async () => {
    const foreign = await fresh();
    const refused = provision({
      adminUrl: foreign.adminUrl,
      service: "provisioning",
      prefix: "remit_t",
      passwords,
      kekFingerprint: "of another installation",
    });
    await expect(refused).rejects.toThrow("another key-encryption key (test…)");
    await foreign.drop();
  });

  test("closes the database and the public schema to everybody else", async () => {
    const [rights] = await made.asAdmin(
      `select has_schema_privilege($1, 'public', 'usage') as public, has_database_privilege($1, current_database(), 'temp') as temp,
         has_database_privilege($1, current_database(), 'create') as create, has_schema_privilege($1, $2, 'create') as own`,
      [made.roles.app, made.schema],
    );
    expect(rights).toEqual({ public: false, temp: false, create: false, own: false });
  });

  test("never sends a password in clear", async () => {
    const [found] = await made.asAdmin<{ password: string }>(
      "select rolpassword as password from pg_authid where rolname = $1",
      [made.roles.app],
    );
    expect(found?.password).toMatch(/^SCRAM-SHA-256\$4096:/);
  });

  test("with an administrator who may create roles and nothing more works", async () => {
    const admin = await limitedAdmin("createrole");
    const database = await provision({
      adminUrl: admin.url,
      service: "limited",
      kekFingerprint: "k",
      passwords,
    });
    await migrate({ ...database, url: database.migrationUrl, sources: [platformMigrations] });
    const db = openDatabase({ url: database.url, schema: database.schema, relayRole: database.roles.relay });
    await assertSafeRole(db);
    await db.relay.transaction(async () => undefined);
    await db.close();
    await admin.drop();
  });

  test("by an administrator who does not own the database prints the SQL and changes nothing of it", async () => {
    const admin = await limitedAdmin("createrole", false);
    const asked = { adminUrl: admin.url, service: "foreign", kekFingerprint: "k", passwords };
    await expect(provision(asked)).rejects.toMatchObject({
      message: expect.stringContaining("does not own the database"),
      remedy: expect.stringContaining("create schema"),
    });
    await admin.drop();
  });

  test("by an administrator who may create no roles prints the SQL, which an administrator can run", async () => {
    const admin = await limitedAdmin("nocreaterole");
    const asked = { adminUrl: admin.url, service: "printed", kekFingerprint: "k", passwords };
    const refused: unknown = await provision(asked).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ message: expect.stringContaining("may not create roles") });
    const { remedy } = refused as { remedy: string }; // StartRefused, as just checked
    expect(remedy).not.toContain("password of");
    await admin.run(remedy.slice(remedy.indexOf("\n\n")));
    const database = await provision(asked);
    await migrate({ ...database, url: database.migrationUrl, sources: [platformMigrations] });
    await admin.drop();
  });

  /** A database of its own whose owner is a login with these attributes. */
  async function limitedAdmin(attributes: string, owns = true) {
    const base = await fresh();
    const name = new URL(base.adminUrl).pathname.slice(1);
    const role = `${name}_admin`;
    await base.asAdmin(`create role ${role} login password 'limited' ${attributes}`);
    if (owns) await base.asAdmin(`alter database ${name} owner to ${role}`);
    else await base.asAdmin(`grant connect on database ${name} to ${role}`);
    const url = new URL(base.adminUrl);
    url.username = role;
    url.password = "limited";
    return {
      url: url.href,
      run: (text: string) => base.asAdmin(text),
      drop: async () => {
        const [roles] = await base.asAdmin<{ names: string[] }>(
          "select array_agg(rolname::text) as names from pg_roles where rolname like $1",
          [`${name}%`],
        );
        const names = (roles?.names ?? []).map((each) => `"${each}"`).join(", ");
        await base.asAdmin(`reassign owned by ${names} to current_user; drop owned by ${names} cascade`);
        await base.asAdmin(`drop role ${names}`);
        await base.drop();
      },
    };
  }
});

describe("passwords", () => {
  test("are random, stay the same, and lie in a file that only its owner reads", () => {
    const file = path.join(folder, "inner", "roles.json");
    const first = rolePasswords(file).of("a");
    expect(first).toMatch(/^[\w-]{32}$/);
    expect(rolePasswords(file).of("b")).not.toBe(first);
    expect(rolePasswords(file).of("a")).toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toContain(first);
  });

  test("in a file that is none are refused", () => {
    const file = path.join(folder, "broken.json");
    writeFileSync(file, "{");
    expect(() => rolePasswords(file).of("a")).toThrow("no list of passwords");
  });
});

describe("migrations", () => {
  let directory: string;
  let mine: TestDatabase;
  beforeAll(async () => {
    mine = await testDatabase({ service: "migrating" });
  });
  afterAll(() => mine?.drop());
  beforeEach(() => {
    directory = mkdtempSync(path.join(folder, "m-"));
  });
  const source = (name: string): MigrationSource => ({ name, directory: pathToFileURL(`${directory}/`) });
  const write = (file: string, text: string): void => writeFileSync(path.join(directory, file), text);
  const run = (name: string): Promise<void> =>
    migrate({ ...mine, url: mine.migrationUrl, sources: [platformMigrations, source(name)] });

  test("run once, in order, also when several processes start at once", async () => {
    write("0002_second.sql", "insert into steps values (2);");
    write("0001_first.sql", "create table steps (n int); insert into steps values (1);");
    await Promise.all([run("once"), run("once"), run("once")]);
    await run("once");
    expect(await mine.asAdmin("select n from steps order by n")).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("that changed after they ran are refused", async () => {
    write("0001_first.sql", "create table kept (n int);");
    await run("changed");
    write("0001_first.sql", "create table kept (n bigint);");
    await expect(run("changed")).rejects.toThrow(
      "changed/0001_first.sql has run in this database and has changed",
    );
  });

  test("that fail leave nothing of themselves, and what came before stays", async () => {
    write("0001_good.sql", "create table good (n int);");
    write("0002_bad.sql", "create table bad (n int); select 1 / 0;");
    await expect(run("failing")).rejects.toThrow("failing/0002_bad.sql failed: division by zero");
    expect(
      await mine.asAdmin(
        "select to_regclass('good') is not null as good, to_regclass('bad') is not null as bad",
      ),
    ).toEqual([{ good: true, bad: false }]);
  });

  test("whose file is named otherwise are refused", async () => {
    write("first.sql", "select 1;");
    await expect(run("named")).rejects.toThrow("named/first.sql is no migration");
  });

  test("know the roles and the schema as psql variables", async () => {
    write(
      "0001_roles.sql",
      `create table of_roles as select :'app'::text as app, :'schema'::text as schema, 'a'::text as cast; grant select on of_roles to :"relay";`,
    );
    await run("variables");
    expect(await mine.asAdmin("select * from of_roles")).toEqual([
      { app: mine.roles.app, schema: mine.schema, cast: "a" },
    ]);
  });

  test("of an installation with another key-encryption key are refused before anything runs", async () => {
    write("0001_first.sql", "create table never (n int);");
    const refused = migrate({
      ...mine,
      url: mine.migrationUrl,
      sources: [source("foreign")],
      kekFingerprint: "another",
    });
    await expect(refused).rejects.toThrow("another key-encryption key (test…)");
    expect(await mine.asAdmin("select to_regclass('never') as never")).toEqual([{ never: null }]);
  });

  test("D11 that wait for a long read let by all who come after them, and are carried out once it is over", async () => {
    write("0001_first.sql", `create table busy (n int); grant select, insert on busy to :"app";`);
    await run("waiting");
    write("0002_second.sql", "alter table busy add column m int;");
    const db = mine.open();
    const reading = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const read = db.global.transaction(async (tx) => {
      await tx.many(sql`select n from busy`);
      reading.resolve();
      await over.promise;
    });
    await reading.promise;
    const migrated = run("waiting");
    await eventually(async () => {
      const waiting = "select from pg_locks where relation = 'busy'::regclass and not granted";
      expect(await mine.asAdmin(waiting)).toHaveLength(1);
    });
    await db.global.transaction((tx) => tx.run(sql`insert into busy values (1)`)).finally(over.resolve);
    await Promise.all([read, migrated]);
    expect(await mine.asAdmin("select n, m from busy")).toEqual([{ n: 1, m: null }]);
  });

  test("belong to the owner, and the application owns nothing", async () => {
    write("0001_owned.sql", "create table owned (n int);");
    await run("owned");
    expect(await mine.asAdmin("select tableowner as owner from pg_tables where tablename = 'owned'")).toEqual(
      [{ owner: mine.ownerRole }],
    );
  });
});
