import { access } from "node:fs/promises";
import path from "node:path";
import { type DevFile, freePortBase, logsAt, readDevFile, runningIn, startEmbedded } from "@remit/embedded";
import { faint, note } from "../output.ts";
import { version, type Where } from "../where.ts";

const requestTimeoutMs = 30_000;

/** Gives `work` an instance: the one that runs in the data directory, or one that is started for it and stopped after. */
export async function withInstance<T>(where: Where, work: (dev: DevFile) => Promise<T>): Promise<T> {
  const dataDir = path.resolve(where.dataDir);
  const pid = await runningIn(dataDir);
  const running = pid === undefined ? undefined : await readDevFile(dataDir);
  if (running !== undefined) {
    if (await answers(running.issuer)) return work(running);
    throw new Error(
      `process ${pid} runs in ${where.dataDir} but is not ready; npx remit doctor says what is wrong with it`,
    );
  }
  const portBase = where.portBase ?? ((await isFresh(dataDir)) ? await freePortBase() : undefined);
  const quiet = where.json === true;
  const embedded = await startEmbedded({
    dataDir,
    version,
    log: logsAt(quiet ? "error" : "warn"),
    ...(portBase === undefined ? {} : { portBase }),
    ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
    progress: (step) => {
      if (!quiet) note(faint(`Nothing runs in ${where.dataDir}; starting: ${step}`));
    },
  });
  const stop = (): void => void embedded.close().then(() => process.exit(130));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work(embedded.dev);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await embedded.close();
  }
}

async function isFresh(dataDir: string): Promise<boolean> {
  try {
    await access(path.join(dataDir, "instance.json"));
    return false;
  } catch {
    return true;
  }
}

async function answers(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/health`, { signal: AbortSignal.timeout(requestTimeoutMs) })).ok;
  } catch {
    return false;
  }
}
