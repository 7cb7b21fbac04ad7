import { fromRfc3339, type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import {
  type AttemptBody,
  DeliveryBody,
  DeliveryPage,
  DeliveryStatus,
  DeliveryWithAttempts,
  idOf,
  ReplayDeliveries,
  ReplayedDeliveries,
  Timestamp,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { byOf } from "../webhooks/index.ts";
import { catalogueRoute } from "./catalogue.http.ts";
import type { Attempt, Delivery } from "./deliveries.ts";
import { deliveriesOf, deliveryById, type Logged, replayOne, replayRange, sendTest } from "./log.ts";
import { headersOf } from "./message.ts";

type Deps = { readonly db: Database; readonly livemode: boolean };

const WebhookPath = z.strictObject({ id: idOf("webhook") });
const DeliveryPath = z.strictObject({ id: idOf("webhook"), delivery: idOf("delivery") });
const Page = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(100).default(20),
    cursor: idOf("delivery").optional(),
    status: DeliveryStatus.optional(),
    event: z.string().max(64).optional(),
    since: Timestamp.optional(),
    until: Timestamp.optional(),
  })
  .meta({ description: "since and until are about when the delivery was made" });
const reading = { scope: ["webhooks:read", "webhooks:write"], bearer: true } as const;
const writing = { scope: "webhooks:write", bearer: true } as const;
const limit = { count: 300, windowMs: minuteMs, by: "tenant" } as const;

/** What was sent to a webhook, how it was answered, and how to send it again. */
export const deliveryRoutes = (deps: Deps): Route[] => [
  catalogueRoute(),
  listRoute(deps),
  readRoute(deps),
  replayOneRoute(deps),
  replayRoute(deps),
  testRoute(deps),
];

const listRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/webhooks/:id/deliveries",
    summary: "Deliveries of a webhook, newest first",
    needs: reading,
    params: WebhookPath,
    query: Page,
    answers: { 200: DeliveryPage, 404: "not_found" },
    handle: async (call, { params, query }) => {
      const { limit: most, cursor: before, status, event: type } = query;
      const times = { since: instantOf(query.since), until: instantOf(query.until) };
      const page = { webhook: params.id, limit: most + 1, before, status, type, ...times };
      const found = await db.of(call.caller.tenant).transaction((tx) => deliveriesOf(tx, page));
      const shown = found.slice(0, most);
      const next = found.length > most ? shown.at(-1)?.id : undefined;
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor: next ?? null } };
    },
  });

const readRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/webhooks/:id/deliveries/:delivery",
    summary: "One delivery with each attempt: what was sent and how it was answered",
    needs: reading,
    params: DeliveryPath,
    answers: { 200: DeliveryWithAttempts, 404: "not_found" },
    handle: async (call, { params }) => {
      const named = { webhook: params.id, delivery: params.delivery };
      const logged = await db.of(call.caller.tenant).transaction((tx) => deliveryById(tx, named));
      const log = logged.attempts.map((attempt) => attemptOf(logged, attempt));
      return { status: 200, body: { ...bodyOf(logged.delivery), log } };
    },
  });

const replayOneRoute = ({ db }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/webhooks/:id/deliveries/:delivery/replay",
    summary: "Send one delivery again, under the same webhook-id",
    needs: writing,
    limit,
    params: DeliveryPath,
    answers: { 202: DeliveryBody, 404: "not_found", 409: "webhook_inactive" },
    handle: async (call, { params }) => {
      const named = { webhook: params.id, delivery: params.delivery };
      const work = db.of(call.caller.tenant);
      return { status: 202, body: bodyOf(await work.transaction((tx) => replayOne(tx, named, byOf(call)))) };
    },
  });

const replayRoute = ({ db }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/webhooks/:id/replay",
    summary: "Send again what was made in a range of time: dead letters, or what was delivered too",
    needs: writing,
    limit,
    params: WebhookPath,
    body: ReplayDeliveries,
    answers: { 202: ReplayedDeliveries, 404: "not_found", 409: "webhook_inactive" },
    handle: async (call, { params, body }) => {
      const since = instantOf(body.since) ?? call.now;
      const replay = { webhook: params.id, since, until: instantOf(body.until), status: body.status };
      const work = db.of(call.caller.tenant);
      return { status: 202, body: await work.transaction((tx) => replayRange(tx, replay, byOf(call))) };
    },
  });

const testRoute = ({ db, livemode }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/webhooks/:id/test",
    summary: "Send a webhook.tested event to one webhook",
    needs: writing,
    limit,
    params: WebhookPath,
    answers: { 202: DeliveryBody, 404: "not_found", 409: "webhook_inactive" },
    handle: async (call, { params }) => {
      const work = db.of(call.caller.tenant);
      const by = { ...byOf(call), livemode };
      return { status: 202, body: bodyOf(await work.transaction((tx) => sendTest(tx, params.id, by))) };
    },
  });

// A timestamp that has passed its schema is one.
const instantOf = (text: string | undefined): Instant | undefined =>
  text === undefined ? undefined : fromRfc3339(text);

const timeOf = (at: Instant | undefined): string | null => (at === undefined ? null : toRfc3339(at));

const bodyOf = (delivery: Delivery): z.input<typeof DeliveryBody> => ({
  id: delivery.id,
  webhook_id: delivery.webhook,
  event_id: delivery.event,
  type: delivery.type,
  status: delivery.status,
  attempts: delivery.attempts,
  next_attempt_at: timeOf(delivery.nextAt),
  response_status: delivery.responseStatus ?? null,
  error: delivery.error ?? null,
  created_at: toRfc3339(delivery.createdAt),
  ended_at: timeOf(delivery.endedAt),
});

const attemptOf = ({ delivery, body }: Logged, attempt: Attempt): z.input<typeof AttemptBody> => ({
  attempt: attempt.attempt,
  at: toRfc3339(attempt.at),
  duration_ms: attempt.durationMs ?? null,
  request:
    attempt.signature === undefined
      ? null
      : { url: attempt.url, headers: headersOf(delivery.event, attempt.at, attempt.signature), body },
  response: attempt.response ?? null,
  error: attempt.error ?? null,
});
