import { type Id, minuteMs, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { nothing, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import {
  CreateOffer,
  Cursor,
  DrainOffer,
  idOf,
  OfferBody,
  OfferName,
  OfferPage,
  OfferSales,
  ReplaceOffer,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { bodyOf } from "./offer-body.ts";
import {
  createOffer,
  drainOffer,
  type OfferDeps,
  offersOf,
  readOffer,
  removeOffer,
  replaceOffer,
} from "./offers.ts";
import { salesOfOffer } from "./sales.ts";
import type { Traffic } from "./traffic.ts";

type Deps = OfferDeps & { readonly cursors: Cursors; readonly traffic: Traffic };

const OfferPath = z.strictObject({ id: idOf("offer") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: Cursor.optional(),
  name: OfferName.optional(),
});
const reading = { scope: ["offers:read", "offers:write"], bearer: true } as const;
const writing = { scope: "offers:write" } as const;
const limit = { count: 300, windowMs: minuteMs, by: "tenant" } as const;
// A route table of two hundred lines.
const bodyBytesMax = 512 * 1024;

/** What an organization has for sale. */
export const offerRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  replaceRoute(deps),
  drainRoute(deps),
  removeRoute(deps),
  salesRoute(deps),
];

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/offers",
    summary: "Put an upstream up for sale; live here with the answer, and on every replica within a second",
    needs: writing,
    limit,
    bodyBytesMax,
    idempotency: "required",
    body: CreateOffer,
    answers: {
      201: OfferBody,
      400: "invalid_request",
      404: "not_found",
      409: ["offer_conflict", "offer_exists", "offer_limit_reached", "idempotency_in_flight"],
      422: ["offer_refused", "idempotency_conflict"],
      503: "unavailable",
    },
    handle: async ({ caller, idempotencyKey: key, bodyDigest }, { body: input }) => {
      const { tenant, client } = caller;
      const request = { client, route: "POST /api/v1/offers", key, bodyDigest };
      const { answer, replayed } = await idempotent<{ id: Id<"offer"> }>(
        deps.db.of(tenant),
        request,
        async (keep) => {
          const kept = { input, source: "api" as const, kept: keep };
          const { id } = await createOffer(deps, tenant, kept);
          return { id };
        },
      );
      const row = await readOffer(deps, tenant, answer.id);
      const headers: Record<string, string> = replayed ? { "Idempotent-Replayed": "true" } : {};
      return { status: 201, body: bodyOf(deps, row), headers };
    },
  });

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/offers",
    summary: "The organization's offers, newest first",
    needs: reading,
    query: Page,
    answers: { 200: OfferPage, 400: "cursor_invalid" },
    handle: async ({ caller }, { query: { limit: length, cursor, name } }) => {
      const filter = { tenant: caller.tenant, ...(name !== undefined && { name }) };
      const before = cursor === undefined ? "" : deps.cursors.read(filter, cursor);
      const found = await offersOf(deps, caller.tenant, { before, limit: length + 1, name });
      const page = found.slice(0, length);
      const last = found.length > length ? page.at(-1) : undefined;
      return {
        status: 200,
        body: {
          data: page.map((row) => bodyOf(deps, row)),
          next_cursor: last === undefined ? null : deps.cursors.make(filter, last.id),
        },
      };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/offers/:id",
    summary: "One offer, with each route that it makes and what stands in its way",
    needs: reading,
    params: OfferPath,
    answers: { 200: OfferBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => ({
      status: 200,
      body: bodyOf(deps, await readOffer(deps, caller.tenant, params.id)),
    }),
  });

const replaceRoute = (deps: Deps): Route =>
  route({
    method: "PUT",
    path: "/api/v1/offers/:id",
    summary: "Sell something else under this name; whole or not at all",
    needs: writing,
    limit,
    bodyBytesMax,
    params: OfferPath,
    body: ReplaceOffer,
    answers: {
      200: OfferBody,
      400: "invalid_request",
      404: "not_found",
      409: "offer_conflict",
      422: "offer_refused",
    },
    handle: async ({ caller }, { params, body }) => ({
      status: 200,
      body: bodyOf(deps, await replaceOffer(deps, caller.tenant, { id: params.id, spec: body })),
    }),
  });

const drainRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/offers/:id/drain",
    summary: "Stop selling it when its grace has passed; what is under way is finished",
    needs: writing,
    criticality: "critical",
    limit,
    params: OfferPath,
    body: DrainOffer,
    answers: { 200: OfferBody, 400: "invalid_request", 404: "not_found" },
    handle: async ({ caller }, { params, body }) => ({
      status: 200,
      body: bodyOf(deps, await drainOffer(deps, caller.tenant, { id: params.id, graceS: body.grace_s })),
    }),
  });

const removeRoute = (deps: Deps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/offers/:id",
    summary: "Take an offer off at once",
    needs: writing,
    criticality: "critical",
    limit,
    params: OfferPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      await removeOffer(deps, caller.tenant, params.id);
      return { status: 204 };
    },
  });

const salesRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/offers/:id/sales",
    summary: "How often it was asked for, and what was paid",
    needs: reading,
    params: OfferPath,
    answers: { 200: OfferSales, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const { since } = deps.traffic;
      const sales = await salesOfOffer(deps, caller.tenant, params.id);
      return {
        status: 200,
        body: { ...sales, requests: { since: toRfc3339(since), ...sales.requests } },
      };
    },
  });
