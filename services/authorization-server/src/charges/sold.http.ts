import { dayMs, instantOf, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Route, route } from "@remit/platform/http";
import {
  idOf,
  RefundCharge,
  SoldBody,
  SoldDays,
  SoldDaysQuery,
  SoldPage,
  SoldQuery,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { refundOf } from "./charges.http.ts";
import { refusalsOfSettling } from "./refusals.ts";
import { type SoldDeps as Deps, daysOf, oneSold, refundSold, type Sold, soldOf } from "./sold.ts";

const Path = z.strictObject({ id: idOf("charge") });
const reads = { scope: "billing:read" } as const;
const limit = { count: 600, windowMs: minuteMs, by: "tenant" } as const;

/** What an organization sold, for its people: its merchants' clients have the charge API. */
export const soldRoutes = (deps: Deps): Route[] => [
  listRoute(deps),
  daysRoute(deps),
  readRoute(deps),
  refundRoute(deps),
];

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/sold",
    summary: "What the organization's merchants charged, newest first",
    needs: reads,
    limit,
    query: SoldQuery,
    answers: { 200: SoldPage },
    handle: async ({ caller }, { query }) => {
      const { limit: length, cursor: before, merchant, status } = query;
      const states = status === undefined ? undefined : [status];
      const asked = { before, merchant, states, limit: length + 1 };
      const found = await soldOf(deps, caller.tenant, asked);
      const data = found.slice(0, length).map(bodyOf);
      const next = found.length > length ? (data.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data, next_cursor: next } };
    },
  });

const daysRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/sold/days",
    summary: "What the organization's merchants captured, day by day of UTC",
    needs: reads,
    limit,
    query: SoldDaysQuery,
    answers: { 200: SoldDays },
    handle: async ({ caller, now }, { query: { days } }) => {
      const from = instantOf((Math.floor(now / dayMs) - days + 1) * dayMs);
      const found = await daysOf(deps, caller.tenant, from);
      const data = found.map(({ captured_minor, refunded_minor, ...day }) => ({
        ...day,
        captured_minor: Number(captured_minor),
        refunded_minor: Number(refunded_minor),
      }));
      return { status: 200, body: { from: toRfc3339(from).slice(0, 10), days, data } };
    },
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/sold/:id",
    summary: "One charge of the organization's merchants",
    needs: reads,
    params: Path,
    answers: { 200: SoldBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => ({
      status: 200,
      body: bodyOf(await oneSold(deps, { tenant: caller.tenant, id: params.id })),
    }),
  });

/** Whoever may change where buyers' money arrives may give it back. */
const refundRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/sold/:id/refund",
    summary: "Give back what one of the organization's merchants captured, in whole or in part",
    needs: { scope: "offers:write" },
    criticality: "critical",
    limit,
    params: Path,
    body: RefundCharge,
    idempotency: "required",
    answers: { 200: SoldBody, ...refusalsOfSettling },
    handle: async ({ caller, idempotencyKey }, { params, body }) => {
      const wish = { key: idempotencyKey, ...refundOf(body), by: actorOf(caller) };
      const refunded = await refundSold(deps, { tenant: caller.tenant, id: params.id }, wish);
      return { status: 200, body: bodyOf(refunded) };
    },
  });

const bodyOf = (sold: Sold): z.input<typeof SoldBody> => ({
  id: sold.id,
  status: sold.state,
  merchant_id: sold.merchant_id,
  agent_id: sold.agent_id,
  amount_minor: Number(sold.amount_minor),
  captured_minor: Number(sold.captured_minor),
  refunded_minor: Number(sold.refunded_minor),
  currency: sold.currency,
  rail: sold.rail,
  payment_reference: sold.payment_reference,
  because: sold.because,
  offer_id: sold.offer_id,
  created_at: toRfc3339(sold.created_at),
  captured_at: sold.captured_at === null ? null : toRfc3339(sold.captured_at),
  receipt_id: sold.receipt_id,
  livemode: sold.livemode,
});
