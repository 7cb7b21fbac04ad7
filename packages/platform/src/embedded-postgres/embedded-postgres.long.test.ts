import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually, scratchFolder, startProcess, type TestProcess } from "@remit/testkit";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openDatabase, sql } from "../sql/index.ts";
import { createLog } from "../telemetry/index.ts";
import { type EmbeddedPostgres, startPostgres } from "./index.ts";

const log = createLog({ service: "test", level: "silent" });
let root: string;
let running: EmbeddedPostgres[] = [];

beforeAll(() => {
  root = scratchFolder("remit-embedded-");
  chmodSync(root, 0o711);
});
afterEach(async () => {
  for (const postgres of running) await postgres.stop();
  running = [];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const start = async (dataDir: string, settings = {}): Promise<EmbeddedPostgres> => {
  const postgres = await startPostgres({ dataDir, log, settings });
  running.push(postgres);
  return postgres;
};

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** What has ended but was collected by nobody does not run any more. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}

describe("the embedded database", () => {
  test("starts cold: on loopback, with scram, a password of its own, checksums and fsync", async () => {
    const dataDir = path.join(root, "cold");
    const { url, attached } = await start(dataDir);
    expect(attached).toBe(false);
    expect(url).toMatch(/^postgres:\/\/postgres:[\w-]{32}@127\.0\.0\.1:\d+\/remit$/);
    expect(statSync(path.join(dataDir, "password")).mode & 0o777).toBe(0o600);
    const settings = await query(
      url,
      "select name, setting from pg_settings where name in ('listen_addresses', 'unix_socket_directories', 'fsync', 'data_checksums', 'password_encryption') order by name",
    );
    expect(settings).toEqual([
      { name: "data_checksums", setting: "on" },
      { name: "fsync", setting: "on" },
      { name: "listen_addresses", setting: "127.0.0.1" },
      { name: "password_encryption", setting: "scram-sha-256" },
      { name: "unix_socket_directories", setting: "" },
    ]);
    const wrong = new URL(url);
    wrong.password = "guessed";
    await expect(query(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("stops, keeps its data, and starts again", async () => {
    const dataDir = path.join(root, "warm");
    const first = await start(dataDir);
    await query(first.url, "create table kept (n int); insert into kept values (1)");
    await first.stop();
    expect(isRunning(first.pid)).toBe(false);
    const second = await start(dataDir);
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 1 }]);
  });

  test("is one, whoever asks at once, and only who started it stops it", async () => {
    const dataDir = path.join(root, "shared");
    const other = await startElsewhere(dataDir);
    const attached = await Promise.all([start(dataDir), start(dataDir)]);
    expect(attached.map((each) => each.attached)).toEqual([true, true]);
    for (const each of attached) await each.stop();
    expect(await query(attached[0]?.url ?? "", "select 1 as n")).toEqual([{ n: 1 }]);
    await other.kill("SIGTERM");
    await eventually(() => expect(isRunning(attached[0]?.pid ?? 0)).toBe(false));
  });

  test("whose starter was killed is adopted, and stops with who adopted it", async () => {
    const dataDir = path.join(root, "orphan");
    const other = await startElsewhere(dataDir);
    await other.kill("SIGKILL");
    const adopted = await start(dataDir);
    expect(adopted.attached).toBe(true);
    await adopted.stop();
    expect(isRunning(adopted.pid)).toBe(false);
  });

  test("M22 a power cut that tears pages loses nothing that was acknowledged, and keeps nothing that was not", async () => {
    const dataDir = path.join(root, "torn");
    const first = await start(dataDir);
    await query(
      first.url,
      "create table torn (n int primary key, said text not null); insert into torn select n, repeat('x', 200) from generate_series(1, 500) n; checkpoint",
    );
    const [at] = await query(first.url, "select pg_relation_filepath('torn') as file");
    const file = path.join(dataDir, "data", String(Object(at).file));
    const unsaid = new Client({ connectionString: first.url });
    unsaid.on("error", () => undefined);
    await unsaid.connect();
    await unsaid.query("begin; insert into torn values (0, 'nobody was told')");
    for (let n = 501; n <= 520; n++)
      await query(
        first.url,
        `insert into torn values (${n}, 'told'); update torn set said = 'told' where n = ${n - 500}`,
      );
    const written = await query(
      first.url,
      "select distinct (ctid::text::point)[0]::int as page from torn where said = 'told' order by 1",
    );
    // The machine is gone: every process at once, and no page is written any more.
    const group = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === first.pid);
    for (const pid of [first.pid, ...group.map(Number)]) process.kill(pid, "SIGKILL");
    await eventually(() => expect(isRunning(first.pid)).toBe(false));
    // Of the pages that were being written, half reached the disk: the other half is what the disk had in mind.
    const bytes = readFileSync(file);
    const torn = new Set([0, ...written.map((row) => Number(Object(row).page))]);
    for (const page of torn) bytes.fill(0xa5, page * 8192 + 4096, (page + 1) * 8192);
    expect(torn.size).toBeGreaterThan(1);
    writeFileSync(file, bytes);
    const second = await start(dataDir);
    const [whole] = await query(
      second.url,
      "select count(*)::int as rows, count(*) filter (where said = 'told')::int as told, min(n) as least from torn",
    );
    expect(whole).toEqual({ rows: 520, told: 40, least: 1 });
  });

  test("of another major version is refused with the remedy", async () => {
    const dataDir = path.join(root, "old");
    mkdirSync(path.join(dataDir, "data"), { recursive: true });
    writeFileSync(path.join(dataDir, "data", "PG_VERSION"), "15\n");
    await expect(start(dataDir)).rejects.toMatchObject({
      message: expect.stringContaining("was made by PostgreSQL 15"),
      remedy: expect.stringContaining("pg_dumpall"),
    });
  });

  test("starts over a file that names a dead server or a process that is none", async () => {
    const dataDir = path.join(root, "stale");
    await (await start(dataDir)).stop();
    const file = path.join(dataDir, "data", "postmaster.pid");
    writeFileSync(file, `${process.pid}\n${dataDir}/data\n0\n1\n\n127.0.0.1\n0 0\nready\n`);
    const again = await start(dataDir);
    expect(again.attached).toBe(false);
    expect(readFileSync(file, "utf8")).toContain(String(again.pid));
  }, 120_000);

  test("that cannot start says so with its own last words", async () => {
    await expect(start(path.join(root, "refused"), { shared_buffers: "nonsense" })).rejects.toThrow(
      /does not start.*shared_buffers/,
    );
  });
});

describe("D01 a database that is killed", () => {
  test("loses no committed row; the pool answers 503 until it is started again on its port", async () => {
    const dataDir = path.join(root, "killed");
    const first = await start(dataDir);
    await query(first.url, "create schema s; create table s.kept (n int); create role relay");
    const db = openDatabase({ url: first.url, schema: "s", relayRole: "relay" });
    const write = (n: number): Promise<unknown> =>
      db.global.transaction((tx) => tx.run(sql`insert into kept values (${n})`));
    for (let n = 1; n <= 20; n++) await write(n);
    process.kill(first.pid, "SIGKILL");
    await eventually(() => expect(isRunning(first.pid)).toBe(false));
    // A connection's own process answers for a moment more, until it sees that its parent is gone.
    await eventually(() => expect(write(0)).rejects.toMatchObject({ code: "unavailable", status: 503 }));
    await eventually(() => write(21));
    const rows = await query(first.url, "select array_agg(n order by n) as all from s.kept where n > 0");
    expect(rows).toEqual([{ all: Array.from({ length: 21 }, (_, i) => i + 1) }]);
    await db.close();
    const second = await start(dataDir);
    expect(second).toMatchObject({ attached: true, url: first.url });
    expect(second.pid).not.toBe(first.pid);
    await first.stop();
    expect(isRunning(second.pid)).toBe(false);
  });

  test("and stopped by the same process stays down, and starts again when asked", async () => {
    const dataDir = path.join(root, "down");
    const first = await start(dataDir);
    await first.stop();
    await expect(query(first.url, "select 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect((await start(dataDir)).attached).toBe(false);
  });
});

/** Another process that starts the database and stops it when it is told to end. */
function startElsewhere(dataDir: string): Promise<TestProcess> {
  const main = path.join(import.meta.dirname, "../../test/embedded-main.ts");
  return startProcess({ main, env: {}, args: [dataDir], readyWhen: /^ready$/ });
}
