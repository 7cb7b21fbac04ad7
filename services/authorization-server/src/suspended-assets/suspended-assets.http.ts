import { assetOfCaip19, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, onlyOperator, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { SuspendAsset, SuspendedAssetList } from "@remit/protocol/contracts";
import { type Deps, suspendAsset, suspendedAssets } from "./suspended-assets.ts";

const path = "/api/v1/suspended-assets";
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 60, windowMs: minuteMs, by: "tenant" } as const;

/** The switch by which the operator stops all charges of mandates in one token, as when it has lost its peg. */
export const suspendedAssetRoutes = (deps: Deps): Route[] => [
  route({
    method: "GET",
    path,
    summary: "The tokens that no mandate is charged in for the time being",
    needs,
    answers: { 200: SuspendedAssetList, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      return { status: 200, body: await listed(deps) };
    },
  }),
  route({
    method: "POST",
    path,
    summary: "Suspend a token for every mandate, or let mandates be charged in it again (operator)",
    needs,
    criticality: "critical",
    limit,
    body: SuspendAsset,
    answers: { 200: SuspendedAssetList, 400: "invalid_request", 403: "forbidden" },
    handle: async ({ caller, now }, { body }) => {
      onlyOperator(caller);
      if (assetOfCaip19(body.asset) === undefined)
        throw new Problem("invalid_request", { detail: "There is no such token here." });
      await suspendAsset(deps, body, { actor: actorOf(caller), now });
      return { status: 200, body: await listed(deps) };
    },
  }),
];

async function listed(deps: Deps) {
  const data = (await suspendedAssets(deps)).map(({ asset, because, suspendedAt }) => ({
    asset,
    because,
    suspended_at: toRfc3339(suspendedAt),
  }));
  return { data };
}
