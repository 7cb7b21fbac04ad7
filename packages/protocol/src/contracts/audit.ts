import { z } from "zod";
import { eventTypeNames } from "../events.ts";
import { Digest, idOf, Timestamp } from "./values.ts";

const ActorBody = z.object({
  type: z.enum(["agent", "account", "merchant", "client", "system"]),
  id: z.string(),
});

/** One entry of a tenant's audit log, in the sequencer's order. */
export const AuditEntry = z.looseObject({
  v: z.literal(1),
  seq: z.int().min(1),
  prev_hash: z.string(),
  entry_hash: Digest,
  ts: Timestamp,
  tenant_id: z.string(),
  actor: z.looseObject(ActorBody.shape),
  event: z.string(),
  retention_class: z.enum(["soc2-7y", "eidas-10y"]),
});
export const AuditPage = z.object({ data: z.array(AuditEntry), next_cursor: z.string().nullable() });
export type AuditPage = z.infer<typeof AuditPage>;

/** GET /api/v1/audit/verify. */
export const AuditVerification = z.object({
  verified: z.boolean(),
  checked_count: z.int().min(0),
  head_seq: z.int().min(0),
  checkpoint: z.string().nullable(),
  broken_at_seq: z.int().min(0).optional(),
  reason: z.string().optional(),
});
export type AuditVerification = z.infer<typeof AuditVerification>;

/** POST /api/v1/events: events of a peer, at most 500 at once; an id seen before is passed over. */
export const EventBatch = z.strictObject({
  events: z
    .array(
      z.strictObject({
        id: idOf("event"),
        type: z.enum(eventTypeNames),
        version: z.int().min(1),
        at: Timestamp,
        tenant: z.union([idOf("tenant"), z.literal("platform")]),
        actor: ActorBody,
        subject: z.string().max(255),
        payload: z.record(z.string(), z.json()),
        retention: z.enum(["soc2-7y", "eidas-10y"]),
      }),
    )
    .min(1)
    .max(500),
});
export type EventBatch = z.infer<typeof EventBatch>;
