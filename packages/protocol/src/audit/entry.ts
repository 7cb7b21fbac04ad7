import { type Id, toRfc3339 } from "@remit/kernel";
import type { Sha256 } from "../encoding/index.ts";
import { base64url } from "../encoding/index.ts";
import type { Actor, EventPayload, RemitEvent, Retention } from "../events.ts";
import { canonicalise } from "../jcs/index.ts";

/** What an event leaves in the log, complete before its place in the chain is known. Its bytes are its JCS (RFC 8785). */
export type AuditBody = {
  readonly v: 1;
  readonly id: Id<"event">;
  /** RFC 3339, milliseconds. */
  readonly ts: string;
  /** Of the recording process; a decimal string, since it exceeds what a JSON number holds. */
  readonly ts_monotonic_ns: string;
  readonly tenant_id: string;
  readonly actor: Actor;
  readonly event: string;
  readonly event_version: number;
  readonly subject: string;
  readonly payload: EventPayload;
  readonly retention_class: Retention;
};

/** Where a body stands: `prev_hash` is the `entry_hash` before it, `sig_chain_*` the last checkpoint known then. */
export type AuditLink = {
  readonly seq: number;
  readonly prev_hash: string;
  readonly sig_chain_head_seq: number;
  readonly sig_chain_head_jti: string | null;
};

export type AuditEntry = AuditBody & AuditLink & { readonly entry_hash: string };

/** A place in the log whose body is not there, as it is shown. */
export type AuditGap = {
  readonly seq: number;
  readonly id: string;
  readonly prev_hash: string;
  readonly entry_hash: string;
  /** base64url. */
  readonly leaf: string;
  /** `removed`: it was kept as long as it had to be. */
  readonly missing: "unreadable" | "removed";
  /** The entry that says so. */
  readonly removed_by?: string;
};

/** The `prev_hash` of the first entry: 32 zero bytes. */
export const genesisHash = "A".repeat(43);

export const auditBodyOf = (event: RemitEvent, monotonicNs: bigint): AuditBody => ({
  v: 1,
  id: event.id,
  ts: toRfc3339(event.at),
  ts_monotonic_ns: monotonicNs.toString(),
  tenant_id: event.tenant,
  actor: event.actor,
  event: event.type,
  event_version: event.version,
  subject: event.subject,
  payload: event.payload,
  retention_class: event.retention,
});

/** Links a body into the chain: `entry_hash` is SHA-256 over the JCS of all members but itself. */
export function chainEntry(
  sha256: Sha256,
  body: AuditBody,
  link: AuditLink,
): { entry: AuditEntry; leaf: Uint8Array } {
  const preimage = canonicalise({ ...body, ...link });
  return {
    entry: { ...body, ...link, entry_hash: base64url.encode(sha256(preimage)) },
    // RFC 6962 §2.1: the leading zero keeps a leaf from ever being read as an inner node.
    leaf: sha256(`\u0000${preimage}`),
  };
}
