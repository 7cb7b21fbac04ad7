import { fromRfc3339, type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import { Problem, type Scope, scopes } from "@remit/protocol";
import {
  ChangePartner,
  CreatePartner,
  FederatedIdentity,
  idOf,
  PartnerBody,
  PartnerPage,
  VerifyFederated,
} from "@remit/protocol/contracts";
import { z } from "zod";
import {
  type By,
  changePartner,
  createPartner,
  type Partner,
  partnerById,
  partnersOf,
  removePartner,
  statusOf,
} from "./partners.ts";
import { type NotVerified, type Verified, type VerifyDeps, verifyFederated } from "./verify.ts";

export type PartnerDeps = VerifyDeps & { readonly tenantOutbound: Pick<Outbound, "check"> };

const PartnerPath = z.strictObject({ id: idOf("partner") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("partner").optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const path = "/api/v1/federation/partners";

/** Whose tokens a tenant can have checked, and the check. */
export const partnerRoutes = (deps: PartnerDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
  verifyRoute(deps),
];

const byOf = (call: { readonly caller: Caller; readonly now: Instant }): By => ({
  actor: actorOf(call.caller),
  now: call.now,
});

const instant = (text: string | null | undefined): Instant | null | undefined =>
  typeof text === "string" ? fromRfc3339(text) : text;

const createRoute = (deps: PartnerDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/federation/trust",
    summary: "Name an issuer whose tokens can be checked here; they give nothing here",
    needs,
    limit,
    body: CreatePartner,
    answers: { 201: PartnerBody, 400: ["invalid_request", "outbound_refused"], 409: "partner_exists" },
    handle: async (call, { body }) => {
      const { name, issuer, jwks_uri, jwksUri = jwks_uri, allowed_organizations, expires_at } = body;
      if (jwksUri === undefined) throw new Problem("invalid_request", { detail: "jwks_uri is missing." });
      if (issuer === deps.issuer)
        throw new Problem("invalid_request", { detail: "issuer: our own tokens are introspected." });
      await deps.tenantOutbound.check(jwksUri);
      const wanted = {
        name,
        issuer,
        jwksUri,
        allowedOrganizations: allowed_organizations ?? undefined,
        expiresAt: instant(expires_at) ?? undefined,
      };
      const work = deps.db.of(call.caller.tenant);
      const partner = await work.transaction((tx) => createPartner(tx, wanted, byOf(call)));
      const headers = { location: `${path}/${partner.id}` };
      return { status: 201, headers, body: bodyOf(partner, call.now) };
    },
  });

const listRoute = ({ db }: PartnerDeps): Route =>
  route({
    method: "GET",
    path,
    summary: "The organization's partners, newest first",
    needs,
    query: Page,
    answers: { 200: PartnerPage },
    handle: async (call, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor };
      const found = await db.of(call.caller.tenant).transaction((tx) => partnersOf(tx, page));
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? shown.at(-1)?.id : undefined;
      const data = shown.map((partner) => bodyOf(partner, call.now));
      return { status: 200, body: { data, next_cursor: next ?? null } };
    },
  });

const readRoute = ({ db }: PartnerDeps): Route =>
  route({
    method: "GET",
    path: `${path}/:id`,
    summary: "One partner",
    needs,
    params: PartnerPath,
    answers: { 200: PartnerBody, 404: "not_found" },
    handle: async (call, { params }) => {
      const partner = await db.of(call.caller.tenant).transaction((tx) => partnerById(tx, params.id));
      return { status: 200, body: bodyOf(partner, call.now) };
    },
  });

const changeRoute = ({ db }: PartnerDeps): Route =>
  route({
    method: "PATCH",
    path: `${path}/:id`,
    summary: "Rename a partner, suspend or resume it, say which of its organizations count, or when it ends",
    needs,
    limit,
    params: PartnerPath,
    body: ChangePartner,
    answers: { 200: PartnerBody, 404: "not_found" },
    handle: async (call, { params, body }) => {
      const { name, status, allowed_organizations: allowedOrganizations, expires_at } = body;
      const change = { name, status, allowedOrganizations, expiresAt: instant(expires_at) };
      const work = db.of(call.caller.tenant);
      const partner = await work.transaction((tx) => changePartner(tx, params.id, { change, ...byOf(call) }));
      return { status: 200, body: bodyOf(partner, call.now) };
    },
  });

const removeRoute = ({ db }: PartnerDeps): Route =>
  route({
    method: "DELETE",
    path: `${path}/:id`,
    summary: "Remove a partner",
    needs,
    criticality: "critical",
    limit,
    params: PartnerPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      await db.of(call.caller.tenant).transaction((tx) => removePartner(tx, params.id, byOf(call)));
      return { status: 204 };
    },
  });

/** Any agent may ask who it is talking to. */
const verifyRoute = (deps: PartnerDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/federation/verify",
    summary: "Who a token of a partner says that somebody is",
    needs: { scope: scopes as readonly [Scope, ...Scope[]], bearer: true }, // there is a first scope
    limit: { count: 600, windowMs: minuteMs },
    body: VerifyFederated,
    answers: { 200: FederatedIdentity, 503: "unavailable" },
    handle: async ({ caller, now }, { body }) => {
      const found = await verifyFederated(deps, { tenant: caller.tenant, token: body.token, now });
      return { status: 200, headers: { "cache-control": "no-store" }, body: identityOf(found) };
    },
  });

const identityOf = (found: Verified | NotVerified): z.input<typeof FederatedIdentity> => ({
  valid: "subject" in found,
  reason: "fault" in found ? found.fault : null,
  detail: "fault" in found ? found.because : null,
  partnerId: found.partner?.id ?? null,
  issuer: found.partner?.issuer ?? null,
  subject: "subject" in found ? found.subject : null,
  organizationId: "subject" in found ? (found.organization ?? null) : null,
  expiresAt: "subject" in found ? toRfc3339(found.expiresAt) : null,
});

const bodyOf = (partner: Partner, now: Instant): z.input<typeof PartnerBody> => ({
  id: partner.id,
  name: partner.name,
  issuer: partner.issuer,
  jwks_uri: partner.jwksUri,
  allowed_organizations:
    partner.allowedOrganizations === undefined ? null : [...partner.allowedOrganizations],
  status: statusOf(partner, now),
  created_at: toRfc3339(partner.createdAt),
  expires_at: partner.expiresAt === undefined ? null : toRfc3339(partner.expiresAt),
});
