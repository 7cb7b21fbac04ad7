import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Id, newId } from "@remit/kernel";
import { createSigningKeys, kekOf } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { newEvent, type RemitEvent } from "@remit/protocol";
import { type TestClock, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import type { AuditDeps } from "../src/audit/audit.ts";
import { createAuditRecorder, createFileAnchor } from "../src/audit/index.ts";

/** The audit room on a database of its own, with keys that sign. */
export type AuditLog = {
  readonly database: TestDatabase;
  readonly db: Database;
  readonly deps: AuditDeps;
  readonly clock: TestClock;
  record(tenant: Id<"tenant">, event?: Partial<RemitEvent>): Promise<RemitEvent>;
  /** SQL as the owner of the database, who has switched its triggers off. */
  tamper(text: string): Promise<unknown>;
  close(): Promise<void>;
};

export async function openAuditLog(): Promise<AuditLog> {
  const clock = testClock();
  const log = createLog({ service: "test", level: "silent" });
  const recorder = createAuditRecorder(clock);
  const directory = await mkdtemp(path.join(tmpdir(), "remit-audit-"));
  const sources = [{ name: "authorization-server", directory: new URL("../migrations/", import.meta.url) }];
  const database = await testDatabase({ service: "authorization_server", sources });
  const record = async (tx: Parameters<typeof recorder.record>[0], event: RemitEvent): Promise<void> => {
    await recorder.record(tx, event);
  };
  const db = database.open({ record });
  const purposes = [{ purpose: "audit", alg: "EdDSA", evidence: true, tokenLifeMsMax: 0 }] as const;
  const keys = createSigningKeys({ db, kek: kekOf(new Uint8Array(32).fill(7)), clock, log, purposes });
  await keys.load();
  const anchor = createFileAnchor(path.join(directory, "anchor"));
  const issuer = "http://localhost:3000";
  const tables = ["audit_rows", "audit_chain", "audit_checkpoints", "audit_tree"];
  const each = (state: string): string =>
    tables.map((table) => `alter table ${table} ${state} trigger user;`).join(" ");
  return {
    database,
    db,
    deps: { db, keys, anchor, clock, log, issuer },
    clock,
    async record(tenant, given = {}) {
      const actor = { type: "system", id: "test" } as const;
      const facts = { tenant, actor, subject: newId("charge"), payload: { amount_minor: 1000 } };
      const event = { ...newEvent("charge.captured", facts, clock.now()), ...given };
      await db.of(tenant).transaction((tx) => tx.record(event));
      return event;
    },
    tamper: (text) => database.asAdmin(`${each("disable")} ${text}; ${each("enable")}`),
    async close() {
      await database.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
