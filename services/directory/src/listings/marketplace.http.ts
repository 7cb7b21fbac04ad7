import { minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { type Call, nothing, onlyOperator, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import type { JsonObject } from "@remit/protocol";
import {
  idOf,
  ListingModeration,
  MarketplaceAgent,
  MarketplacePage,
  MarketplaceQuery,
  ModerateListing,
} from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import { z } from "zod";
import {
  countListings,
  type Filter,
  facetsOf,
  type Listing,
  listingOf,
  listingsOf,
  type Moderation,
  moderate,
  moderationOf,
} from "./listings.ts";

type Deps = { readonly db: Database; readonly cursors: Cursors };

const AgentPath = z.strictObject({ id: idOf("agent") });
const limit = { count: 300, windowMs: minuteMs, by: "ip" } as const;

/** The marketplace: public agents for everybody, and the operator's word on each. */
export const marketplaceRoutes = (deps: Deps): Route[] => [
  listRoute(deps),
  readRoute(deps),
  moderationRoute(deps),
  moderateRoute(deps),
];

const listRoute = ({ db, cursors }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/marketplace/agents",
    summary: "Public agents, newest first, by words and by what they are",
    needs: "public",
    query: MarketplaceQuery,
    answers: { 200: MarketplacePage, 304: nothing, 400: "cursor_invalid" },
    limit,
    handle: async (call, { query: { limit: most, cursor, page, facets, ...filter } }) => {
      const bound = boundTo(filter);
      const before = cursor === undefined ? undefined : parseId("agent", cursors.read(bound, cursor));
      const offset = page === undefined ? 0 : (page - 1) * most;
      const found = await listingsOf(db, filter, { limit: most + 1, before, offset });
      const shown = found.slice(0, most);
      const last = found.length > most ? shown.at(-1) : undefined;
      return revalidated(call, {
        data: shown.map(bodyOf),
        nextCursor: last === undefined ? null : cursors.make(bound, last.id),
        limit: most,
        ...(page === undefined ? {} : { page, total: await countListings(db, filter) }),
        ...(facets ? { facets: await facetsOf(db, filter) } : {}),
      });
    },
  });

/** A cursor is good for the filter that it was given for (V07). */
const boundTo = (filter: Filter): JsonObject => ({
  list: "marketplace",
  ...Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)),
});

const readRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/marketplace/agents/:id",
    summary: "One public agent, with its DID document and its card",
    needs: "public",
    params: AgentPath,
    answers: { 200: MarketplaceAgent, 304: nothing, 404: "not_found" },
    limit,
    handle: async (call, { params }) => revalidated(call, bodyOf(await listingOf(db, params.id))),
  });

/** What was withdrawn must be gone from caches too: a copy is asked about each time, and cheaply (RFC 9111 §5.2.2.4). */
function revalidated<B>(call: Call, body: B) {
  const etag = `"${sha256b64url(JSON.stringify(body)).slice(0, 22)}"`;
  const headers = { etag, "cache-control": "public, no-cache", "access-control-allow-origin": "*" };
  const known = call.header("if-none-match")?.split(",") ?? [];
  if (known.some((one) => one.trim().replace(/^W\//, "") === etag)) return { status: 304 as const, headers };
  return { status: 200 as const, headers, body };
}

const operates = { scope: "admin:orgs" } as const;
const path = "/api/v1/marketplace/agents/:id/moderation";

const moderationRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path,
    summary: "Whether the operator hides an agent's listing, and why",
    needs: operates,
    params: AgentPath,
    answers: { 200: ListingModeration, 403: "forbidden", 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      onlyOperator(caller);
      return { status: 200, body: moderationBody(await moderationOf(db, params.id)) };
    },
  });

const moderateRoute = ({ db }: Deps): Route =>
  route({
    method: "PUT",
    path,
    summary: "Hide an agent's listing, whatever its publisher does, or show it again",
    needs: operates,
    params: AgentPath,
    body: ModerateListing,
    answers: { 200: ListingModeration, 400: "invalid_request", 403: "forbidden", 404: "not_found" },
    handle: async ({ caller, now }, { params, body }) => {
      onlyOperator(caller);
      const by = { type: "client", id: caller.client } as const;
      return { status: 200, body: moderationBody(await moderate(db, params.id, { ...body, by, now })) };
    },
  });

const moderationBody = ({ id, hidden }: Moderation): z.input<typeof ListingModeration> => ({
  agentId: id,
  hidden: hidden !== undefined,
  reason: hidden?.reason ?? null,
  since: hidden === undefined ? null : toRfc3339(hidden.at),
});

const bodyOf = (listing: Listing): z.input<typeof MarketplaceAgent> => ({
  agentId: listing.id,
  name: listing.name,
  agentType: listing.agentType,
  version: listing.version,
  capabilities: [...listing.capabilities],
  deploymentEnv: listing.deploymentEnv,
  provider: listing.provider,
  did: listing.did,
  didDocument: listing.didDocument,
  card: listing.card,
  publishedAt: toRfc3339(listing.publishedAt),
  updatedAt: toRfc3339(listing.updatedAt),
});
