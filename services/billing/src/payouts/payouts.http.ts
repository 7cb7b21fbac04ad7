import { instantOf, type Money, parseId, toRfc3339 } from "@remit/kernel";
import { actorOf, type CallOf, type Route, route, type TokenNeeds } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  idOf,
  Onboarding,
  OnboardMerchant,
  PayoutAccountBalance,
  PayoutAccountBody,
  PayoutAccountList,
  PayoutAccountQuery,
  PayoutList,
  PayoutQuery,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { returnUrlOf } from "../plans/index.ts";
import {
  accountOf,
  accountsOf,
  accountsOfMerchant,
  inEffect,
  lookAt,
  onboard,
  type PayoutAccount,
  statusOf,
} from "./accounts.ts";
import { type Payout, type PayoutDeps, payoutsOf } from "./payouts.ts";

const reads = { scope: "billing:read" } as const;
/** It says where buyers' money arrives. */
const writes = { scope: "offers:write" } as const;
/** RFC 9470: a change of where money goes is for the owner, whose scope no admin has, there and then. */
const changes = {
  scope: "admin:orgs",
  stepUp: { acrValues: ["urn:remit:aal2", "urn:remit:aal3"], maxAgeS: 300 },
} as const;
const byId = z.strictObject({ id: idOf("destination") });
const pageLength = 50;

/** A merchant's payout accounts and what was paid out of them, for its own organization. */
export const payoutRoutes = (deps: PayoutDeps): Route[] => [
  ...onboardingRoutes(deps),
  route({
    method: "GET",
    path: "/api/v1/payout-accounts",
    summary: "Where the organization's merchants are paid, each merchant's newest account first.",
    needs: reads,
    query: PayoutAccountQuery,
    answers: { 200: PayoutAccountList },
    handle: async ({ caller, now }, { query: { merchant, limit, cursor } }) => {
      const page = { merchant, limit: limit + 1, after: cursor };
      const { found, ofSame } = await accountsOf(deps, caller.tenant, page);
      const data = found.slice(0, limit).map((one) => bodyOf(one, standing(one, ofSame, now)));
      const next = found.length > limit ? (data.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data, next_cursor: next } };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/payout-accounts/:id/balance",
    summary: "What stands on a payout account at the processor now.",
    needs: reads,
    params: byId,
    answers: { 200: PayoutAccountBalance, 404: "not_found", 503: "unavailable" },
    limit: { count: 120, windowMs: 60_000 },
    handle: async ({ caller }, { params }) => {
      const { reference } = await accountOf(deps, caller.tenant, params.id);
      if (reference === null) return { status: 200, body: { available: [], pending: [] } };
      const { available, pending } = await deps.atStripe.balance(reference);
      return { status: 200, body: { available: available.map(sumOf), pending: pending.map(sumOf) } };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/payouts",
    summary: "Payouts of the organization's merchants to their banks, the newest first.",
    needs: reads,
    query: PayoutQuery,
    answers: { 200: PayoutList, 400: "invalid_request" },
    handle: async ({ caller }, { query: { merchant, cursor } }) => {
      const beyond = cursor === undefined ? undefined : placeOf(cursor);
      const found = await payoutsOf(deps, caller.tenant, { merchant, beyond, limit: pageLength + 1 });
      const shown = found.slice(0, pageLength);
      const last = found.length > pageLength ? shown.at(-1) : undefined;
      const next = last === undefined ? null : `${last.createdAt}.${last.id}`;
      return { status: 200, body: { data: shown.map(payoutBodyOf), next_cursor: next } };
    },
  }),
];

const onboardingRoutes = (deps: PayoutDeps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/payout-accounts",
    summary:
      "Begins or goes on with a merchant's onboarding: answers with a page of the processor's for a person.",
    needs: writes,
    body: OnboardMerchant,
    answers: {
      200: Onboarding,
      400: ["return_url_refused", "invalid_request"],
      409: "payouts_halted",
      503: "unavailable",
    },
    limit: { count: 60, windowMs: 60_000 },
    handle: async (call, { body }) => begin(deps, call, { ...body, another: false }),
  }),
  route({
    method: "POST",
    path: "/api/v1/payout-accounts/replacement",
    summary:
      "Begins the onboarding of another account, which takes over a day after the processor accepts it.",
    needs: changes,
    body: OnboardMerchant,
    answers: {
      200: Onboarding,
      400: ["return_url_refused", "invalid_request"],
      409: "payouts_halted",
      503: "unavailable",
    },
    limit: { count: 10, windowMs: 60_000 },
    handle: async (call, { body }) => begin(deps, call, { ...body, another: true }),
  }),
  route({
    method: "POST",
    path: "/api/v1/payout-accounts/:id/refresh",
    summary: "Reads an account at the processor now: for somebody who has just come back from there.",
    needs: reads,
    params: byId,
    body: z.strictObject({}),
    answers: { 200: PayoutAccountBody, 404: "not_found", 503: "unavailable" },
    limit: { count: 60, windowMs: 60_000 },
    handle: async ({ caller, now }, { params }) => {
      const account = await accountOf(deps, caller.tenant, params.id);
      const seen = account.reference === null ? account : await lookAt(deps, account);
      const all = await accountsOfMerchant(deps, account);
      return { status: 200, body: bodyOf(seen, standing(seen, all, now)) };
    },
  }),
];

async function begin(
  deps: PayoutDeps,
  call: CallOf<TokenNeeds, undefined>,
  { another, merchant, country, ...visit }: z.output<typeof OnboardMerchant> & { another: boolean },
) {
  const { caller, now } = call;
  const [home = ""] = deps.returnOrigins;
  const { account, url, expiresAt } = await onboard(deps, {
    tenant: caller.tenant,
    merchant,
    country,
    another,
    by: actorOf(caller),
    returnUrl: returnUrlOf(deps.returnOrigins, visit.return_url ?? `${home}/account?payouts=returned`),
    refreshUrl: returnUrlOf(deps.returnOrigins, visit.refresh_url ?? `${home}/account?payouts=refresh`),
  });
  const body = { account: bodyOf(account, statusOf(account, now)), url, expires_at: toRfc3339(expiresAt) };
  return { status: 200 as const, headers: { "cache-control": "no-store" }, body };
}

/** An account that another of the same merchant has taken over from is replaced. */
function standing(account: PayoutAccount, all: readonly PayoutAccount[], now: PayoutAccount["askedAt"]) {
  const current = inEffect(
    all.filter(({ merchant }) => merchant === account.merchant),
    now,
  );
  return statusOf(account, now, current === undefined || account.generation >= current.generation);
}

const bodyOf = (
  account: PayoutAccount,
  status: ReturnType<typeof statusOf>,
): z.input<typeof PayoutAccountBody> => ({
  id: account.id,
  merchant: account.merchant,
  country: account.country,
  status,
  reference: account.reference,
  requirements: [...account.requirements],
  disabled_reason: account.disabledReason,
  charges_enabled: account.chargesEnabled,
  payouts_enabled: account.payoutsEnabled,
  asked_at: toRfc3339(account.askedAt),
  effective_from: account.effectiveFrom === null ? null : toRfc3339(account.effectiveFrom),
});

const sumOf = ({ asset, units }: Money) => ({ currency: asset.code, amount_minor: Number(units) });

const payoutBodyOf = (payout: Payout): z.input<typeof PayoutList>["data"][number] => ({
  id: payout.id,
  account: payout.account,
  merchant: payout.merchant,
  reference: payout.reference,
  status: payout.status,
  amount_minor: Number(payout.amount),
  currency: payout.currency,
  created_at: toRfc3339(payout.createdAt),
  arrives_at: toRfc3339(payout.arrivesAt),
  failure: payout.failure,
});

function placeOf(cursor: string) {
  const [at = "", rest = ""] = cursor.split(".");
  const id = parseId("payout", rest);
  if (id === undefined || !/^\d{1,15}$/.test(at))
    throw new Problem("invalid_request", { detail: "The cursor is none that was given." });
  return { createdAt: instantOf(Number(at)), id };
}
