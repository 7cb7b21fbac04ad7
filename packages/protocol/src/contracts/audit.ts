import { fromRfc3339 } from "@remit/kernel";
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
/** A place whose body is not there: it has expired, or somebody has changed it so that it cannot be read. */
export const AuditGap = z.object({
  seq: z.int().min(1),
  id: z.string(),
  prev_hash: z.string(),
  entry_hash: z.string(),
  leaf: Digest,
  missing: z.enum(["unreadable", "removed"]),
  /** The entry whose signed statement says so. */
  removed_by: z.string().optional(),
});
export const AuditPage = z.object({
  data: z.array(AuditEntry),
  /** Places among those of `data` whose entry cannot be shown. */
  gaps: z.array(AuditGap),
  next_cursor: z.string().nullable(),
  /** With `page` only: how many entries the filter finds, counted up to 10,000. */
  page: z.int().optional(),
  limit: z.int().optional(),
  total: z.int().optional(),
});
export type AuditPage = z.infer<typeof AuditPage>;

/** A time, or a day in UTC, as the AgentIdP API has them. */
const DateOrTime = z
  .string()
  .max(40)
  .refine(
    (text) => fromRfc3339(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text) !== undefined,
    "is neither an RFC 3339 time nor a day",
  );

/** From the beginning of a day or a time on, up to and with the end of one. */
export const AuditRange = z.strictObject({ fromDate: DateOrTime.optional(), toDate: DateOrTime.optional() });

/** GET /api/v1/audit. By `cursor`, oldest first; or by `page`, newest first, as the AgentIdP API's clients do. */
export const AuditQuery = AuditRange.extend({
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,15}$/)
    .optional(),
  page: z.coerce.number().int().min(1).max(10_000).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  /** Only entries about this object. */
  subject: z.string().max(255).optional(),
  /** Only entries that name this agent: it did it, it happened to it, or it is in what is said. */
  agentId: idOf("agent").optional(),
  /** A type of event, all of a noun (`agent.*`), or an action of the AgentIdP API. */
  action: z
    .string()
    .regex(/^[a-z_]+\.(?:[a-z_]+|\*)$/)
    .max(64)
    .optional(),
  outcome: z.enum(["success", "failure"]).optional(),
});

/** GET /api/v1/audit/{eventId}: in the AgentIdP API's words, and the entry as everybody may verify it. */
export const AuditEventBody = z.object({
  eventId: idOf("event"),
  timestamp: Timestamp,
  action: z.string(),
  outcome: z.enum(["success", "failure"]),
  agentId: z.string().nullable(),
  organizationId: z.string(),
  entry: AuditEntry,
  /** RFC 6962 leaf of the entry. */
  leaf: Digest,
  /** The first signed checkpoint over it, a compact JWS; null for a few seconds. */
  checkpoint: z.string().nullable(),
});

/** GET /api/v1/audit/verify. Without dates the whole log. */
export const AuditVerification = z.object({
  verified: z.boolean(),
  checkedCount: z.int().min(0),
  brokenAtEventId: z.string().nullable(),
  fromDate: z.string().optional(),
  toDate: z.string().optional(),
  headSeq: z.int().min(0),
  /** The newest signed checkpoint that was held against the log, a compact JWS. */
  checkpoint: z.string().nullable(),
  brokenAtSeq: z.int().min(0).optional(),
  reason: z.string().optional(),
});
export type AuditVerification = z.infer<typeof AuditVerification>;

/** GET /api/v1/audit/range: the places between two signed checkpoints that hold all of a time; null is the log's own end. */
export const AuditRangePlaces = z.object({
  after_seq: z.int().min(0),
  to_seq: z.int().min(0),
  starts_at: z.string().nullable(),
  ends_at: z.string().nullable(),
  /** The roots of the perfect subtrees of which the tree up to `after_seq` consists, largest first; null when no signature says what they must give. */
  starts_with: z.array(Digest).nullable(),
});
export type AuditRangePlaces = z.infer<typeof AuditRangePlaces>;

const TreeSize = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** GET /api/v1/audit/{eventId}/proof: in the tree of that size, or in the newest that was signed. */
export const AuditProofQuery = z.strictObject({ size: TreeSize.optional() });

/** That an entry stands in the log (RFC 6962 §2.1.1): `hashes` lead from the leaf to the root of the tree. */
export const AuditInclusion = z.object({
  eventId: idOf("event"),
  leafIndex: z.int().min(0),
  leaf: Digest,
  treeSize: z.int().min(1),
  rootHash: Digest,
  hashes: z.array(Digest),
  /** The newest checkpoint, as a signed note (C2SP tlog-checkpoint). */
  checkpoint: z.string(),
});

/** GET /api/v1/audit/consistency: up to the size `second`, or that of the newest signed tree. */
export const AuditConsistencyQuery = z.strictObject({ first: TreeSize, second: TreeSize.optional() });

/** That the log of a size began with all of the smaller one (RFC 6962 §2.1.2). */
export const AuditConsistency = z.object({
  first: z.int().min(1),
  firstRootHash: Digest,
  second: z.int().min(1),
  secondRootHash: Digest,
  hashes: z.array(Digest),
  checkpoint: z.string(),
});

/**
 * POST /api/v1/audit/removals: what has expired will be said and signed, and removed where this service may. Each log tells
 * by an entry `audit.expired` when that was done.
 */
export const AuditRemovals = z.object({
  queued: z.literal(true),
  /** False where the owner of the database has to call expire_audit_bodies(). */
  removes: z.boolean(),
});
export type AuditRemovals = z.infer<typeof AuditRemovals>;

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
