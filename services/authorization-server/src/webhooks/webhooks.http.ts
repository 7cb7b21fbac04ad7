import { type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import {
  ChangeWebhook,
  CreateWebhook,
  idOf,
  RotateWebhookSecret,
  WebhookBody,
  WebhookPage,
  WebhookWithSecret,
} from "@remit/protocol/contracts";
import { z } from "zod";
import type { WebhookSecrets } from "./secrets.ts";
import {
  type By,
  changeWebhook,
  createWebhook,
  removeWebhook,
  rotateSecret,
  type Webhook,
  webhookById,
  webhooksOf,
} from "./webhooks.ts";

type Deps = {
  readonly db: Database;
  readonly secrets: WebhookSecrets;
  readonly outbound: Pick<Outbound, "check">;
};

const WebhookPath = z.strictObject({ id: idOf("webhook") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("webhook").optional(),
});
const reading = { scope: ["webhooks:read", "webhooks:write"], bearer: true } as const;
const writing = { scope: "webhooks:write", bearer: true } as const;
const limit = { count: 300, windowMs: minuteMs, by: "tenant" } as const;

/** Where a tenant says where it wants to be told of what. */
export const webhookRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
  rotateRoute(deps),
];

/** Who asks, for the log. */
export const byOf = (call: { readonly caller: Caller; readonly now: Instant }): By => ({
  actor:
    call.caller.actor.type === "agent" ? { type: "agent", id: call.caller.client } : actorOf(call.caller),
  now: call.now,
});

const createRoute = ({ db, secrets, outbound }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/webhooks",
    summary:
      "Be told of the organization's events, at least once and in no promised order; shows the secret once",
    needs: writing,
    limit,
    body: CreateWebhook,
    answers: {
      201: WebhookWithSecret,
      400: ["invalid_request", "outbound_refused"],
      409: "webhook_limit_reached",
    },
    handle: async (call, { body }) => {
      await outbound.check(body.url);
      const work = db.of(call.caller.tenant);
      const made = await work.transaction((tx) => createWebhook(secrets, tx, { ...body, ...byOf(call) }));
      return { status: 201, body: { ...bodyOf(made.webhook), signingSecret: made.secret } };
    },
  });

const listRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/webhooks",
    summary: "The organization's webhooks, newest first",
    needs: reading,
    query: Page,
    answers: { 200: WebhookPage },
    handle: async (call, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor };
      const found = await db.of(call.caller.tenant).transaction((tx) => webhooksOf(tx, page));
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? shown.at(-1)?.id : undefined;
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor: next ?? null } };
    },
  });

const readRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/webhooks/:id",
    summary: "One webhook",
    needs: reading,
    params: WebhookPath,
    answers: { 200: WebhookBody, 404: "not_found" },
    handle: async (call, { params }) => {
      const webhook = await db.of(call.caller.tenant).transaction((tx) => webhookById(tx, params.id));
      return { status: 200, body: bodyOf(webhook) };
    },
  });

const changeRoute = ({ db, outbound }: Deps): Route =>
  route({
    method: "PATCH",
    path: "/api/v1/webhooks/:id",
    summary: "Rename a webhook, move it, choose other events, turn it off or on",
    needs: writing,
    limit,
    params: WebhookPath,
    body: ChangeWebhook,
    answers: { 200: WebhookBody, 400: ["invalid_request", "outbound_refused"], 404: "not_found" },
    handle: async (call, { params, body }) => {
      if (body.url !== undefined) await outbound.check(body.url);
      const work = db.of(call.caller.tenant);
      const change = { ...body, ...byOf(call) };
      const webhook = await work.transaction((tx) => changeWebhook(tx, params.id, change));
      return { status: 200, body: bodyOf(webhook) };
    },
  });

const removeRoute = ({ db }: Deps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/webhooks/:id",
    summary: "Remove a webhook; what waits for it is not sent",
    needs: writing,
    limit,
    params: WebhookPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      await db.of(call.caller.tenant).transaction((tx) => removeWebhook(tx, params.id, byOf(call)));
      return { status: 204 };
    },
  });

const rotateRoute = ({ db, secrets }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/webhooks/:id/rotate-secret",
    summary: "Make a new secret; the former one signs as well for a while",
    needs: writing,
    limit,
    params: WebhookPath,
    body: RotateWebhookSecret,
    answers: { 200: WebhookWithSecret, 404: "not_found" },
    handle: async (call, { params, body }) => {
      const rotation = { id: params.id, overlapHours: body.overlap_hours, ...byOf(call) };
      const work = db.of(call.caller.tenant);
      const { webhook, secret } = await work.transaction((tx) => rotateSecret(secrets, tx, rotation));
      return { status: 200, body: { ...bodyOf(webhook), signingSecret: secret } };
    },
  });

const timeOf = (at: Instant | undefined): string | null => (at === undefined ? null : toRfc3339(at));

const bodyOf = (webhook: Webhook): z.input<typeof WebhookBody> => ({
  id: webhook.id,
  organization_id: webhook.tenant,
  name: webhook.name,
  url: webhook.url,
  events: [...webhook.events],
  active: webhook.active,
  failure_count: webhook.failureCount,
  failing_since: timeOf(webhook.failingSince),
  disabled_at: timeOf(webhook.disabled?.at),
  disabled_because: webhook.disabled?.because ?? null,
  former_secret_until: timeOf(webhook.formerUntil),
  created_at: toRfc3339(webhook.createdAt),
  updated_at: toRfc3339(webhook.updatedAt),
});
