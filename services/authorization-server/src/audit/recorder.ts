import type { Clock } from "@remit/kernel";
import type { Tx } from "@remit/platform/sql";
import { auditBodyOf, canonicalise, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";

/** Writes events into their tenants' logs, in the transaction of the change: neither stands without the other. */
export type AuditRecorder = {
  /** False when the event stood there before. */
  record(tx: Tx, event: RemitEvent): Promise<boolean>;
  /** New events as rows in JSON, for a statement that writes more than them (`record_audit_rows`). */
  rowsOf(events: readonly RemitEvent[]): string;
};

export const createAuditRecorder = (clock: Clock): AuditRecorder => {
  const rowOf = (event: RemitEvent): rows.NewRow => {
    const body = canonicalise(auditBodyOf(event, clock.monotonicNs()));
    const { id: eventId, tenant, at, type, subject } = event;
    return { tenant, eventId, at, event: type, subject, body, digest: sha256(body) };
  };
  return {
    record: async (tx, event) => (await rows.insertRow(tx, rowOf(event))).count === 1,
    rowsOf: (events) => rows.asJson(events.map(rowOf)),
  };
};
