import type { Clock } from "@remit/kernel";
import { deferToOutbox, outboxChannel, outboxRowsOf } from "@remit/platform/outbox";
import type { Tx } from "@remit/platform/sql";
import { noteOnTrail } from "@remit/platform/trail";
import { auditBodyOf, canonicalise, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";

/** Writes events into their tenants' logs, in the transaction of the change: neither stands without the other. */
export type AuditRecorder = {
  /** False when the event stood there before. */
  record(tx: Tx, event: RemitEvent): Promise<boolean>;
  /** A new one, with the commit at the latest, there and for readers of the outbox. */
  recordNew(tx: Tx, event: RemitEvent): void;
  /** The same for many events that are new. */
  recordAll(tx: Tx, events: readonly RemitEvent[]): Promise<void>;
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
    record: async (tx, event) => {
      noteOnTrail(event.id);
      return (await tx.run(rows.insertionOf(rowOf(event)))).count === 1;
    },
    recordNew: (tx, event) => {
      noteOnTrail(event.id);
      tx.defer(rows.insertionOf(rowOf(event)));
      deferToOutbox(tx, event);
    },
    recordAll: async (tx, events) => {
      for (const { id } of events) noteOnTrail(id);
      rows.insertEvents(tx, { audit: rows.asJson(events.map(rowOf)), events: outboxRowsOf(events) });
      tx.notify(outboxChannel);
    },
    rowsOf: (events) => rows.asJson(events.map(rowOf)),
  };
};
