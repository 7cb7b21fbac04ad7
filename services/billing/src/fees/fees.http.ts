import { fromRfc3339, type Instant, invariant, toRfc3339 } from "@remit/kernel";
import { type Caller, onlyOperator, platformTenant, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database } from "@remit/platform/sql";
import type { Actor } from "@remit/protocol";
import { FeeScheduleBody, FeeScheduleList, idOf, SetFeeSchedule } from "@remit/protocol/contracts";
import { z } from "zod";
import { type FeeSchedule, type NewSchedule, schedulesOf, setSchedule } from "./schedules.ts";

/** What captures cost: set by the operator of the installation, seen by the merchants whom it is about. */
export const feeRoutes = (db: Database): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/fee-schedules",
    summary: "Sets what captures cost from a moment on, for one merchant or for all; for the operator.",
    needs: { scope: "billing:write" },
    idempotency: "required",
    body: SetFeeSchedule,
    answers: { 201: FeeScheduleBody, 403: "forbidden", 409: "fee_schedule_refused" },
    handle: async ({ caller, now, idempotencyKey: key, bodyDigest }, { body }) => {
      onlyOperator(caller);
      const request = { client: caller.client, route: "POST /api/v1/fee-schedules", key, bodyDigest };
      const { answer } = await idempotent(db.of(caller.tenant), request, async () =>
        bodyOf(await setSchedule(db, wantedOf(body, now), { actor: actorOf(caller), now })),
      );
      return { status: 201, body: answer };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/fee-schedules",
    summary: "The schedules of the caller's merchants and of all; the operator may name an organization.",
    needs: { scope: "billing:read" },
    query: z.strictObject({ organization: idOf("tenant").optional() }),
    answers: { 200: FeeScheduleList, 403: "forbidden" },
    handle: async ({ caller }, { query }) => {
      const asked = query.organization ?? caller.tenant;
      if (asked !== caller.tenant) onlyOperator(caller);
      const data = (await schedulesOf(db, asked === platformTenant ? "platform" : asked)).map(bodyOf);
      return { status: 200, body: { data } };
    },
  }),
];

// An operator acts by its client; billing knows no other ids of people.
const actorOf = ({ actor }: Caller): Actor => ({
  type: actor.type === "account" ? "account" : "client",
  id: actor.id,
});

function wantedOf(body: z.output<typeof SetFeeSchedule>, now: Instant): NewSchedule {
  return {
    rail: body.rail,
    subject:
      body.merchant === undefined || body.organization === undefined
        ? null
        : { tenant: body.organization, merchant: body.merchant },
    currency: body.currency ?? null,
    collection: body.collection,
    rounding: body.rounding,
    effectiveFrom: body.effective_from === undefined ? now : instantIn(body.effective_from),
    effectiveUntil: body.effective_until === undefined ? null : instantIn(body.effective_until),
    tiers: body.tiers.map((tier) => ({
      from: BigInt(tier.from_minor),
      basisPoints: tier.basis_points,
      fixed: BigInt(tier.fixed_minor),
      minimum: BigInt(tier.minimum_minor),
    })),
  };
}

function instantIn(text: string): Instant {
  const at = fromRfc3339(text);
  invariant(at !== undefined, "the schema lets only times through");
  return at;
}

const bodyOf = (schedule: FeeSchedule): z.input<typeof FeeScheduleBody> => ({
  id: schedule.id,
  rail: schedule.rail,
  organization: schedule.subject?.tenant ?? null,
  merchant: schedule.subject?.merchant ?? null,
  currency: schedule.currency,
  collection: schedule.collection,
  rounding: schedule.rounding,
  effective_from: toRfc3339(schedule.effectiveFrom),
  effective_until: schedule.effectiveUntil === null ? null : toRfc3339(schedule.effectiveUntil),
  tiers: schedule.tiers.map((tier) => ({
    from_minor: Number(tier.from),
    basis_points: tier.basisPoints,
    fixed_minor: Number(tier.fixed),
    minimum_minor: Number(tier.minimum),
  })),
  set_by: schedule.setBy,
  set_at: toRfc3339(schedule.setAt),
});
