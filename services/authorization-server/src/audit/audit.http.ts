import { fromRfc3339, type Instant, instantOf, minuteMs } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { base64url, Problem, type RemitEvent } from "@remit/protocol";
import {
  AuditEventBody,
  AuditPage,
  AuditQuery,
  AuditRange,
  AuditRangePlaces,
  AuditVerification,
  EventBatch,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { type AuditDeps, headOf, sequence } from "./audit.ts";
import { actionOf, agentOf, filterOf, outcomeOf, rangeOf } from "./filter.ts";
import { removalsRoute } from "./removals.http.ts";
import { reportedBy } from "./reporting.ts";
import { countMax, entryById, searchOnward, searchPage } from "./search.ts";
import { treeRoutes } from "./tree.http.ts";
import { type AuditVerdict, placesOf, type VerifyLog } from "./verify.ts";

const needs = { scope: "audit:read", bearer: true } as const;
const searched = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const EventPath = z.strictObject({ eventId: idOf("event") });

/** Takes in an event of a peer; record is idempotent by the event's id. */
export type TakeEvent = (event: RemitEvent) => Promise<void>;

type Deps = AuditDeps & { readonly verify: VerifyLog; readonly removes: boolean };

export const auditRoutes = (deps: Deps, take: TakeEvent): Route[] => [
  listRoute(deps),
  verifyRoute(deps),
  rangeRoute(deps),
  readRoute(deps),
  ...treeRoutes(deps),
  removalsRoute(deps, deps.removes),
  eventsRoute(take),
];

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit",
    summary: "The tenant's audit log: oldest first with a cursor, newest first with a page",
    needs,
    limit: { count: 600, windowMs: minuteMs, by: "tenant" },
    query: AuditQuery,
    answers: { 200: AuditPage, 400: ["invalid_request", "invalid_date_range"] },
    handle: async ({ caller }, { query: { cursor, page, limit, ...asked } }) => {
      const filter = filterOf(asked);
      if (page === undefined) {
        const sought = { filter, after: Number(cursor ?? 0), limit };
        const { entries, gaps, next } = await searchOnward(deps, caller.tenant, sought);
        const next_cursor = next === undefined ? null : String(next);
        return { status: 200, body: { data: entries.map(mutable), gaps, next_cursor } };
      }
      if (page * limit > countMax)
        throw new Problem("invalid_request", { detail: "page: beyond 10,000 entries only a cursor leads" });
      const { entries, gaps, total } = await searchPage(deps, caller.tenant, { filter, page, limit });
      const counted = { page, limit, total };
      return { status: 200, body: { data: entries.map(mutable), gaps, next_cursor: null, ...counted } };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/:eventId",
    summary: "One entry, with its leaf and the first signed checkpoint over it",
    needs,
    params: EventPath,
    answers: {
      200: AuditEventBody,
      404: "audit_event_not_found",
      409: "audit_log_broken",
      410: "audit_event_removed",
    },
    handle: async ({ caller }, { params }) => {
      const found = await entryById(deps, caller.tenant, params.eventId);
      if (found === undefined) throw new Problem("audit_event_not_found");
      const { entry, leaf, checkpoint = null } = found;
      const body = {
        eventId: entry.id,
        timestamp: entry.ts,
        action: actionOf(entry.event),
        outcome: outcomeOf(entry.event),
        agentId: agentOf(entry) ?? null,
        organizationId: entry.tenant_id,
      };
      return { status: 200, body: { ...body, entry: mutable(entry), leaf, checkpoint } };
    },
  });

const verifyRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/verify",
    summary:
      "Recomputes the tenant's log, or what of it lies in a time, and holds it against its signed checkpoints",
    needs,
    query: AuditRange,
    answers: { 200: AuditVerification, 400: "invalid_date_range" },
    limit: { count: 30, windowMs: minuteMs, by: "tenant" },
    handle: async ({ caller }, { query }) => {
      const range = rangeOf(query);
      await sequence(deps, caller.tenant);
      return { status: 200, body: { ...verdictOf(await deps.verify(caller.tenant, range)), ...query } };
    },
  });

const verdictOf = ({
  brokenAt,
  verified,
  checkedCount,
  headSeq,
  checkpoint,
}: AuditVerdict): AuditVerification => ({
  verified,
  checkedCount,
  brokenAtEventId: brokenAt?.eventId ?? null,
  headSeq,
  checkpoint: checkpoint ?? null,
  ...(brokenAt === undefined ? {} : { brokenAtSeq: brokenAt.seq, reason: brokenAt.reason }),
});

const rangeRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/range",
    summary:
      "Between which signed checkpoints a time lies, for whoever verifies it from the entries themselves",
    needs,
    limit: searched,
    query: AuditRange,
    answers: { 200: AuditRangePlaces, 400: "invalid_date_range", 409: "audit_log_broken" },
    handle: async ({ caller }, { query }) => {
      await sequence(deps, caller.tenant);
      const span = await placesOf(deps, caller.tenant, rangeOf(query));
      return {
        status: 200,
        body: {
          after_seq: span.start?.says.head_seq ?? 0,
          to_seq: span.end?.says.head_seq ?? (await headOf(deps, caller.tenant)),
          starts_at: span.start?.jws ?? null,
          ends_at: span.end?.jws ?? null,
          starts_with: span.edge?.map((hash) => base64url.encode(hash)) ?? null,
        },
      };
    },
  });

const eventsRoute = (take: TakeEvent): Route =>
  route({
    method: "POST",
    path: "/api/v1/events",
    summary: "Events of a peer service, for the logs of the tenants they belong to",
    needs: { scope: "events:write" },
    body: EventBatch,
    bodyBytesMax: 1024 * 1024,
    answers: { 204: nothing, 403: "client_not_allowed" },
    handle: async ({ caller }, { body }) => {
      const events = body.events.map(({ at, ...event }) =>
        reportedBy(caller.client, { ...event, at: instant(at) }),
      );
      for (const event of events) await take(event);
      return { status: 204 };
    },
  });

const mutable = <T extends { readonly actor: object }>(entry: T): T & { actor: T["actor"] } => ({ ...entry });

function instant(text: string): Instant {
  const at = fromRfc3339(text);
  if (at === undefined) throw new Problem("invalid_request", { detail: "at is no RFC 3339 time" });
  return instantOf(at);
}
