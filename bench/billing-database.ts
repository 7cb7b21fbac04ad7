import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { recordToOutbox } from "@remit/platform/outbox";
import {
  type Database,
  migrate,
  openDatabase,
  platformMigrations,
  provision,
  rolePasswords,
} from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { migrations } from "../services/billing/src/tables.ts";

/** Billing's database on a cluster of its own. */
export type BillingDatabase = {
  readonly db: Database;
  /** The same rows for the cluster's administrator: past policies, without the application's time limits. */
  readonly admin: Database;
  readonly url: string;
  readonly schema: string;
  readonly directory: string;
};

export async function inBillingDatabase<R>(
  poolMax: number,
  work: (on: BillingDatabase) => Promise<R>,
): Promise<R> {
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-billing-"));
  const cluster = await startPostgres({
    dataDir: path.join(directory, "postgres"),
    log: createLog({ service: "bench", level: "error" }),
  });
  try {
    const { url, schema, roles, ownerRole, migrationUrl } = await provision({
      adminUrl: cluster.url,
      service: "billing",
      passwords: rolePasswords(path.join(directory, "roles.json")),
      kekFingerprint: "bench",
    });
    const sources = [platformMigrations, ...migrations];
    await migrate({ url: migrationUrl, ownerRole, schema, roles, sources });
    const relayRole = roles.relay;
    const db = openDatabase({ url, schema, relayRole, poolMax, record: recordToOutbox });
    const admin = openDatabase({
      url: cluster.url,
      schema,
      relayRole,
      poolMax: 1,
      statementMsMax: 900_000,
    });
    try {
      return await work({ db, admin, url, schema, directory });
    } finally {
      await admin.close();
      await db.close();
    }
  } finally {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
