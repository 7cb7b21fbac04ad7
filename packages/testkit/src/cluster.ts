import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  // Vitest merges what a run provides into this interface.
  interface ProvidedContext {
    readonly clusterUrl: string;
  }
}

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
  const root = mkdtempSync(path.join(tmpdir(), "remit-test-"));
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
