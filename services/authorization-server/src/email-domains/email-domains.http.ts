import { minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, onlyOperator, type Route, route } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { AssignEmailDomain, EmailDomain, EmailDomainBody, EmailDomainList } from "@remit/protocol/contracts";
import { z } from "zod";
import { isTenant } from "../tenants/index.ts";
import { type Assigned, assignDomain, type By, domainsOf, releaseDomain } from "./email-domains.ts";

type Deps = { readonly db: Database; readonly keyring: Keyring };

const DomainPath = z.strictObject({ domain: EmailDomain });
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;
const path = "/api/v1/email-domains/:domain";

const byOf = (call: { readonly caller: Caller; readonly now: By["now"] }): By => ({
  actor: actorOf(call.caller),
  now: call.now,
});

/** Whose a domain of mail is. Only the operator says it: a tenant that could would speak for anybody's mailbox. */
export const emailDomainRoutes = (deps: Deps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/email-domains",
    summary: "The domains of mail that the caller's organization may vouch for",
    needs,
    answers: { 200: EmailDomainList },
    handle: async ({ caller }) => {
      const data = (await domainsOf(deps, caller.tenant)).map(bodyOf);
      return { status: 200, body: { data } };
    },
  }),
  route({
    method: "PUT",
    path,
    summary: "Give a domain of mail to an organization (operator)",
    needs,
    limit,
    params: DomainPath,
    body: AssignEmailDomain,
    answers: { 200: EmailDomainBody, 400: "invalid_request", 403: "forbidden", 404: "not_found" },
    handle: async (call, { params, body }) => {
      onlyOperator(call.caller);
      const assigned = await deps.db.of(body.organization_id).transaction(async (tx) => {
        if (!(await isTenant(tx)))
          throw new Problem("not_found", { detail: "There is no such organization." });
        return assignDomain(deps, tx, { ...params, ...byOf(call) });
      });
      return { status: 200, body: bodyOf(assigned) };
    },
  }),
  route({
    method: "DELETE",
    path,
    summary: "Take a domain of mail from its organization (operator)",
    needs,
    limit,
    params: DomainPath,
    answers: { 204: nothing, 403: "forbidden", 404: "not_found" },
    handle: async (call, { params }) => {
      onlyOperator(call.caller);
      await releaseDomain(deps, { ...params, ...byOf(call) });
      return { status: 204 };
    },
  }),
];

const bodyOf = ({ domain, tenant, assignedAt }: Assigned): z.input<typeof EmailDomainBody> => ({
  domain,
  organization_id: tenant,
  assigned_at: toRfc3339(assignedAt),
});
