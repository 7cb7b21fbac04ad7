import type { Clock } from "@remit/kernel";
import type { Tx } from "@remit/platform/sql";
import { auditBodyOf, base64url, canonicalise, type RemitEvent } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";

/** Writes an event into its tenant's log, in the transaction of the change: neither stands without the other. */
export type AuditRecorder = {
  /** False when the event stood there before. */
  record(tx: Tx, event: RemitEvent): Promise<boolean>;
  /** base64url(SHA-256(JCS of the entry's body)): what a receipt says of the row before it has a place in the chain. */
  leafDigestOf(event: RemitEvent): string;
};

type Body = { readonly text: string; readonly digest: Uint8Array };

export function createAuditRecorder(clock: Clock): AuditRecorder {
  // A receipt is signed over the digest before the row is written; both must see the same monotonic time.
  const bodies = new WeakMap<RemitEvent, Body>();
  const bodyOf = (event: RemitEvent): Body => {
    const known = bodies.get(event);
    if (known !== undefined) return known;
    const text = canonicalise(auditBodyOf(event, clock.monotonicNs()));
    const body = { text, digest: sha256(text) };
    bodies.set(event, body);
    return body;
  };
  return {
    async record(tx, event) {
      const { text, digest } = bodyOf(event);
      const { id: eventId, tenant, at, type, subject } = event;
      const written = await rows.insertRow(tx, {
        tenant,
        eventId,
        at,
        event: type,
        subject,
        body: text,
        digest,
      });
      return written.count === 1;
    },
    leafDigestOf: (event) => base64url.encode(bodyOf(event).digest),
  };
}
