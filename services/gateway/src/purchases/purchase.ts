import { secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { Problem } from "@remit/protocol";
import type { Digests, Ids } from "../charging/index.ts";
import { abandon, type Claim, moveOn } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { keepResponse } from "../responses/index.ts";
import {
  digestsOf,
  hold,
  leaseOf,
  type MoneyDeps,
  type Paying,
  type PurchaseDeps,
  receiptFor,
  release,
  type Served,
  take,
} from "./money.ts";
import { owe, redeem } from "./owing.ts";
import type { PaidRequest } from "./request.ts";
import { isGoods, reasonOf, serve } from "./serve.ts";

/** Longer than a chain may take to settle. */
const captureMs = 90 * secondMs;

/**
 * The whole purchase of a claim that is ours: hold, serve, keep, capture. Each step is written before it is taken, and
 * nothing of the answer leaves before the capture. Runs to its end whether or not the buyer still listens (M13).
 */
export async function purchase(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim: begun, rail }: Paying,
): Promise<Served> {
  let claim = begun;
  try {
    await failpoint("gateway.claimed");
    const held = await hold(deps, { claim, rail });
    if (request.route.settle === "before" && claim.rail !== "mandate") {
      claim = await payFirst(deps, request, { claim: { ...claim, ...held.ids }, rail });
      return await redeem(deps, request, { claim, rail });
    }
    claim = await moveOn(deps, claim, { state: "serving", ...held.ids, leaseMs: leaseOf(request.route) });
    await failpoint("gateway.charged");
    await failpoint("gateway.serving");
    const answer = await serve(deps.upstreams, request, { "X-Payment-Payer": claim.payer, ...held.tells });
    if (!isGoods(answer)) {
      await release(deps, { claim, rail }, reasonOf(answer));
      if (answer instanceof Problem) throw answer;
      return { kind: "unpaid", answer };
    }
    claim = await keep(deps, claim, answer);
    await failpoint("gateway.served");
    await failpoint("gateway.capturing");
    const digests = digestsOf(claim, answer);
    const ids = await take(deps, { claim, rail }, digests);
    claim = await settle(deps, { claim, rail }, { ids, digests, merchant: request.route.merchant });
    await failpoint("gateway.captured");
    return { kind: "paid", claim, answer };
  } catch (error) {
    // A refusal has cleaned up after itself; anything else leaves the claim where it is, for recovery to finish.
    // A capture may still be under way: seen too early it would look as if it had never come.
    if (!(error instanceof Problem) || error.status >= 500)
      await abandon(deps, claim, claim.state === "capturing" ? deps.captureGraceMs : 0);
    throw error;
  }
}

/** The money is the merchant's before the upstream works: from then on the goods are owed. */
async function payFirst(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim: held, rail }: Paying,
): Promise<Claim> {
  const { charge, reference } = held;
  const claim = await moveOn(deps, held, {
    state: "capturing",
    leaseMs: captureMs,
    ...(charge !== undefined && { charge }),
    ...(reference !== undefined && { reference }),
  });
  await failpoint("gateway.capturing");
  const ids = await take(deps, { claim, rail }, { request_digest: claim.request, response_digest: "" });
  return await owe(deps, { claim, rail }, { ids, merchant: request.route.merchant });
}

/** Writes the whole answer down, in the transaction that says it will be captured. */
const keep = (deps: PurchaseDeps, claim: Claim, answer: UpstreamAnswer): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "capturing",
    leaseMs: captureMs,
    within: (tx) => keepResponse(tx, deps.keyring, { claim: claim.id, answer, now: deps.clock.now() }),
  });

/** The commit: once the money is taken the answer is the buyer's, before it is nobody's. */
export function settle(
  deps: MoneyDeps,
  paying: Paying,
  paid: { readonly ids: Ids; readonly digests: Partial<Digests>; readonly merchant: Merchant },
): Promise<Claim> {
  const receipt = receiptFor(deps, paying, paid);
  return moveOn(deps, paying.claim, {
    state: "captured",
    ...paid.ids,
    ...(receipt !== undefined && { receipt }),
  });
}
