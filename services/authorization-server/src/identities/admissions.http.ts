import { minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Route, route } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { AdmissionBody, AdmissionPage, DecideAdmission, idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { type Admission, admissionsOf, answerAdmission } from "./admissions.ts";

type Deps = { readonly db: Database; readonly keyring: Keyring };

const AdmissionPath = z.strictObject({ id: idOf("admission") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("admission").optional(),
  status: z.enum(["waiting", "admitted", "refused"]).optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;

/** Who waits to be let in, and the tenant's answer. */
export const admissionRoutes = (deps: Deps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/admissions",
    summary: "People whom an identity provider vouches for and who wait to be let in",
    needs,
    query: Page,
    answers: { 200: AdmissionPage },
    handle: async ({ caller }, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor, status: query.status };
      const found = await deps.db.of(caller.tenant).transaction((tx) => admissionsOf(deps, tx, page));
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? shown.at(-1)?.id : undefined;
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor: next ?? null } };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/admissions/:id",
    summary: "Let somebody in, or not; once",
    needs,
    limit,
    params: AdmissionPath,
    body: DecideAdmission,
    answers: { 200: AdmissionBody, 404: "not_found" },
    handle: async ({ caller, now }, { params, body }) => {
      const actor = actorOf(caller);
      const answer = { id: params.id, admit: body.decision === "admit", actor, now };
      const admission = await deps.db
        .of(caller.tenant)
        .transaction((tx) => answerAdmission(deps, tx, answer));
      return { status: 200, body: bodyOf(admission) };
    },
  }),
];

const bodyOf = (admission: Admission): z.input<typeof AdmissionBody> => ({
  id: admission.id,
  provider_id: admission.provider,
  email: admission.email,
  name: admission.name,
  status: admission.status,
  asked_at: toRfc3339(admission.askedAt),
});
