import { toRfc3339 } from "@remit/kernel";
import { onlyOperator, type Route, route } from "@remit/platform/http";
import {
  idOf,
  ReconciliationCase,
  ReconciliationCases,
  ReconciliationQuery,
  ResolveCase,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { type Case, casesOf, type ReconciliationDeps, resolveCase } from "./reconciliation.ts";

/** Where our books and Stripe's differ; for the operator alone. */
export const reconciliationRoutes = (deps: ReconciliationDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/reconciliation-cases",
    summary:
      "Where our books and Stripe's differ, newest first; all, or those that are open; for the operator.",
    needs: { scope: "billing:read" },
    query: ReconciliationQuery,
    answers: { 200: ReconciliationCases, 403: "forbidden" },
    handle: async ({ caller }, { query: { state, limit, cursor } }) => {
      onlyOperator(caller);
      const open = state === undefined ? undefined : state === "open";
      const found = await casesOf(deps.db, { limit: limit + 1, before: cursor, open });
      const data = found.slice(0, limit).map(bodyOf);
      const next = found.length > limit ? (data.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data, next_cursor: next } };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/reconciliation-cases/:id/resolution",
    summary: "Says what a difference was; for the operator.",
    needs: { scope: "billing:write" },
    params: z.strictObject({ id: idOf("case") }),
    body: ResolveCase,
    answers: { 200: ReconciliationCase, 403: "forbidden", 404: "not_found" },
    handle: async ({ caller }, { params, body }) => {
      onlyOperator(caller);
      const type = caller.actor.type === "account" ? "account" : "client";
      const actor = { type, id: caller.actor.id } as const;
      return { status: 200, body: bodyOf(await resolveCase(deps, params.id, { note: body.note, actor })) };
    },
  }),
];

const textOf = (units: bigint | null): string | null => (units === null ? null : String(units));

const bodyOf = (found: Case): z.input<typeof ReconciliationCase> => ({
  id: found.id,
  kind: found.kind,
  object: found.object,
  asset: found.asset,
  ours: textOf(found.ours),
  theirs: textOf(found.theirs),
  opened_at: toRfc3339(found.openedAt),
  resolved_at: found.resolvedAt === null ? null : toRfc3339(found.resolvedAt),
  note: found.note,
});
