import { fromRfc3339, type Instant, instantOf, minuteMs } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { Problem, type RemitEvent } from "@remit/protocol";
import { AuditPage, AuditVerification, EventBatch } from "@remit/protocol/contracts";
import { z } from "zod";
import { type AuditDeps, readEntries, sequence } from "./audit.ts";
import { reportedBy } from "./reporting.ts";
import { verifyLog } from "./verify.ts";

const pageDefault = 100;
const pageMax = 1000;

const Page = z.strictObject({
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,15}$/)
    .optional(),
  /** Only entries about this object. */
  subject: z.string().max(255).optional(),
  limit: z.coerce.number().int().min(1).max(pageMax).default(pageDefault),
});

/** Takes in an event of a peer; record is idempotent by the event's id. */
export type TakeEvent = (event: RemitEvent) => Promise<void>;

export const auditRoutes = (deps: AuditDeps, take: TakeEvent): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/audit",
    summary: "The tenant's audit log, oldest first; the cursor is the last place seen",
    needs: { scope: "audit:read", bearer: true },
    query: Page,
    answers: { 200: AuditPage },
    handle: async ({ caller }, { query }) => {
      const data = await readEntries(deps.db, caller.tenant, {
        after: Number(query.cursor ?? 0),
        subject: query.subject,
        limit: query.limit,
      });
      const last = data.length === query.limit ? data.at(-1) : undefined;
      return {
        status: 200,
        body: { data: data.map(mutable), next_cursor: last === undefined ? null : String(last.seq) },
      };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/audit/verify",
    summary: "Recomputes the tenant's whole log and holds it against its signed checkpoints",
    needs: { scope: "audit:read", bearer: true },
    answers: { 200: AuditVerification },
    limit: { count: 30, windowMs: minuteMs, by: "tenant" },
    handle: async ({ caller }) => {
      await sequence(deps, caller.tenant);
      const verdict = await verifyLog(deps, caller.tenant);
      const { brokenAt } = verdict;
      const why = brokenAt === undefined ? {} : { broken_at_seq: brokenAt.seq, reason: brokenAt.reason };
      const { verified, checkedCount, headSeq, checkpoint = null } = verdict;
      return {
        status: 200,
        body: { verified, checked_count: checkedCount, head_seq: headSeq, checkpoint, ...why },
      };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/events",
    summary: "Events of a peer service, for the logs of the tenants they belong to",
    needs: { scope: "events:write" },
    body: EventBatch,
    bodyBytesMax: 1024 * 1024,
    answers: { 204: nothing },
    handle: async ({ caller }, { body }) => {
      const events = body.events.map(({ at, ...event }) =>
        reportedBy(caller.client, { ...event, at: instant(at) }),
      );
      for (const event of events) await take(event);
      return { status: 204 };
    },
  }),
];

const mutable = <T extends { readonly actor: object }>(entry: T): T & { actor: T["actor"] } => ({ ...entry });

function instant(text: string): Instant {
  const at = fromRfc3339(text);
  if (at === undefined) throw new Problem("invalid_request", { detail: "at is no RFC 3339 time" });
  return instantOf(at);
}
