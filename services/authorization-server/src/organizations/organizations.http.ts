import { Readable } from "node:stream";
import { hourMs, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  ChangeOrganization,
  CreatedOrganization,
  CreateOrganization,
  idOf,
  OrganizationBody,
  OrganizationPage,
  OrganizationQuery,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { requireFreshProof } from "../assurance/index.ts";
import type { Secrets } from "../clients/index.ts";
import { platformTenant } from "../tenants/index.ts";
import {
  changeOrganization,
  createOrganization,
  deleteOrganization,
  type Managing,
  type Organization,
  organizationFor,
  organizationsFor,
} from "./organizations.ts";

export type OrganizationDeps = {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly cursors: Cursors;
  readonly exported: (managing: Managing) => Promise<Readable>;
};

export const OrganizationPath = z.strictObject({ id: idOf("tenant") });
export const needs = { scope: "admin:orgs" } as const;
export const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;

/** Organizations: whoever made one governs it, the operator of the installation governs all, each sees itself. */
export const organizationRoutes = (deps: OrganizationDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  deleteRoute(deps),
  exportRoute(deps),
];

const managingOf = ({ caller, now }: Managing): Managing => ({ caller, now });

const createRoute = (deps: OrganizationDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/organizations",
    summary: "Make an organization, with its first management client; the secret is shown once",
    needs,
    limit,
    body: CreateOrganization,
    answers: { 201: CreatedOrganization, 400: "invalid_request", 409: "organization_slug_taken" },
    handle: async (call, { body }) => {
      const { organization, admin } = await createOrganization(deps, body, managingOf(call));
      const headers = {
        "cache-control": "no-store",
        location: `/api/v1/organizations/${organization.id}`,
      };
      return { status: 201, headers, body: { ...bodyOf(organization), admin } };
    },
  });

const listRoute = ({ db, cursors }: OrganizationDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/organizations",
    summary: "The organizations that the caller is or made, newest first; for the operator all",
    needs,
    limit,
    query: OrganizationQuery,
    answers: { 200: OrganizationPage, 400: "cursor_invalid" },
    handle: async ({ caller }, { query: { cursor, limit: most } }) => {
      const filter = { list: "organizations", tenant: caller.tenant };
      const before = cursor === undefined ? undefined : parseId("tenant", cursors.read(filter, cursor));
      const found = await organizationsFor(db, caller, { limit: most + 1, before });
      const shown = found.slice(0, most);
      const last = found.length > most ? shown.at(-1) : undefined;
      const nextCursor = last === undefined ? null : cursors.make(filter, last.id);
      return { status: 200, body: { data: shown.map(bodyOf), nextCursor } };
    },
  });

const readRoute = ({ db }: OrganizationDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/organizations/:id",
    summary: "One organization",
    needs,
    params: OrganizationPath,
    answers: { 200: OrganizationBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => ({
      status: 200,
      body: bodyOf(await organizationFor(db, caller, params.id)),
    }),
  });

const changeRoute = ({ db }: OrganizationDeps): Route =>
  route({
    method: "PATCH",
    path: "/api/v1/organizations/:id",
    summary: "Rename, limit, suspend or reactivate an organization; at once, for issued tokens too",
    needs,
    limit,
    params: OrganizationPath,
    body: ChangeOrganization,
    answers: {
      200: OrganizationBody,
      403: "forbidden",
      404: "not_found",
      409: "organization_slug_taken",
    },
    handle: async (call, { params, body }) => {
      const change = { ...managingOf(call), asked: body };
      return { status: 200, body: bodyOf(await changeOrganization(db, params.id, change)) };
    },
  });

const deleteRoute = ({ db }: OrganizationDeps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/organizations/:id",
    summary: "End an organization at once; it is erased after 30 days",
    needs,
    criticality: "critical",
    limit,
    params: OrganizationPath,
    answers: {
      200: OrganizationBody,
      401: "insufficient_user_authentication",
      403: "forbidden",
      404: "not_found",
    },
    handle: async (call, { params }) => {
      requireFreshProof(call);
      const gone = await deleteOrganization(db, params.id, managingOf(call));
      return { status: 200, body: bodyOf(gone) };
    },
  });

const exportRoute = ({ db, exported }: OrganizationDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/organizations/:id/export",
    summary: "Everything that is kept of the caller's own organization, without its secrets",
    needs,
    limit: { count: 10, windowMs: hourMs, by: "tenant" },
    params: OrganizationPath,
    answers: {
      200: z.custom<Readable>((body) => body instanceof Readable).meta({ description: "Tables of rows." }),
      401: "insufficient_user_authentication",
      403: "forbidden",
      404: "not_found",
    },
    handle: async (call, { params }) => {
      await organizationFor(db, call.caller, params.id);
      if (params.id !== call.caller.tenant)
        throw new Problem("forbidden", { detail: "An organization exports itself." });
      requireFreshProof(call);
      const name = `${params.id}.json`;
      const headers = {
        "cache-control": "no-store",
        "content-disposition": `attachment; filename="${name}"`,
      };
      return {
        status: 200,
        headers: { ...headers, "content-type": "application/json" },
        body: await exported(managingOf(call)),
      };
    },
  });

const bodyOf = (one: Organization): z.input<typeof OrganizationBody> => ({
  organizationId: one.id,
  name: one.name,
  slug: one.slug ?? null,
  kind: one.kind,
  status: one.status,
  decidedBy: decidedByOf(one),
  maxAgents: one.maxAgents ?? null,
  maxAgentsBy: one.maxAgentsBy === undefined ? null : roleOf(one, one.maxAgentsBy),
  createdAt: toRfc3339(one.createdAt),
  updatedAt: toRfc3339(one.changedAt),
  eraseAt: one.eraseAt === undefined ? null : toRfc3339(one.eraseAt),
});

type Role = "operator" | "maker" | "organization";

const roleOf = ({ id }: Organization, tenant: string): Role => {
  if (tenant === platformTenant) return "operator";
  return tenant === id ? "organization" : "maker";
};

function decidedByOf(one: Organization): Role | "above" | null {
  if (one.decidedBy !== undefined) return roleOf(one, one.decidedBy);
  return one.heldBy === undefined ? null : "above";
}
