import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { StartRefused } from "@remit/platform/host";
import { portBaseDefault } from "./ports.ts";

/** One data directory, held by this process until it is released. */
export type Instance = { readonly dataDir: string; readonly portBase: number; release(): Promise<void> };

/**
 * Takes the data directory for this process. Its port base is part of the data: every identifier in it contains an
 * origin, so a later start uses the same one, and another one is refused rather than half believed.
 */
export async function takeInstance(dataDir: string, wanted: number | undefined): Promise<Instance> {
  const full = path.resolve(dataDir);
  await mkdir(full, { recursive: true, mode: 0o700 });
  const lock = path.join(full, "instance.pid");
  await takeLock(lock);
  const release = (): Promise<void> => rm(lock, { force: true });
  try {
    return { dataDir: full, portBase: await portBaseOf(full, wanted), release };
  } catch (error) {
    await release();
    throw error;
  }
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

async function portBaseOf(dataDir: string, wanted: number | undefined): Promise<number> {
  const file = path.join(dataDir, "instance.json");
  const known = await readFile(file, "utf8").catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (known === undefined) {
    const base = wanted ?? portBaseDefault;
    await writeFile(file, `${JSON.stringify({ port_base: base })}\n`, { mode: 0o600 });
    return base;
  }
  // We are the only writer of this file.
  const { port_base: base } = JSON.parse(known) as { port_base: number };
  if (wanted !== undefined && wanted !== base)
    throw new StartRefused(
      `the data in ${dataDir} belongs to port base ${base}, not ${wanted}`,
      `Start with --port-base ${base}, or give --data-dir another directory.`,
    );
  return base;
}

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
