import { type Id, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import { Problem } from "@remit/protocol";
import {
  CloseExport,
  ExportMandate,
  ExportUseList,
  idOf,
  MandateExport,
  MandateExportList,
  TellExportUse,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { actorOf, type Mandates } from "../mandates/index.ts";
import { type ExportsDeps, exportMandate, listExports, type Made, tenantOf } from "./exports.operations.ts";
import type { Export } from "./exports.ts";
import { closeExport, listUses, revokeExport, type ToldUse, tellUse, type UsesDeps } from "./uses.ts";

const OfMandate = z.strictObject({ id: idOf("mandate") });
const OfExport = z.strictObject({ id: idOf("charge") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("charge").optional(),
});

const Uses = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(256).optional(),
});

type Deps = ExportsDeps & UsesDeps & { readonly mandates: Pick<Mandates, "tenantOf" | "find"> };
type Body = z.input<typeof MandateExport>;
const path = "/api/v1/mandates/:id/exports";

/** Mandates in the words of other protocols, and what is told of them by who keeps them there. */
export const exportRoutes = (deps: Deps): Route[] => [
  makeRoute(deps),
  listRoute(deps),
  revokeRoute(deps),
  useRoute(deps),
  usesRoute(deps),
  closeRoute(deps),
];

const isPrincipals = ({ scopes }: Caller): boolean => scopes.has("wallet:write");

const makeRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path,
    summary: "Take as much of a mandate as is to be spent where nobody asks Remit; all of it is held",
    needs: { scope: ["wallet:write", "oid4ac:payment"] },
    params: OfMandate,
    body: ExportMandate,
    idempotency: "required",
    answers: {
      201: MandateExport,
      400: "invalid_request",
      402: [
        "charge_offer_amount_exceeds_mandate",
        "mandate_cap_exceeded",
        "mandate_uses_exhausted",
        "mandate_velocity_exceeded",
      ],
      403: [
        "agent_suspended",
        "approval_required",
        "client_not_allowed",
        "mandate_asset_not_accepted",
        "mandate_expired",
        "mandate_holder_mismatch",
        "mandate_not_admitted",
        "mandate_rail_not_allowed",
        "mandate_revoked",
        "mandate_suspended",
        "rule_merchant_blocked",
      ],
      404: "not_found",
    },
    handle: async (call, { params: { id }, body }) => {
      const { caller, idempotencyKey: key, bodyDigest } = call;
      const tenant = isPrincipals(caller) ? caller.tenant : await deps.mandates.tenantOf(id);
      if (tenant === undefined) throw new Problem("not_found", { detail: "There is no such mandate." });
      const agent = isPrincipals(caller) ? undefined : caller.client;
      const request = {
        client: caller.client,
        route: `POST /api/v1/mandates/${id}/exports`,
        key,
        bodyDigest,
      };
      const { answer, replayed } = await idempotent<Body>(deps.db.of(tenant), request, async (keep) => {
        const exporting = { mandate: id, agent, asked: body, actor: actorOf(caller) };
        const made = await exportMandate(deps, tenant, {
          ...exporting,
          keep: (tx, one) => keep(tx, madeBody(one)),
        });
        return madeBody(made);
      });
      const headers = { "cache-control": "no-store", ...(replayed ? { "idempotent-replayed": "true" } : {}) };
      return { status: 201, body: answer, headers };
    },
  });

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path,
    summary: "What of a mandate was exported, newest first",
    needs: { scope: "wallet:read" },
    params: OfMandate,
    query: Page,
    answers: { 200: MandateExportList, 404: "not_found" },
    handle: async ({ caller }, { params: { id }, query: { limit, cursor } }) => {
      if ((await deps.mandates.find(caller.tenant, id)) === undefined)
        throw new Problem("not_found", { detail: "There is no such mandate." });
      const found = await listExports(deps, caller.tenant, { mandate: id, before: cursor, limit: limit + 1 });
      const shown = found.slice(0, limit);
      const next = found.length > limit ? (shown.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor: next } };
    },
  });

const revokeRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/exports/:id/revoke",
    summary:
      "Ask an export back: its issuer is told where there is one; all of it stays held until no more can be taken",
    needs: { scope: ["wallet:write", "oid4ac:payment"] },
    criticality: "critical",
    params: OfExport,
    body: z.strictObject({}),
    answers: { 200: MandateExport, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const tenant = isPrincipals(caller) ? caller.tenant : await known(deps, id);
      const agent = isPrincipals(caller) ? undefined : caller.client;
      return {
        status: 200,
        body: bodyOf(await revokeExport(deps, tenant, { id, actor: actorOf(caller), agent })),
      };
    },
  });

const useRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/exports/:id/uses",
    summary:
      "Tell what was taken under an export: for the service that hears it from its issuer, or with AP2's closed mandate for its agent",
    needs: { scope: ["events:write", "oid4ac:payment"] },
    params: OfExport,
    body: TellExportUse,
    bodyBytesMax: 192 * 1024,
    answers: {
      200: MandateExport,
      403: "forbidden",
      404: "not_found",
      409: ["export_closed", "export_mandate_used", "export_token_other"],
      422: ["export_mandate_invalid", "export_mandate_not_allowed", "export_use_exceeds_limit"],
    },
    handle: async ({ caller }, { params: { id }, body }) => {
      // A closed mandate proves itself; a word has to be billing's.
      const isAgents = "payment_mandate" in body && caller.scopes.has("oid4ac:payment");
      if (!isAgents) assertBilling(caller);
      const agent = isAgents ? caller.client : undefined;
      const told = { id, actor: actorOf(caller), agent, use: body };
      return { status: 200, body: bodyOf(await tellUse(deps, await known(deps, id), told)) };
    },
  });

const usesRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/exports/:id/uses",
    summary: "What was told of an export, with the closed mandates that prove it",
    needs: { scope: "wallet:read" },
    params: OfExport,
    query: Uses,
    answers: { 200: ExportUseList, 404: "not_found" },
    handle: async ({ caller }, { params: { id }, query: { limit, cursor } }) => {
      const found = await listUses(deps, caller.tenant, { id, after: cursor, limit: limit + 1 });
      const shown = found.slice(0, limit);
      const next = found.length > limit ? (shown.at(-1)?.reference ?? null) : null;
      return { status: 200, body: { data: shown.map(useBody), next_cursor: next } };
    },
  });

const useBody = ({ reference, minor, toldAt, proof }: ToldUse) => ({
  reference,
  amount_minor: Number(minor),
  told_at: toRfc3339(toldAt),
  proof:
    proof === undefined
      ? null
      : {
          payee: proof.payee,
          transaction_id: proof.transaction,
          closed_at: toRfc3339(proof.closedAt),
          ...proof.chains,
        },
});

const closeRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/exports/:id/close",
    summary: "Confirm for its issuer that nothing more will be taken: the rest is free again",
    needs: { scope: "events:write" },
    criticality: "critical",
    params: OfExport,
    body: CloseExport,
    answers: {
      200: MandateExport,
      400: "invalid_request",
      403: "forbidden",
      404: "not_found",
      409: "export_token_other",
      422: "export_use_exceeds_limit",
    },
    handle: async ({ caller }, { params: { id }, body }) => {
      assertBilling(caller);
      const told = { id, actor: actorOf(caller), close: body };
      return { status: 200, body: bodyOf(await closeExport(deps, await known(deps, id), told)) };
    },
  });

/** Of our services, the one that hears from issuers. */
function assertBilling({ client }: Caller): void {
  if (client !== "billing") throw new Problem("forbidden", { detail: "Only billing tells what was taken." });
}

async function known(deps: Deps, id: Id<"charge">): Promise<Id<"tenant">> {
  const tenant = await tenantOf(deps, id);
  if (tenant === undefined) throw new Problem("not_found", { detail: "There is no such export." });
  return tenant;
}

const bodyOf = (made: Export): Body => ({
  id: made.id,
  kind: made.kind,
  status: made.state,
  advisory: false,
  mandate_id: made.mandate,
  currency: made.currency,
  limit_minor: Number(made.limitMinor),
  used_minor: Number(made.usedMinor),
  because: made.because ?? null,
  created_at: toRfc3339(made.createdAt),
  expires_at: toRfc3339(made.expiresAt),
  spendable_until: made.state === "closed" ? null : toRfc3339(made.stoppedAt ?? made.expiresAt),
  document: { ...made.document },
});

function madeBody(one: Made): Body {
  if (one.kind === "held")
    return { ...bodyOf(one.made), ...(one.credential === undefined ? {} : { credential: one.credential }) };
  const { advice } = one;
  return {
    id: null,
    kind: "x402",
    status: "advisory",
    advisory: true,
    mandate_id: advice.mandate,
    currency: advice.currency,
    limit_minor: Number(advice.limitMinor),
    used_minor: 0,
    because: null,
    created_at: toRfc3339(advice.now),
    expires_at: toRfc3339(advice.expiresAt),
    spendable_until: null,
    document: { ...advice.document },
  };
}
