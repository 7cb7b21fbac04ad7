import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { invariant } from "@remit/kernel";
import { Client } from "pg";
import { StartRefused } from "../host/index.ts";
import type { Log } from "../telemetry/index.ts";
import { findBinaries } from "./binaries.ts";
import {
  becomesReady,
  isAlive,
  lastWords,
  makeCluster,
  type Places,
  type Postmaster,
  placesIn,
  readPostmaster,
  startServer,
  untilGone,
} from "./cluster.ts";
import { identityFor } from "./identity.ts";
import { oneAtATime } from "./starting-lock.ts";

export type StartPostgresOptions = {
  /** The cluster's own directory, made when missing: `data/`, `password`, `postgres.log`. */
  readonly dataDir: string;
  readonly log: Log;
  /** Further settings of the server, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Starts a server that died again; true by default. */
  readonly startAgain?: boolean;
};

export type EmbeddedPostgres = {
  /** Of the superuser in the database `remit`, on a loopback port, with its password. */
  readonly url: string;
  /** True when the server ran already. */
  readonly attached: boolean;
  /** Of the server that ran when this was made. */
  readonly pid: number;
  /** Stops the server, unless another living process started it. */
  stop(): Promise<void>;
};

const startsMax = 20;
const startAgainMs = 250;
const stopMsMax = 20_000;

/**
 * Brings up PostgreSQL on a directory, or finds it running there. A server whose starter was killed is adopted: it stops
 * with us. One that dies is started again on the same port, and PostgreSQL recovers every committed row from its log.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  const places = placesIn(path.resolve(options.dataDir));
  mkdirSync(places.root, { recursive: true, mode: 0o711 });
  return await oneAtATime(places.lock, async () => {
    const attached = await attach(places);
    const child = attached ? undefined : await start(places, options);
    const { pid, port } = present(readPostmaster(places));
    const url = urlOf(places, port);
    await makeDatabase(url);
    const ours = adopt(places);
    if (child !== undefined && options.startAgain !== false)
      startAgainWhenDead(child, places, {
        ...options,
        settings: { ...options.settings, port: String(port) },
      });
    options.log.debug({ pid, port, attached }, "the embedded database is ready");
    return {
      url: url.replace(/\/postgres$/, "/remit"),
      attached,
      pid,
      stop: async () => {
        if (ours) await stop(places);
      },
    };
  });
}

function present(postmaster: Postmaster | undefined): Postmaster {
  invariant(postmaster?.ready, "a server that has started says so");
  return postmaster;
}

/** Watches a server of ours. What `stop` ends, or what another process has taken over, is left alone. */
function startAgainWhenDead(child: ChildProcess, places: Places, options: StartPostgresOptions): void {
  const { log } = options;
  const again = async (): Promise<void> => {
    if (readStarter(places) !== process.pid || (await attach(places))) return;
    log.warn({ words: lastWords(places) }, "the embedded database died and is started again");
    startAgainWhenDead(await start(places, options), places, options);
  };
  child.once("exit", () => {
    if (readStarter(places) !== process.pid) return;
    pause(startAgainMs)
      .then(() => oneAtATime(places.lock, again))
      .catch((error: unknown) => log.error({ error }, "the embedded database died and does not start again"));
  });
}

/** True when a server runs on this directory and knows our password. */
async function attach(places: Places): Promise<boolean> {
  const found = readPostmaster(places);
  if (found === undefined || !isAlive(found.pid)) return false;
  // After a crash of the machine the number in the file may be anybody's process.
  if (!isPostgres(found.pid)) {
    rmSync(path.join(places.data, "postmaster.pid"), { force: true });
    return false;
  }
  for (let tries = 0; tries < startsMax && isAlive(found.pid); tries++) {
    if (readPostmaster(places)?.ready === true && (await isOurs(places, found.port))) return true;
    await pause(startAgainMs);
  }
  if (!isAlive(found.pid)) return false;
  throw new StartRefused(
    `a PostgreSQL server (process ${found.pid}) holds ${places.data} and does not answer`,
    `End process ${found.pid} and start again.`,
  );
}

async function isOurs(places: Places, port: number): Promise<boolean> {
  const client = new Client({ connectionString: urlOf(places, port), connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("show data_directory");
    return rows[0]?.data_directory === places.data;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function isPostgres(pid: number): boolean {
  try {
    const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return path.basename(program).startsWith("postgres");
  } catch {
    return process.platform !== "linux"; // where we cannot know, we leave the file to PostgreSQL
  }
}

async function start(places: Places, options: StartPostgresOptions): Promise<ChildProcess> {
  const binaries = findBinaries();
  const identity = identityFor(binaries, places.data);
  await makeCluster(places, binaries, identity);
  for (let tries = 0; tries < startsMax; tries++) {
    const child = await startServer(places, identity, options.settings ?? {});
    if (await becomesReady(places, child)) return child;
    if (!passing.test(lastWords(places))) break;
    options.log.debug({ words: lastWords(places) }, "PostgreSQL did not start; once more");
    await pause(startAgainMs);
  }
  throw new StartRefused(
    `PostgreSQL does not start on ${places.data}: ${lastWords(places)}`,
    `Its log is ${places.log}.`,
  );
}

// A port may be taken between choosing and binding it; after kill -9 the shared memory lives on for a moment.
const passing = /in use|could not bind|lock file/i;

function urlOf(places: Places, port: number): string {
  const password = readFileSync(places.password, "utf8").trim();
  return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
}

/** The roles of the services are named after the database, so it has the product's name. */
async function makeDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query("select from pg_database where datname = 'remit'");
    if (rowCount === 0) await client.query("create database remit");
  } finally {
    await client.end();
  }
}

/** True when nobody alive but us has started this server; we write ourselves down as who stops it. */
function adopt(places: Places): boolean {
  const starter = readStarter(places);
  if (starter !== undefined && starter !== process.pid && isAlive(starter)) return false;
  writeFileSync(places.owner, String(process.pid), { mode: 0o600 });
  return true;
}

function readStarter(places: Places): number | undefined {
  try {
    return Number(readFileSync(places.owner, "utf8"));
  } catch {
    return undefined;
  }
}

/** SIGINT is PostgreSQL's fast shutdown: sessions end, a checkpoint is written. SIGQUIT leaves recovery to the next start. */
const stop = (places: Places): Promise<void> => {
  // First, so that its end is not taken for a death.
  rmSync(places.owner, { force: true });
  return oneAtATime(places.lock, async () => {
    const pid = readPostmaster(places)?.pid;
    if (pid === undefined || !isAlive(pid) || !isPostgres(pid)) return;
    for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
      if (!isAlive(pid)) return;
      process.kill(pid, signal);
      if (await untilGone(pid, stopMsMax)) return;
    }
  });
};
