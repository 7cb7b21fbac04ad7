import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Log } from "@remit/platform/telemetry";
import { passwordsTriedFirst } from "./passwords-tried-first.ts";

/** Whether a password stands in a list of stolen ones. */
export type BreachedPasswords = { includes(password: string): Promise<boolean> };

/**
 * The commonest are known here. With `directory`, one file per range of SHA-1 besides: named by the first five hex
 * digits, each line the other 35, a colon and a count, sorted; as the public range lists are published. Nothing leaves
 * this machine, not even a prefix.
 */
export function createBreachedPasswords(
  directory: string | undefined,
  { log }: { log: Log },
): BreachedPasswords {
  return {
    async includes(password) {
      const text = password.normalize("NFKC");
      if (passwordsTriedFirst.has(text.toLowerCase())) return true;
      if (directory === undefined) return false;
      const digest = createHash("sha1").update(text, "utf8").digest("hex").toUpperCase();
      const range = await readRange(directory, digest.slice(0, 5));
      // A list with a hole must not keep everybody from choosing a password; the operator is told.
      if (range === undefined)
        log.error({ range: digest.slice(0, 5) }, "a range of breached passwords is missing");
      return range !== undefined && holds(range, digest.slice(5));
    },
  };
}

async function readRange(directory: string, prefix: string): Promise<string[] | undefined> {
  for (const name of [prefix, `${prefix}.txt`])
    try {
      return (await readFile(path.join(directory, name), "utf8"))
        .split(/\r?\n/)
        .filter((line) => line !== "");
    } catch {
      // Perhaps under its other name.
    }
  return undefined;
}

/** Binary search: the lines are sorted. */
function holds(lines: readonly string[], suffix: string): boolean {
  let [from, to] = [0, lines.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const found = (lines[middle] ?? "").slice(0, suffix.length).toUpperCase();
    if (found === suffix) return true;
    if (found < suffix) from = middle + 1;
    else to = middle;
  }
  return false;
}
