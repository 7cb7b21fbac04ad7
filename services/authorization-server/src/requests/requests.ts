import type { Id, Instant } from "@remit/kernel";
import type { Followable, Followed, Outcome } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { followTrail, type Trail } from "@remit/platform/trail";
import { type AuditHead, entriesNamed } from "../audit/index.ts";
import * as rows from "./requests.sql.ts";

/** The requests of each organization, for its own people to look at (docs/decisions/0100). */
export type RequestLog = {
  /** Goes along with a request; writes nothing while it is answered. */
  readonly follow: (request: Followable) => Followed;
  /** Writes what waits. */
  readonly flush: () => Promise<void>;
};

export type RequestLogDeps = {
  readonly db: Database;
  readonly log: Log;
  /** Told of requests that could not be kept. */
  readonly lost: (count: number) => void;
};

const waitingMax = 10_000;
const atOnce = 500;
/** How many of an organization are kept; those beyond go once so many more have been written by a process. */
export const keptMax = 100_000;
const trimmedAfter = 2_000;

/** The client by which people act in the portal. */
const portal = "wallet";

type Waiting = { readonly tenant: Id<"tenant">; readonly row: rows.RequestRow };

export function createRequestLog({ db, log, lost }: RequestLogDeps): RequestLog {
  let waiting: Waiting[] = [];
  /** Rows written since an organization's were last trimmed. */
  const written = new Map<Id<"tenant">, number>();
  const write = async (tenant: Id<"tenant">, found: readonly rows.RequestRow[]): Promise<void> => {
    try {
      for (let at = 0; at < found.length; at += atOnce)
        await db.of(tenant).transaction((tx) => rows.insertRequests(tx, found.slice(at, at + atOnce)));
      const more = (written.get(tenant) ?? 0) + found.length;
      written.set(tenant, more < trimmedAfter ? more : 0);
      if (more >= trimmedAfter) await db.of(tenant).transaction((tx) => rows.trim(tx, keptMax));
    } catch (error) {
      lost(found.length);
      log.warn({ error, tenant, count: found.length }, "requests were not kept in their log");
    }
  };
  return {
    follow: (request) => {
      const trail: Trail = { events: [], made: [], open: true };
      return {
        run: (work) => followTrail(trail, work),
        answered(outcome) {
          trail.open = false;
          if (!isKept(request, outcome)) return;
          if (waiting.length >= waitingMax) return lost(1);
          waiting.push({ tenant: request.caller.tenant, row: rowOf(request, outcome, trail) });
        },
      };
    },
    flush: async () => {
      const taken = waiting;
      waiting = [];
      for (const [tenant, found] of Map.groupBy(taken, ({ tenant: of }) => of))
        await write(
          tenant,
          found.map(({ row }) => row),
        );
    },
  };
}

/** What somebody looked at in the portal is no news, and every page of it reads a little of everything. */
const isKept = ({ caller, method }: Followable, { status }: Outcome): boolean =>
  caller.client !== portal || method !== "GET" || status >= 400;

const rowOf = (
  { requestId, at, caller, method, route, path }: Followable,
  { status, seconds, problem }: Outcome,
  { events, made }: Trail,
): rows.RequestRow => ({
  id: requestId,
  at,
  client: caller.client,
  actor_type: caller.actor.type,
  actor: caller.actor.id,
  method,
  route,
  path: shownPath(route, path),
  status,
  problem: problem ?? null,
  latency_us: Math.min(Math.round(seconds * 1e6), 2 ** 31 - 1),
  events,
  made,
});

const anyId = /^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** With the ids that it names. Whatever else stands in their place may be a secret: its name stands there instead. */
function shownPath(route: string, path: string): string {
  const sent = path.split("/");
  return route
    .split("/")
    .map((part, at) => (part.startsWith(":") && anyId.test(sent[at] ?? "") ? (sent[at] ?? "") : part))
    .join("/");
}

/** When each of these clients last called. */
export const lastUsesOf = rows.lastUses;

export type Found = { readonly request: rows.FoundRow; readonly entries: readonly AuditHead[] };

/** One request with what it recorded in the tenant's log. */
export async function requestById(tx: TenantTx, id: Id<"request">): Promise<Found | undefined> {
  const request = await rows.findRequest(tx, id);
  if (request === undefined) return undefined;
  const entries = await entriesNamed(tx, { ids: request.events, registered: request.made });
  return { request, entries };
}

export type RequestFilter = {
  readonly before: Id<"request"> | undefined;
  readonly limit: number;
  /** From and to, both inclusive. */
  readonly status: readonly [number, number] | undefined;
  readonly actor: string | undefined;
  readonly problem: string | undefined;
  readonly method: string | undefined;
  readonly via: "api" | "portal" | undefined;
  readonly from: Instant | undefined;
  readonly until: Instant | undefined;
};

/** Newest first. */
export const requestsOf = (tx: TenantTx, filter: RequestFilter): Promise<rows.FoundRow[]> =>
  rows.listRequests(tx, { ...filter, portal });
