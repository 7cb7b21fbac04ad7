import { access, constants, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { StartRefused } from "@remit/platform/host";
import { portBaseDefault, portsOf } from "./ports.ts";

/** One data directory, held by this process until it is released. */
export type Instance = {
  readonly dataDir: string;
  readonly portBase: number;
  /** Writes down that the data belongs to these ports, once something was able to listen on them. */
  settle(): Promise<void>;
  release(): Promise<void>;
};

/**
 * Takes the data directory for this process. Its port base is part of the data: every identifier in it contains an
 * origin, so a later start uses the same one, and another one is refused rather than half believed.
 */
export async function takeInstance(dataDir: string, wanted: number | undefined): Promise<Instance> {
  const full = await makeDirectory(dataDir);
  const lock = path.join(full, "instance.pid");
  await takeLock(lock);
  const release = (): Promise<void> => rm(lock, { force: true });
  try {
    const portBase = await portBaseOf(full, wanted);
    return { dataDir: full, portBase, settle: () => rememberPortBase(full, portBase), release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function makeDirectory(dataDir: string): Promise<string> {
  if (dataDir.trim() === "")
    throw new StartRefused("no data directory is named", "Give one with --data-dir, such as .remit.");
  const full = path.resolve(dataDir);
  try {
    await makeEach(full);
    await access(full, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new StartRefused(
      `${full} cannot be used as data directory (${why})`,
      "Name one that this user may write, with --data-dir.",
      { cause: error },
    );
  }
  return full;
}

async function takeLock(lock: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(lock, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
    }
    const holder = Number(await readFile(lock, "utf8").catch(() => ""));
    if (isAlive(holder))
      throw new StartRefused(
        `another Remit (process ${holder}) uses ${path.dirname(lock)}`,
        "Stop it, or give this one a directory of its own with --data-dir and ports with --port-base.",
      );
    await rm(lock, { force: true });
  }
  throw new StartRefused(`${path.dirname(lock)} is being taken by another process`, "Try again.");
}

/** One directory after the other: a recursive mkdir never comes back from where nothing can be made (/proc). */
async function makeEach(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (isCode(error, "EEXIST")) return;
    const parent = path.dirname(directory);
    if (!isCode(error, "ENOENT") || parent === directory) throw error;
    await makeEach(parent);
    await mkdir(directory, { mode: 0o700 });
  }
}

async function portBaseOf(dataDir: string, wanted: number | undefined): Promise<number> {
  const known = await readFile(fileIn(dataDir), "utf8").catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (known === undefined) return possible(wanted ?? portBaseDefault);
  // We are the only writer of this file.
  const { port_base: base } = JSON.parse(known) as { port_base: number };
  if (wanted !== undefined && wanted !== base)
    throw new StartRefused(
      `the data in ${dataDir} belongs to port base ${base}, not ${wanted}`,
      `Start with --port-base ${base}, or give --data-dir another directory.`,
    );
  return base;
}

function possible(base: number): number {
  try {
    return portsOf(base).base;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartRefused(error.message, "Choose another with --port-base.");
  }
}

const fileIn = (dataDir: string): string => path.join(dataDir, "instance.json");

const rememberPortBase = (dataDir: string, base: number): Promise<void> =>
  writeFile(fileIn(dataDir), `${JSON.stringify({ port_base: base })}\n`, { mode: 0o600 });

/** The process that holds a data directory now, if any. */
export async function runningIn(dataDir: string): Promise<number | undefined> {
  const holder = Number(await readFile(path.join(dataDir, "instance.pid"), "utf8").catch(() => ""));
  return isAlive(holder) ? holder : undefined;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;
