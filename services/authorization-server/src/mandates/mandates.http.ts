import type { Id } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  idOf,
  MandateBody,
  MandateCredential,
  MandateList,
  NarrowMandate,
  RevokeMandate,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { requireSureOf } from "../assurance/index.ts";
import { type GivingDeps, giveRoute } from "./giving.http.ts";
import { handOnRoute } from "./handing-on.http.ts";
import { historyRoute } from "./history.http.ts";
import type { Mandates, Why } from "./mandates.operations.ts";
import type { Mandate } from "./mandates.ts";
import type { MandateWithBudget } from "./reading.ts";
import { actorOf, bodyOf, noSuchMandate } from "./shown.ts";

const Path = z.strictObject({ id: idOf("mandate") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("mandate").optional(),
  /** Only this agent's. */
  agent_id: idOf("agent").optional(),
  /** Only what was handed on from this one; `none` for what was handed on from no other. */
  parent_id: z.union([z.literal("none"), idOf("mandate")]).optional(),
  /** Only what is neither revoked nor expired. */
  standing: z.literal("true").optional(),
});
const readers = ["wallet:read", "oid4ac:payment"] as const;

type Deps = { readonly db: Database; readonly mandates: Mandates };
export type MandateRoutesDeps = Deps & GivingDeps;

/** Mandates for the principal's side (`wallet:*`) and, each its own, for agents (`oid4ac:payment`). */
export const mandateRoutes = (deps: MandateRoutesDeps): Route[] => [
  giveRoute(deps),
  listRoute(deps),
  readRoute(deps),
  credentialRoute(deps),
  revokeRoute(deps),
  changeRoute(deps, "suspend"),
  changeRoute(deps, "resume"),
  narrowRoute(deps),
  handOnRoute(deps),
  historyRoute(deps),
];

const listRoute = ({ mandates }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/mandates",
    summary: "The mandates of the caller's tenant, newest first; an agent sees its own",
    needs: { scope: readers },
    query: Page,
    answers: { 200: MandateList },
    handle: async ({ caller, now }, { query }) => {
      const agent = caller.scopes.has("wallet:read") ? query.agent_id : caller.client;
      const standingAt = query.standing === undefined ? undefined : now;
      const filter = { agent, parent: query.parent_id, standingAt };
      const page = { ...filter, limit: query.limit + 1, before: query.cursor };
      const found = await mandates.list(caller.tenant, page);
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? (shown.at(-1)?.mandate.id ?? null) : null;
      return { status: 200, body: { data: shown.map((one) => bodyOf(one, now)), next_cursor: next } };
    },
  });

const readRoute = ({ mandates }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/mandates/:id",
    summary: "One mandate with what is left of its budget",
    needs: { scope: readers },
    params: Path,
    answers: { 200: MandateBody, 404: "not_found" },
    handle: async ({ caller, now }, { params }) => {
      const found = await mandates.find(await tenantFor(mandates, caller, params.id), params.id);
      return { status: 200, body: bodyOf(readable(caller, found), now) };
    },
  });

const credentialRoute = ({ db, mandates }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/mandates/:id/credential",
    summary: "The mandate itself, with every disclosure, for the agent that holds it",
    needs: { scope: "oid4ac:payment" },
    params: Path,
    answers: { 200: MandateCredential, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const tenant = await tenantFor(mandates, caller, id);
      const found = await mandates.find(tenant, id);
      if (found?.mandate.agent !== caller.client) throw noSuchMandate();
      const jwt = await db.of(tenant).transaction((tx) => mandates.jwtOf(tx, id));
      if (jwt === undefined) throw noSuchMandate();
      return { status: 200, headers: { "cache-control": "no-store" }, body: { id, mandate_jwt: jwt } };
    },
  });

const revokeRoute = ({ db, mandates }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/mandates/:id/revoke",
    summary: "End a mandate for good: nothing that has not passed its commit point is captured any more",
    needs: { scope: ["wallet:write", "oid4ac:payment"] },
    criticality: "critical",
    params: Path,
    body: RevokeMandate,
    answers: { 200: MandateBody, 404: "not_found" },
    handle: async ({ caller, now }, { params: { id }, body }) => {
      const tenant = await tenantFor(mandates, caller, id);
      const asAgent = !caller.scopes.has("wallet:write");
      readable(caller, await mandates.find(tenant, id), asAgent);
      const because = asAgent ? "given_up_by_agent" : "revoked_by_principal";
      const why: Why = { because, actor: actorOf(caller), note: body.reason };
      await db.of(tenant).transaction((tx) => mandates.revokeWithin(tx, id, why));
      return { status: 200, body: bodyOf(await existing(mandates, tenant, id), now) };
    },
  });

const changes = {
  suspend: { because: "suspended_by_principal", summary: "Stop a mandate until it is resumed" },
  resume: { because: "resumed_by_principal", summary: "Let a suspended mandate be used again" },
} as const;

const changeRoute = (deps: MandateRoutesDeps, change: keyof typeof changes): Route =>
  route({
    method: "POST",
    path: `/api/v1/mandates/:id/${change}`,
    summary: changes[change].summary,
    needs: { scope: "wallet:write" },
    criticality: change === "suspend" ? "critical" : "sheddable",
    params: Path,
    body: z.strictObject({}),
    answers: {
      200: MandateBody,
      ...(change === "resume" ? { 401: "insufficient_user_authentication" } : {}),
      403: ["mandate_revoked", "agent_frozen"],
      404: "not_found",
    },
    handle: async ({ caller, now }, { params: { id } }) => {
      const { db, mandates } = deps;
      if (change === "resume") await requireSureOf(deps, { caller, now });
      const why: Why = { because: changes[change].because, actor: actorOf(caller) };
      const work = (tx: TenantTx): Promise<Mandate> =>
        change === "suspend" ? mandates.suspendWithin(tx, id, why) : mandates.resumeWithin(tx, id, why);
      const changed = await db.of(caller.tenant).transaction(work);
      if (changed.state === "revoked") throw new Problem("mandate_revoked");
      if (change === "resume" && changed.frozenAt !== undefined) throw new Problem("agent_frozen");
      return { status: 200, body: bodyOf(await existing(mandates, caller.tenant, id), now) };
    },
  });

const narrowRoute = ({ db, mandates }: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/mandates/:id/narrow",
    summary: "Let a mandate allow less: any of its limits, lists and its end, and never more than before",
    needs: { scope: "wallet:write" },
    criticality: "critical",
    params: Path,
    body: NarrowMandate,
    answers: {
      200: MandateBody,
      400: ["invalid_request", "invalid_authorization_details", "mandate_would_widen"],
      403: ["mandate_revoked", "mandate_expired"],
      404: "not_found",
    },
    handle: async ({ caller, now }, { params: { id }, body }) => {
      const asked = { to: body, actor: actorOf(caller) };
      await db.of(caller.tenant).transaction((tx) => mandates.narrowWithin(tx, id, asked));
      return { status: 200, body: bodyOf(await existing(mandates, caller.tenant, id), now) };
    },
  });

/** An agent's mandate lives in its principal's tenant, which need not be the agent's own. */
async function tenantFor(mandates: Mandates, caller: Caller, id: Id<"mandate">): Promise<Id<"tenant">> {
  if (caller.scopes.has("wallet:read") || caller.scopes.has("wallet:write")) return caller.tenant;
  return (await mandates.tenantOf(id)) ?? caller.tenant;
}

/** Refuses what the caller may not see exactly as what does not exist (T01). */
function readable(
  caller: Caller,
  found: MandateWithBudget | undefined,
  asAgent = !caller.scopes.has("wallet:read"),
): MandateWithBudget {
  if (found === undefined || (asAgent && found.mandate.agent !== caller.client)) throw noSuchMandate();
  return found;
}

async function existing(
  mandates: Mandates,
  tenant: Id<"tenant">,
  id: Id<"mandate">,
): Promise<MandateWithBudget> {
  const found = await mandates.find(tenant, id);
  if (found === undefined) throw noSuchMandate();
  return found;
}
