import { secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { Digests, Ids } from "../charging/index.ts";
import { abandon, type Claim, moveOn } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { UpstreamAnswer, Upstreams } from "../proxy/index.ts";
import { keepResponse } from "../responses/index.ts";
import { hold, type MoneyDeps, type Paying, receiptFor, release, take } from "./money.ts";
import type { PaidRequest } from "./request.ts";
import { isGoods, reasonOf, serve } from "./serve.ts";

export type PurchaseDeps = MoneyDeps & {
  readonly upstreams: Upstreams;
  /** How long a capture that got no answer may still be under way before recovery looks, in ms. */
  readonly captureGraceMs: number;
};

/** What the buyer gets: an answer that was paid for, or an upstream's refusal that was not. */
export type Served =
  | { readonly kind: "paid"; readonly claim: Claim; readonly answer: UpstreamAnswer }
  | { readonly kind: "unpaid"; readonly answer: UpstreamAnswer };

const slackMs = 10 * secondMs;
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
    const { serveByS, timeoutMs } = request.route;
    const leaseMs = Math.max(serveByS * secondMs, timeoutMs) + slackMs;
    claim = await moveOn(deps, claim, { state: "serving", ...held.ids, leaseMs });
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

/** Writes the whole answer down, in the transaction that says it will be captured. */
const keep = (deps: PurchaseDeps, claim: Claim, answer: UpstreamAnswer): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "capturing",
    leaseMs: captureMs,
    within: (tx) => keepResponse(tx, deps.keyring, { claim: claim.id, answer, now: deps.clock.now() }),
  });

export const digestsOf = (claim: Claim, answer: UpstreamAnswer): Digests => ({
  request_digest: claim.request,
  response_digest: sha256b64url(answer.body),
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
