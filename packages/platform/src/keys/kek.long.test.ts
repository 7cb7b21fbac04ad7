import { hkdfSync, randomBytes } from "node:crypto";
import { chmod, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { instantOf, minuteMs } from "@remit/kernel";
import { startProcess, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../sql/index.ts";
import { createLog } from "../telemetry/index.ts";
import { encrypt } from "./envelope.ts";
import { createKeyring, createSigningKeys, kekFiles, kekIdsIn, kekOf } from "./index.ts";
import { derivedFrom, localKek } from "./kek.ts";
import { createKekRotation } from "./kek-rotation.ts";
import { type OpenKek, openKek } from "./open-kek.ts";
import { dataKeyAad } from "./places.ts";

let folder = "";
const databases: TestDatabase[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "remit-kek-"));
});
afterAll(async () => {
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const log = createLog({ service: "test", level: "silent" });
const clock = testClock(instantOf(1_795_300_000_000));
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

async function freshDatabase(): Promise<TestDatabase> {
  const database = await testDatabase({ service: "keys" });
  databases.push(database);
  return database;
}

let places = 0;
const freshPlace = (): string => path.join(folder, `data-${places++}`);

test("the key file is made once, whole, for its owner alone, by however many start at once", async () => {
  const dataDir = freshPlace();
  const keys = await Promise.all(Array.from({ length: 8 }, () => kekFiles(dataDir).first()));
  expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
  expect(await readdir(dataDir)).toEqual(["kek"]);
  expect((await stat(path.join(dataDir, "kek"))).mode & 0o777).toBe(0o600);
  expect(await kekIdsIn(dataDir)).toEqual([keys[0]?.id]);
});

test("a key file that others can read, or that is cut short, is refused with the remedy", async () => {
  const dataDir = freshPlace();
  const first = () => kekFiles(dataDir).first();
  await first();
  await chmod(path.join(dataDir, "kek"), 0o644);
  await expect(first()).rejects.toMatchObject({ remedy: expect.stringContaining("chmod 600") });
  await chmod(path.join(dataDir, "kek"), 0o600);
  await truncate(path.join(dataDir, "kek"), 16);
  await expect(first()).rejects.toMatchObject({ name: "StartRefused" });
});

test("the id and the printed form reveal nothing of the key", () => {
  const key = new Uint8Array(32).fill(0x41);
  expect(JSON.stringify([localKek(key), kekOf(key)])).not.toContain("AAAA");
  expect(localKek(key).id).not.toBe(localKek(new Uint8Array(32)).id);
});

test("a secret is derived as HKDF has it, so that one from the time before there was a root secret stays what it was", () => {
  const key = randomBytes(32);
  const { root } = localKek(key);
  expect(derivedFrom(root, "cookies")).toEqual(
    new Uint8Array(hkdfSync("sha256", key, "", "remit cookies", 32)),
  );
  expect(derivedFrom(root, "cookies")).not.toEqual(derivedFrom(root, "csrf"));
});

const opened = async (database: TestDatabase, dataDir: string): Promise<OpenKek> =>
  openKek({ db: database.open(), source: kekFiles(dataDir), log });

test("two first starts at once agree on the root secret, which is not the key", async () => {
  const database = await freshDatabase();
  const dataDir = freshPlace();
  const [one, two] = await Promise.all([opened(database, dataDir), opened(database, dataDir)]);
  expect(one.root.reveal()).toEqual(two.root.reveal());
  const key = await readFile(path.join(dataDir, "kek"));
  expect(one.root.reveal()).not.toEqual(localKek(key).root.reveal());
  one.close();
  two.close();
});

test("an installation from before there was a root secret keeps every secret it derived, and its data", async () => {
  const database = await freshDatabase();
  const dataDir = freshPlace();
  await kekFiles(dataDir).first();
  const key = await readFile(path.join(dataDir, "kek"));
  const dataKey = randomBytes(32);
  const wrapped = encrypt(key, { plaintext: dataKey, aad: dataKeyAad("org_old") });
  await database.asAdmin("insert into data_keys (scope, wrapped) values ('org_old', $1)", [
    Buffer.from(wrapped),
  ]);
  const kek = await opened(database, dataDir);
  const keyring = createKeyring({ kek, clock });
  expect(keyring.derive("client-secrets")).toEqual(
    new Uint8Array(hkdfSync("sha256", key, "", "remit client-secrets", 32)),
  );
  const sealed = encrypt(dataKey, { plaintext: bytes("card"), aad: "org_old\nrow" });
  const open = database
    .open()
    .global.transaction((tx) => keyring.open(tx, "org_old", { sealed, aad: "row" }));
  expect(text(await open)).toBe("card");
  kek.close();
});

test("a database that is under another installation's key is refused at the start, also while a key is rotated", async () => {
  const database = await freshDatabase();
  const dataDir = freshPlace();
  (await opened(database, dataDir)).close();
  await expect(opened(database, freshPlace())).rejects.toMatchObject({
    name: "StartRefused",
    message: expect.stringContaining("another key-encryption key"),
  });
  await writeFile(path.join(dataDir, "kek.next"), randomBytes(32), { mode: 0o600 });
  const two = await kekIdsIn(dataDir);
  expect(two).toHaveLength(2);
  const again = { ...database, url: database.migrationUrl, sources: database.sources };
  await migrate({ ...again, kekFingerprint: two });
  await expect(migrate({ ...again, kekFingerprint: "another's" })).rejects.toMatchObject({
    name: "StartRefused",
  });
});

test("data from before, under a key that is not ours, is refused before anything is written", async () => {
  const database = await freshDatabase();
  const wrapped = encrypt(randomBytes(32), { plaintext: randomBytes(32), aad: dataKeyAad("org_x") });
  await database.asAdmin("insert into data_keys (scope, wrapped) values ('org_x', $1)", [
    Buffer.from(wrapped),
  ]);
  await expect(opened(database, freshPlace())).rejects.toMatchObject({ name: "StartRefused" });
  expect(await database.asAdmin("select from key_encryption")).toEqual([]);
});

/** A database with data keys and a signing key under the first key, and what it takes to look whether all is readable. */
async function installation(scopes: number) {
  const database = await freshDatabase();
  const dataDir = freshPlace();
  const db = database.open();
  const kek = await openKek({ db, source: kekFiles(dataDir), log });
  const keyring = createKeyring({ kek, clock });
  const sealed = new Map<string, Uint8Array>();
  await db.global.transaction(async (tx) => {
    for (let i = 0; i < scopes; i++) {
      const scope = `org_${String(i).padStart(4, "0")}`;
      sealed.set(scope, await keyring.seal(tx, scope, { plaintext: bytes(scope), aad: "row" }));
    }
    await keyring.shred(tx, "org_shredded");
  });
  const purposes = [{ purpose: "access", alg: "ES256", tokenLifeMsMax: minuteMs }] as const;
  const keys = createSigningKeys({ db, kek, clock, log, purposes });
  await keys.load();
  const jwks = keys.jwks();
  keys.close();
  const pepper = keyring.derive("client-secrets");
  const firstKey = await readFile(path.join(dataDir, "kek"));
  /** Opens everything as a process that starts now. */
  const check = async (): Promise<void> => {
    const fresh = await openKek({ db: database.open(), source: kekFiles(dataDir), log });
    const reader = createKeyring({ kek: fresh, clock });
    expect(reader.derive("client-secrets")).toEqual(pepper);
    await db.global.transaction(async (tx) => {
      for (const [scope, message] of sealed)
        expect(text(await reader.open(tx, scope, { sealed: message, aad: "row" }))).toBe(scope);
    });
    const signing = createSigningKeys({ db, kek: fresh, clock, log, purposes });
    await signing.load();
    expect(signing.jwks()).toEqual(jwks);
    await signing.sign("access", { typ: "t+jwt" }, {});
    signing.close();
    fresh.close();
  };
  return { database, dataDir, db, kek, keyring, sealed, firstKey, check };
}

const underOthers = (database: TestDatabase): Promise<{ count: string }[]> =>
  database.asAdmin(
    `select (select count(*) from data_keys, key_encryption where wrapped is not null and kek is distinct from current)
      + (select count(*) from signing_keys, key_encryption where wrapped is not null and kek is distinct from current)
      + (select count(*) from key_encryption where root_kek <> current or former is not null) as count`,
  );

test("K06 under live traffic every row is rewrapped and none is unreadable, and what is derived stays what it was", async () => {
  const { database, dataDir, db, kek, keyring, sealed, firstKey, check } = await installation(250);
  const other = await openKek({ db: database.open(), source: kekFiles(dataDir), log });
  const elsewhere = createKeyring({ kek: other, clock });
  const stop = new AbortController();
  let served = 0;
  const traffic = [keyring, elsewhere].map(async (ring, index) => {
    while (!stop.signal.aborted) {
      const scope = `org_live_${index}_${served}`;
      const message = await db.global.transaction((tx) =>
        ring.seal(tx, scope, { plaintext: bytes(scope), aad: "row" }),
      );
      sealed.set(scope, message);
      const known = [...sealed.keys()][(served * 7) % sealed.size] ?? scope;
      const reader = createKeyring({ kek: index === 0 ? other : kek, clock });
      const found = await db.global.transaction((tx) =>
        reader.open(tx, known, { sealed: sealed.get(known) ?? message, aad: "row" }),
      );
      expect(text(found)).toBe(known);
      served++;
    }
  });
  const rotation = createKekRotation({ db, kek, log });
  const begun = await rotation.begin();
  expect(begun.former).toBe(localKek(firstKey).id);
  expect(begun.remaining).toBeGreaterThan(240);
  expect(await readdir(dataDir)).toEqual(["kek", "kek.next"]);
  await check();
  await rotation.run();
  stop.abort();
  await Promise.all(traffic);
  expect(served).toBeGreaterThan(2);
  expect(await rotation.progress()).toMatchObject({ former: null, remaining: 0 });
  await check();
  expect(await underOthers(database)).toEqual([{ count: "0" }]);
  expect(await readdir(dataDir)).toEqual(["kek"]);
  expect(await readFile(path.join(dataDir, "kek"))).not.toEqual(firstKey);
  other.close();
  kek.close();
});

test("K06 two rotations that begin at once are one, and one that is through may be followed by the next", async () => {
  const { database, db, kek, check } = await installation(3);
  const rotation = createKekRotation({ db, kek, log });
  const [one, two] = await Promise.all([rotation.begin(), rotation.begin()]);
  expect(one.current).toBe(two.current);
  await Promise.all([rotation.run(), rotation.run()]);
  const next = await rotation.begin();
  expect(next).toMatchObject({ former: one.current });
  await rotation.run();
  await check();
  expect(await underOthers(database)).toEqual([{ count: "0" }]);
  kek.close();
});

test.each(["kek.made", "kek.begun", "kek.batch", "kek.rewrapped", "kek.ended"])(
  "K06 a process that is killed at %s leaves nothing unreadable, and the next one ends the rotation",
  async (where) => {
    const { database, dataDir, kek, firstKey, check } = await installation(12);
    kek.close();
    const env = {
      NODE_ENV: "test",
      DATABASE_URL: database.url,
      SCHEMA: database.schema,
      RELAY: database.roles.relay,
      DATA_DIR: dataDir,
      BEGIN: "1",
    };
    const main = fileURLToPath(new URL("../../test/rotate-kek-main.ts", import.meta.url));
    const killed = await startProcess({
      main,
      env: { ...env, REMIT_FAILPOINT: `${where}:kill9` },
      readyWhen: /ready/,
    });
    expect(await killed.exited).toMatchObject({ signal: "SIGKILL" });
    await check();
    const resumed = await startProcess({
      main,
      env: { ...env, BEGIN: where === "kek.made" ? "1" : "0" },
      readyWhen: /done/,
    });
    expect(await resumed.exited).toMatchObject({ code: 0 });
    await check();
    expect(await underOthers(database)).toEqual([{ count: "0" }]);
    expect(await readdir(dataDir)).toEqual(["kek"]);
    expect(await readFile(path.join(dataDir, "kek"))).not.toEqual(firstKey);
  },
);

test("K06 a key that is put beside the first one is taken for the rotation, and without it a process says what is missing", async () => {
  const { database, dataDir, db, kek, check } = await installation(2);
  const given = randomBytes(32);
  await writeFile(path.join(dataDir, "kek.next"), given, { mode: 0o600 });
  const rotation = createKekRotation({ db, kek, log });
  expect((await rotation.begin()).current).toBe(localKek(given).id);
  const elsewhere = freshPlace();
  await kekFiles(elsewhere).first();
  await writeFile(path.join(elsewhere, "kek"), await readFile(path.join(dataDir, "kek")), { mode: 0o600 });
  await expect(opened(database, elsewhere)).rejects.toMatchObject({ name: "StartRefused" });
  await rotation.run();
  await check();
  kek.close();
});

test("K06 the new key file is whole however many settle at once, and the former one is destroyed", async () => {
  for (let round = 0; round < 25; round++) {
    const dataDir = freshPlace();
    const sources = Array.from({ length: 6 }, () => kekFiles(dataDir));
    const [source] = sources;
    const former = await source?.first();
    const next = await source?.next(former?.id ?? "");
    const before = await open(path.join(dataDir, "kek"), "r");
    const held = async (): Promise<string> =>
      (await before.read(Buffer.alloc(32), 0, 32, 0)).buffer.toString("hex");
    const old = await held();
    await Promise.all(
      sources.map((each, index) => each.settle(next?.id ?? "", index % 2 ? former?.id : undefined)),
    );
    expect(await readdir(dataDir)).toEqual(["kek"]);
    expect(await kekIdsIn(dataDir)).toEqual([next?.id]);
    expect(await held()).not.toBe(old);
    await before.close();
  }
});
