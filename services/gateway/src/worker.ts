import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Worker } from "./claims/index.ts";

/**
 * This run of this gateway. The name stays with the data directory, which belongs to one process: claims of an earlier
 * run of the same name are nobody's, and need not wait for their lease to end.
 */
export async function thisWorker(dataDir: string): Promise<Worker> {
  const file = path.join(dataDir, "worker");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, name(), { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  });
  return { worker: await readFile(file, "utf8"), boot: name() };
}

const name = (): string => randomBytes(12).toString("base64url");
