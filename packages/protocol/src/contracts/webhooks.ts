import { z } from "zod";
import { HttpsUrl, idOf, Timestamp, text } from "./values.ts";

// Where a tenant is told of its events, and how each telling went (Standard Webhooks 1.0).

/** One event, all of one noun (`agent.*`), or all (`*`). */
const Pattern = z
  .string()
  .max(64)
  .regex(/^(?:\*|[a-z_]+\.(?:\*|[a-z_]+))$/, "is an event, noun.* or *")
  .meta({ examples: ["agent.*"] });
const Patterns = z.array(Pattern).min(1).max(50);

/** POST /api/v1/webhooks. */
export const CreateWebhook = z.strictObject({
  name: text(120),
  url: HttpsUrl,
  events: Patterns,
  active: z.boolean().default(true),
});
export type CreateWebhook = z.infer<typeof CreateWebhook>;

/** PATCH /api/v1/webhooks/{id}. */
export const ChangeWebhook = z
  .strictObject({
    name: text(120).optional(),
    url: HttpsUrl.optional(),
    events: Patterns.optional(),
    active: z.boolean().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, "names nothing to change")
  .meta({ examples: [{ events: ["agent.*", "credential.*"] }] });
export type ChangeWebhook = z.infer<typeof ChangeWebhook>;

export const WebhookBody = z.object({
  id: idOf("webhook"),
  organization_id: idOf("tenant"),
  name: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  active: z.boolean(),
  /** Failures since the last success. */
  failure_count: z.int(),
  failing_since: Timestamp.nullable(),
  /** When and why Remit turned it off: its receiver answered 410, or failed for days. */
  disabled_at: Timestamp.nullable(),
  disabled_because: z.enum(["gone", "failing"]).nullable(),
  /** Until when the secret before the last rotation signs as well. */
  former_secret_until: Timestamp.nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type WebhookBody = z.infer<typeof WebhookBody>;

/** With the secret, `whsec_` and base64, which is shown this once. */
export const WebhookWithSecret = WebhookBody.extend({ signingSecret: z.string() });

export const WebhookPage = z.object({ data: z.array(WebhookBody), next_cursor: z.string().nullable() });

/** POST /api/v1/webhooks/{id}/rotate-secret. */
export const RotateWebhookSecret = z.strictObject({
  /** How long the former secret signs as well; 0 ends it at once. */
  overlap_hours: z.int().min(0).max(168).default(24),
});

export const DeliveryStatus = z.enum(["pending", "delivered", "dead_letter"]);

export const DeliveryBody = z.object({
  id: idOf("delivery"),
  webhook_id: idOf("webhook"),
  event_id: idOf("event"),
  type: z.string(),
  status: DeliveryStatus,
  attempts: z.int(),
  next_attempt_at: Timestamp.nullable(),
  /** Of the last attempt. */
  response_status: z.int().nullable(),
  error: z.string().nullable(),
  created_at: Timestamp,
  ended_at: Timestamp.nullable(),
});
export type DeliveryBody = z.infer<typeof DeliveryBody>;

export const DeliveryPage = z.object({ data: z.array(DeliveryBody), next_cursor: z.string().nullable() });

export const AttemptBody = z.object({
  attempt: z.int(),
  at: Timestamp,
  duration_ms: z.int().nullable(),
  request: z
    .object({ url: z.string(), headers: z.record(z.string(), z.string()), body: z.string() })
    .nullable(),
  response: z.object({ status: z.int(), body: z.string() }).nullable(),
  error: z.string().nullable(),
});

/** A delivery with each of its attempts: what was sent, byte for byte, and how it was answered. */
export const DeliveryWithAttempts = DeliveryBody.extend({ log: z.array(AttemptBody) });

/** POST /api/v1/webhooks/{id}/replay. */
export const ReplayDeliveries = z
  .strictObject({
    since: Timestamp,
    until: Timestamp.optional(),
    status: z.enum(["dead_letter", "delivered", "all"]).default("dead_letter"),
  })
  .refine(
    ({ since, until }) => until === undefined || Date.parse(since) < Date.parse(until),
    "until is before since",
  )
  .meta({ examples: [{ since: "2026-05-04T00:00:00Z" }] });

/** How many were sent anew; `more` when there are others in the range, for which to call again. */
export const ReplayedDeliveries = z.object({ replayed: z.int(), more: z.boolean() });

/** What a receiver gets. `sequence` rises from event to event of one `subject`, whatever order they arrive in. */
export const WebhookPayload = z.object({
  id: idOf("event"),
  type: z.string(),
  /** What the AgentIdP API calls this type, where that is another name. */
  alias: z.string().optional(),
  version: z.int(),
  timestamp: Timestamp,
  sequence: z.int(),
  organization_id: idOf("tenant"),
  livemode: z.boolean(),
  subject: z.string(),
  actor: z.object({ type: z.string(), id: z.string() }),
  data: z.record(z.string(), z.json()),
});
export type WebhookPayload = z.infer<typeof WebhookPayload>;

/** GET /api/v1/webhooks/events: every kind of event, with the JSON Schema of its `data`, and of what is around it. */
export const EventCatalogue = z.object({
  envelope: z.record(z.string(), z.json()),
  data: z.array(
    z.object({
      type: z.string(),
      alias: z.string().nullable(),
      version: z.int(),
      schema: z.record(z.string(), z.json()),
    }),
  ),
});
