import { Problem } from "@remit/protocol";
import type { Ids } from "../charging/index.ts";
import { type Claim, leave, moveOn, takeOwed } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import { dropResponse, keepResponse } from "../responses/index.ts";
import {
  digestsOf,
  leaseOf,
  type MoneyDeps,
  type Paying,
  type PurchaseDeps,
  receiptFor,
  type Served,
} from "./money.ts";
import type { PaidRequest } from "./request.ts";
import { isGoods, serve, serveOpen } from "./serve.ts";
import { opened, streamPaid } from "./stream.ts";

/** The money is the merchant's and nothing was delivered: the payer keeps a credit, and the claim says so. */
export async function owe(
  deps: MoneyDeps,
  paying: Paying,
  paid: { readonly ids: Ids; readonly merchant: Merchant; readonly leaseMs?: number },
): Promise<Claim> {
  const receipt = receiptFor(deps, paying, { ...paid, digests: {} });
  return await moveOn(deps, paying.claim, {
    state: "owed",
    // Unless somebody delivers it already, whoever paid may come for it at once.
    leaseMs: paid.leaseMs ?? 0,
    ...paid.ids,
    paidAt: deps.clock.now(),
    ...(receipt !== undefined && { receipt }),
  });
}

/**
 * Delivers what has been paid for before. A failure leaves the credit where it is; only one request at a time tries, and
 * the first that gets the goods ends it.
 */
export async function redeem(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim: owed, rail }: Paying,
): Promise<Served> {
  const { route } = request;
  const claim = await takeOwed(deps, owed, leaseOf(route));
  if (claim === undefined) throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
  const told = { "X-Payment-Payer": claim.payer, ...(await tellsOf({ claim, rail })) };
  if (claim.deliver === "stream") return await redeemStream(deps, request, { claim, told });
  const answer = await serve(deps.upstreams, request, told);
  if (!isGoods(answer)) {
    await leave(deps, claim);
    return { kind: "owed", claim, answer };
  }
  const digests = digestsOf(claim, answer);
  const ids = {
    ...(claim.reference !== undefined && { reference: claim.reference }),
    ...(claim.settlement !== undefined && { settlement: claim.settlement }),
  };
  const receipt = receiptFor(deps, { claim, rail }, { ids, digests, merchant: route.merchant });
  const delivered = await moveOn(deps, claim, {
    state: "captured",
    ...(receipt !== undefined && { receipt }),
    within: async (tx) => {
      // An answer of before, which has not been swept yet, is in nobody's way.
      await dropResponse(tx, claim.id);
      await keepResponse(tx, deps.keyring, { claim: claim.id, answer, now: deps.clock.now() });
    },
  });
  return { kind: "paid", claim: delivered, answer };
}

/** Who pays, as the upstream was told when it was held: under a mandate its charge says so. */
async function tellsOf({ claim, rail }: Paying): Promise<Readonly<Record<string, string>>> {
  if (claim.rail !== "mandate") return {};
  const known = await rail.read(claim);
  if (known.kind === "known") return known.tells ?? {};
  throw new Problem("charge_in_progress", { status: 503, headers: { "Retry-After": "2" } });
}

async function redeemStream(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim, told }: { readonly claim: Claim; readonly told: Readonly<Record<string, string>> },
): Promise<Served> {
  const goods = await opened(serveOpen(deps.upstreams, request, told));
  if (goods.kind === "goods") return streamPaid(deps, request, { claim, goods });
  await leave(deps, claim);
  return { kind: "owed", claim, answer: goods.answer };
}
