import { minuteMs } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { base64url, Problem, parseTilePath, tileWidth } from "@remit/protocol";
import {
  AuditConsistency,
  AuditConsistencyQuery,
  AuditInclusion,
  AuditProofQuery,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import type { AuditDeps } from "./audit.ts";
import { consistencyOf, inclusionOf, newestCheckpoint, tileOf } from "./proofs.ts";

const needs = { scope: "audit:read", bearer: true } as const;
const often = { count: 1200, windowMs: minuteMs, by: "tenant" } as const;
const proven = { count: 300, windowMs: minuteMs, by: "tenant" } as const;

/** The tree over the tenant's log, as C2SP tlog-tiles serves one, and the proofs that can be made from it. */
export const treeRoutes = (deps: AuditDeps): Route[] => [
  checkpointRoute(deps),
  ...[1, 2, 3, 4].map((depth) => tileRoute(deps, depth)),
  consistencyRoute(deps),
  inclusionRoute(deps),
];

const Note = z.string().meta({ description: "A signed note: origin, tree size and root hash" });

const checkpointRoute = (deps: AuditDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/checkpoint",
    summary: "The newest signed checkpoint of the tenant's log, as a signed note (C2SP tlog-checkpoint)",
    needs,
    limit: often,
    answers: { 200: Note, 404: "audit_checkpoint_not_found" },
    types: ["text/plain"],
    handle: async ({ caller }) => {
      const { note } = await newestCheckpoint(deps, caller.tenant);
      const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
      return { status: 200, headers, body: note };
    },
  });

const Hashes = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array)
  .meta({ contentMediaType: "application/octet-stream", description: "Up to 256 hashes of 32 bytes" });
const Part = z.string().max(8);
const parts = ["a", "b", "c", "d"] as const;
const TilePath = z.strictObject({
  level: Part,
  a: Part,
  b: Part.optional(),
  c: Part.optional(),
  d: Part.optional(),
});

/** `N` in groups of three digits and `.p/<W>` are one to four parts of the path. */
function tileRoute(deps: AuditDeps, depth: number): Route {
  const names = parts.slice(0, depth);
  return route({
    method: "GET",
    path: `/api/v1/audit/tile/:level/${names.map((name) => `:${name}`).join("/")}`,
    summary: "A tile of the tree over the tenant's log (C2SP tlog-tiles): <L>/<N>[.p/<W>]",
    needs,
    limit: often,
    params: TilePath,
    answers: { 200: Hashes, 404: "audit_tile_not_found", 409: "audit_log_broken" },
    types: ["application/octet-stream"],
    handle: async ({ caller }, { params }) => {
      const tile = parseTilePath(params.level, names.map((name) => params[name]).join("/"));
      const hashes = tile && (await tileOf(deps, caller.tenant, tile));
      if (tile === undefined || hashes === undefined) throw new Problem("audit_tile_not_found");
      // A partial tile is part of a full one later on, and never another.
      const lifeS = tile.width === tileWidth ? 31_536_000 : 3600;
      const headers = {
        "content-type": "application/octet-stream",
        "cache-control": `private, max-age=${lifeS}, immutable`,
      };
      return { status: 200, headers, body: hashes };
    },
  });
}

const consistencyRoute = (deps: AuditDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/consistency",
    summary: "Proves that the tenant's log began with all that it had at a smaller size (RFC 6962)",
    needs,
    limit: proven,
    query: AuditConsistencyQuery,
    answers: {
      200: AuditConsistency,
      400: "invalid_request",
      404: "audit_checkpoint_not_found",
      409: "audit_log_broken",
    },
    handle: async ({ caller }, { query: { first, second } }) => {
      const found = await consistencyOf(deps, caller.tenant, { first, second });
      const { firstRoot, secondRoot, hashes, ...rest } = found;
      const roots = { firstRootHash: text(firstRoot), secondRootHash: text(secondRoot) };
      return { status: 200, body: { ...rest, ...roots, hashes: hashes.map(text) } };
    },
  });

const inclusionRoute = (deps: AuditDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/audit/:eventId/proof",
    summary: "Proves that an entry stands in the tenant's log (RFC 6962)",
    needs,
    limit: proven,
    params: z.strictObject({ eventId: idOf("event") }),
    query: AuditProofQuery,
    answers: {
      200: AuditInclusion,
      400: "invalid_request",
      404: ["audit_event_not_found", "audit_checkpoint_not_found"],
      409: "audit_log_broken",
    },
    handle: async ({ caller }, { params: { eventId }, query: { size } }) => {
      const found = await inclusionOf(deps, caller.tenant, { event: eventId, size });
      if (found === undefined) throw new Problem("audit_event_not_found");
      const { index, leaf, root, hashes, checkpoint } = found;
      const tree = { treeSize: found.size, rootHash: text(root), hashes: hashes.map(text) };
      return { status: 200, body: { eventId, leafIndex: index, leaf: text(leaf), ...tree, checkpoint } };
    },
  });

const text = (hash: Uint8Array): string => base64url.encode(hash);
