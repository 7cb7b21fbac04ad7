import { actorOf, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { DisputeBody, DisputeList, OpenDispute } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Receipts } from "../receipts/index.ts";
import { bodyOf, DisputePath, DisputeSearch, known, pageOf } from "./disputes.http.ts";
import {
  actOn,
  conflict,
  type DisputesDeps,
  disputesOf,
  openDispute,
  showDispute,
} from "./disputes.operations.ts";

type Deps = DisputesDeps & { readonly receipts: Pick<Receipts, "find"> };

/** Disputes as the principal's side sees them, which opens and withdraws its own. */
export const walletDisputeRoutes = (deps: Deps): Route[] => [
  openRoute(deps),
  listRoute(deps),
  readRoute(deps),
  withdrawRoute(deps),
];

const openRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/wallet/disputes",
    summary: "Dispute what a receipt is for; there is one open dispute about a charge at a time",
    needs: { scope: "wallet:write" },
    body: OpenDispute,
    answers: { 201: DisputeBody, 404: "not_found", 409: ["dispute_exists", "dispute_not_possible"] },
    handle: async (call, { body }) => {
      const { tenant } = call.caller;
      const receipt = await deps.receipts.find(tenant, body.receipt_id);
      if (receipt === undefined) throw new Problem("not_found", { detail: "There is no such receipt." });
      const dispute = await openDispute(deps, {
        tenant,
        charge: receipt.charge,
        amountMinor: body.amount_minor,
        reason: body.reason,
        statement: body.statement,
        actor: actorOf(call.caller),
      });
      return { status: 201, body: bodyOf({ dispute }) };
    },
  });

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/disputes",
    summary: "Disputes about what the caller's tenant has paid, newest first",
    needs: { scope: "wallet:read" },
    query: DisputeSearch,
    answers: { 200: DisputeList },
    handle: async ({ caller }, { query }) => ({
      status: 200,
      body: await pageOf(query, (page) => disputesOf(deps, caller.tenant, { ...page, client: undefined })),
    }),
  });

const readRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/disputes/:id",
    summary: "One dispute about what the caller's tenant has paid, with what was said",
    needs: { scope: "wallet:read" },
    params: DisputePath,
    answers: { 200: DisputeBody, 404: "not_found" },
    handle: async ({ caller: { tenant } }, { params }) => ({
      status: 200,
      body: bodyOf(known(await showDispute(deps, { tenant, client: undefined }, params.id))),
    }),
  });

const withdrawRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/wallet/disputes/:id/withdraw",
    summary: "Withdraw a dispute that is not decided yet",
    needs: { scope: "wallet:write" },
    criticality: "critical",
    params: DisputePath,
    body: z.strictObject({}),
    answers: { 200: DisputeBody, 404: "not_found", 409: "dispute_state_conflict" },
    handle: async ({ caller }, { params }) => {
      const side = { tenant: caller.tenant, client: undefined };
      const { dispute } = known(await showDispute(deps, side, params.id));
      if (dispute.origin === "network") throw conflict(dispute);
      const moved = await actOn(deps, dispute, { act: "withdraw", actor: actorOf(caller) });
      return { status: 200, body: bodyOf({ dispute: moved }) };
    },
  });
