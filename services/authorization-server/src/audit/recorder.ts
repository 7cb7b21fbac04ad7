import type { Clock } from "@remit/kernel";
import type { Tx } from "@remit/platform/sql";
import { auditBodyOf, canonicalise, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";

/** Writes an event into its tenant's log, in the transaction of the change: neither stands without the other. */
export type AuditRecorder = {
  /** False when the event stood there before. */
  record(tx: Tx, event: RemitEvent): Promise<boolean>;
};

export const createAuditRecorder = (clock: Clock): AuditRecorder => ({
  async record(tx, event) {
    const body = canonicalise(auditBodyOf(event, clock.monotonicNs()));
    const { id: eventId, tenant, at, type, subject } = event;
    const row = { tenant, eventId, at, event: type, subject, body, digest: sha256(body) };
    return (await rows.insertRow(tx, row)).count === 1;
  },
});
