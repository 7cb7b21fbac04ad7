import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { minuteMs, systemClock } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";
import type { TestProject } from "vitest/node";
import { scratchFolder, scratchPlaces } from "./scratch.ts";

const prefix = "remit-cluster-";
const leftoverMsMin = 10 * minuteMs;
const endMsMax = 2_000;

/**
 * One PostgreSQL for the whole run, thrown away after it: the embedded one, or the server of REMIT_TEST_DATABASE_URL,
 * whose user must be allowed to create databases and roles. No fsync: what these tests kill is processes, never the
 * machine.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["REMIT_TEST_DATABASE_URL"];
  if (given !== undefined) {
    project.provide("clusterUrl", given);
    return async () => undefined;
  }
  for (const place of scratchPlaces) await removeLeftovers(place);
  const root = scratchFolder(prefix);
  const postgres = await startPostgres({
    dataDir: path.join(root, "postgres"),
    log: createLog({ service: "testkit", level: "warn" }),
    settings: {
      fsync: "off",
      full_page_writes: "off",
      max_connections: "400",
      autovacuum_naptime: "5min",
      max_wal_size: "256MB",
    },
  });
  project.provide("clusterUrl", postgres.url);
  return async () => {
    await postgres.stop();
    rmSync(root, { recursive: true, force: true });
  };
}

/** A run that was killed leaves its server behind, a process group of its own: the next run ends it. */
async function removeLeftovers(place: string): Promise<void> {
  for (const name of entriesOf(place).filter((entry) => entry.startsWith(prefix))) {
    const root = path.join(place, name);
    if (!isLeftover(root)) continue;
    const server = numberIn(path.join(root, "postgres", "data", "postmaster.pid"));
    if (server !== undefined && isServerOf(root, server)) await end(server);
    try {
      rmSync(root, { recursive: true, force: true });
    } catch {
      // Another run is removing it as well.
    }
  }
}

function entriesOf(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}

/** Whose run is gone; or, before a run has written itself down and after it has gone, what is old. */
function isLeftover(root: string): boolean {
  const starter = numberIn(path.join(root, "postgres", "started-by"));
  if (starter !== undefined) return !signal(starter, 0);
  const made = statSync(root, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && systemClock.now() - made > leftoverMsMin;
}

/** The number may since have become another process's. */
function isServerOf(root: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(root);
  } catch {
    return false;
  }
}

async function end(server: number): Promise<void> {
  signal(server, "SIGQUIT");
  for (let waitedMs = 0; waitedMs < endMsMax && signal(server, 0); waitedMs += 50) await pause(50);
}

function numberIn(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
