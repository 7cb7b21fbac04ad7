import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "@remit/kernel";
import { isAlive } from "./cluster.ts";

const pollMs = 50;
const emptyMsMax = 5_000;
const held = new Set<string>();

/** Lets one process at a time work on a directory, and in it one caller. A lock whose holder is dead is void. */
export async function oneAtATime<R>(lock: string, work: () => Promise<R>): Promise<R> {
  while (!take(lock)) {
    if (isHeld(lock)) await pause(pollMs);
    else rmSync(lock, { force: true });
  }
  held.add(lock);
  try {
    return await work();
  } finally {
    held.delete(lock);
    rmSync(lock, { force: true });
  }
}

function take(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** A dead holder's number may since have become ours; a holder that died before it wrote its number leaves none. */
function isHeld(lock: string): boolean {
  try {
    const holder = readFileSync(lock, "utf8");
    if (holder === "") return systemClock.now() - statSync(lock).mtimeMs < emptyMsMax;
    return Number(holder) === process.pid ? held.has(lock) : isAlive(Number(holder));
  } catch {
    return false;
  }
}
