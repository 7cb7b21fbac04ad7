import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { StartRefused } from "../host/index.ts";
import type { Binaries } from "./binaries.ts";
import type { Identity } from "./identity.ts";

/** The files of one cluster. */
export type Places = {
  readonly root: string;
  readonly data: string;
  readonly password: string;
  readonly log: string;
  readonly lock: string;
  readonly owner: string;
};

export const placesIn = (root: string): Places => ({
  root,
  data: path.join(root, "data"),
  password: path.join(root, "password"),
  log: path.join(root, "postgres.log"),
  lock: path.join(root, "starting"),
  owner: path.join(root, "started-by"),
});

const logBytesMax = 16 * 1024 * 1024;
const readyPollMs = 15;
const readyMsMax = 60_000;

/** What the server writes about itself: process and port, and whether it takes connections. */
export type Postmaster = { readonly pid: number; readonly port: number; readonly ready: boolean };

export function readPostmaster({ data }: Places): Postmaster | undefined {
  const file = path.join(data, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const [pid, , , port, , , , state] = readFileSync(file, "utf8").split("\n");
  return { pid: Number(pid), port: Number(port), ready: state?.trim() === "ready" };
}

export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return !isZombie(pid);
}

/** In a container nobody may collect what has ended: it keeps its number and does nothing any more. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** initdb with a random superuser password, scram on every connection, checksums, and a sync to disk at the end. */
export async function makeCluster(places: Places, binaries: Binaries, identity: Identity): Promise<void> {
  if (existsSync(path.join(places.data, "PG_VERSION"))) return refuseOtherMajor(places, binaries);
  const password = randomBytes(24).toString("base64url");
  const passwordFile = `${places.password}.new`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const { uid, gid } = identity.spawn;
  if (uid !== undefined && gid !== undefined) chownSync(passwordFile, uid, gid);
  const { command, args } = identity.wrap(path.join(identity.binaries, "bin", "initdb"), [
    `--pgdata=${places.data}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--no-instructions",
  ]);
  const failure = await failureOf(command, args, { ...identity.spawn, cwd: "/", env: environment });
  if (failure !== undefined) {
    rmSync(passwordFile, { force: true });
    throw new StartRefused(
      `PostgreSQL could not make its data directory: ${failure.trim().slice(-500)}`,
      `Look at ${places.root}: it must be writable, on a local disk, and empty.`,
    );
  }
  if (process.getuid?.() === 0) chownSync(passwordFile, 0, 0);
  renameSync(passwordFile, places.password);
}

/** What a program said that did not end well. It runs beside us: there is other work meanwhile. */
async function failureOf(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<string | undefined> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const status = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
    child.once("error", (error) => {
      said = String(error);
      resolve(null);
    });
  });
  return status === 0 ? undefined : said;
}

function refuseOtherMajor(places: Places, binaries: Binaries): void {
  const major = Number.parseInt(readFileSync(path.join(places.data, "PG_VERSION"), "utf8"), 10);
  if (major === binaries.major) return;
  throw new StartRefused(
    `${places.data} was made by PostgreSQL ${major}, and this Remit brings PostgreSQL ${binaries.major}`,
    `Dump it with PostgreSQL ${major} (pg_dumpall) and restore it into a fresh directory, or start the Remit version that made it.`,
  );
}

const environment = {
  LC_ALL: "C",
  TZ: "UTC",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};

/** Starts the server in a process group of its own, so that a Ctrl-C meant for us does not reach it. */
export async function startServer(
  places: Places,
  identity: Identity,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const port = settings["port"] ?? String(await freePort());
  if (existsSync(places.log) && statSync(places.log).size > logBytesMax) truncateSync(places.log);
  const all: Readonly<Record<string, string>> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "120",
    shared_buffers: "64MB",
    log_line_prefix: "%m [%p] %q%a ",
    ...settings,
    port,
  };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const { command, args } = identity.wrap(path.join(identity.binaries, "bin", "postgres"), [
    "-D",
    places.data,
    ...flags,
  ]);
  const log = openSync(places.log, "a", 0o600);
  try {
    const child = spawn(command, args, {
      ...identity.spawn,
      cwd: "/",
      env: environment,
      stdio: ["ignore", log, log],
      detached: true,
    });
    child.on("error", () => undefined); // seen below as a server that never became ready
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** Waits for the server's own word; false when it has ended instead, or another one owns the data. */
export async function becomesReady(places: Places, child: ChildProcess): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < readyMsMax; waitedMs += readyPollMs) {
    const found = readPostmaster(places);
    if (found?.ready === true && found.pid === child.pid) return true;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return false;
    await pause(readyPollMs);
  }
  return false;
}

export async function untilGone(pid: number, msMax: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < msMax; waitedMs += readyPollMs) {
    if (!isAlive(pid)) return true;
    await pause(readyPollMs);
  }
  return !isAlive(pid);
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

/** The last words of the server, for the operator. */
export const lastWords = ({ log }: Places): string =>
  existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-3).join(" | ").slice(-600) : "";
