import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenFor, schemaOf } from "./rolling-upgrade.ts";

const root = path.resolve(import.meta.dirname, "..");
const released = JSON.parse(
  readFileSync(path.join(root, "deploy/released-migrations.json"), "utf8"),
) as Readonly<Record<string, readonly string[]>>; // written by tools/released.ts

const folder = mkdtempSync(path.join(tmpdir(), "remit-released-"));
const opened: TestDatabase[] = [];
afterAll(async () => {
  for (const database of opened) await database.drop();
  rmSync(folder, { recursive: true });
});

/** The database of a service with these migrations of its own. */
async function migrated(service: string, names: readonly string[]): Promise<TestDatabase> {
  const own = mkdtempSync(path.join(folder, `${service}-`));
  for (const name of names)
    copyFileSync(path.join(root, "services", service, "migrations", name), path.join(own, name));
  const sources = [{ name: service, directory: new URL(`file://${own}/`) }];
  const database = await testDatabase({ service: service.replaceAll("-", "_"), sources });
  opened.push(database);
  return database;
}

const migrationsOf = (service: string): string[] =>
  readdirSync(path.join(root, "services", service, "migrations")).filter((name) => name.endsWith(".sql"));

describe("D11 while two releases run over one database", () => {
  test.each(Object.entries(released))(
    "D11 the former %s finds all that it relies on after the migration, and is asked for nothing that it does not know",
    async (service, names) => {
      const now = migrationsOf(service);
      // What was released is never changed or taken back.
      expect(now).toEqual(expect.arrayContaining([...names]));
      const former = await schemaOf(await migrated(service, names));
      expect(former.size).toBeGreaterThan(20);
      expect(brokenFor(former, await schemaOf(await migrated(service, now)))).toEqual([]);
    },
  );

  test("D11 every service is held to it", () => {
    expect(Object.keys(released).toSorted()).toEqual(
      readdirSync(path.join(root, "services"))
        .filter((service) => migrationsOf(service).length > 0)
        .toSorted(),
    );
  });
});

describe("D11 a migration that the former release would trip over is found", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await migrated("directory", released["directory"] ?? []);
  });

  /** What it breaks, undone at once. */
  async function breaks(change: string): Promise<string[]> {
    const before = await schemaOf(database);
    const changed = await migrated("directory", released["directory"] ?? []);
    await changed.asAdmin(change);
    return brokenFor(before, await schemaOf(changed));
  }

  test.each([
    [
      "a column that is dropped",
      "alter table merchants drop column country",
      "column merchants.country is gone",
    ],
    [
      "a column that is renamed",
      "alter table merchants rename country to land",
      "column merchants.country is gone",
    ],
    ["a table that is renamed", "alter table merchants rename to shops", "column merchants.country is gone"],
    [
      "a column that must be given",
      "alter table merchants add column vat text not null default ''; alter table merchants alter column vat drop default",
      "column merchants.vat must be given, and the former release does not know it",
    ],
    [
      "a column of another type",
      "alter table merchants alter column country type varchar(2)",
      "column merchants.country was text not null, to be given and is character varying(2) not null, to be given",
    ],
  ])("D11 %s", async (_, change, found) => {
    expect(await breaks(change)).toContain(found);
  });

  test("D11 a right that is taken from the application", async () => {
    expect(await breaks(`revoke insert on merchants from "${database.roles.app}"`)).toContain(
      "right to insert merchants is gone",
    );
  });

  test.each([
    ["a column that may be empty", "alter table merchants add column vat text"],
    ["a column that may be empty from now on", "alter table merchants alter column country drop not null"],
    ["a column that fills itself", "alter table merchants add column vat text not null default ''"],
    [
      "a new table, and an index",
      "create table later (id text primary key); create index later_ids on later (id)",
    ],
  ])("D11 %s is no hindrance", async (_, change) => {
    expect(await breaks(change)).toEqual([]);
  });
});
