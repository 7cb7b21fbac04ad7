import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";
import type { TestProject } from "vitest/node";

const prefix = "remit-test-";

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
  removeLeftovers();
  const root = mkdtempSync(path.join(tmpdir(), prefix));
  const postgres = await startPostgres({
    dataDir: path.join(root, "postgres"),
    log: createLog({ service: "testkit", level: "warn" }),
    settings: { fsync: "off", full_page_writes: "off", max_connections: "400", autovacuum_naptime: "5min" },
  });
  project.provide("clusterUrl", postgres.url);
  return async () => {
    await postgres.stop();
    rmSync(root, { recursive: true, force: true });
  };
}

/** A run that was killed leaves its server behind, a process group of its own: the next run ends it. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const postgres = path.join(tmpdir(), name, "postgres");
    const starter = numberIn(path.join(postgres, "started-by"));
    if (starter === undefined || signal(starter, 0)) continue;
    const server = numberIn(path.join(postgres, "data", "postmaster.pid"));
    if (server !== undefined) signal(server, "SIGQUIT");
    rmSync(path.join(tmpdir(), name), { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
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
