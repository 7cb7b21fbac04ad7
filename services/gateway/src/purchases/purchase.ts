import { monotonicMs, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { Problem } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { abandon, type Claim, handOut, moveOn } from "../claims/index.ts";
import { costOf, useOf } from "../metering/index.ts";
import type { Merchant } from "../offers/index.ts";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { keepResponse } from "../responses/index.ts";
import {
  digestsOf,
  hold,
  leaseOf,
  type Paying,
  type PurchaseDeps,
  release,
  type Served,
  type Streaming,
  take,
  unpaidAfterAll,
} from "./money.ts";
import { owe, redeem } from "./owing.ts";
import type { PaidRequest } from "./request.ts";
import { isGoods, reasonOf, serve, serveOpen } from "./serve.ts";
import { settle } from "./settle.ts";
import { countsWhole, opened, owedLeaseMs, streamMetered, streamPaid, wholeGoods } from "./stream.ts";

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
    const tells = { "X-Payment-Payer": claim.payer, ...held.tells };
    if (request.byHand === true) {
      claim = await handOut(deps, claim, { ...held.ids, leaseMs: leaseOf(request.route) });
      await failpoint("gateway.handed_out");
      return { kind: "handed_out", claim, tells };
    }
    claim = await moveOn(deps, claim, { state: "serving", ...held.ids, leaseMs: leaseOf(request.route) });
    await failpoint("gateway.charged");
    await failpoint("gateway.serving");
    const startedMs = monotonicMs(deps.clock);
    const answer =
      claim.deliver === "stream"
        ? await stream(deps, request, { claim, rail, told: tells })
        : await serve(deps.upstreams, request, tells);
    if ("kind" in answer) return answer;
    if (!isGoods(answer)) {
      await release(deps, { claim, rail }, reasonOf(answer));
      if (answer instanceof Problem) throw answer;
      return { kind: "unpaid", answer };
    }
    const tookMs = monotonicMs(deps.clock) - startedMs;
    claim = await keep(deps, claim, { ...answer, tookMs });
    claim = await sellKept(deps, { claim, rail }, { answer, merchant: request.route.merchant });
    return { kind: "paid", claim, answer };
  } catch (error) {
    await leaveOpen(deps, claim, error);
    throw error;
  }
}

/** A refusal has cleaned up after itself; anything else leaves the claim where it is, for recovery to finish. */
async function leaveOpen(deps: PurchaseDeps, claim: Claim, error: unknown): Promise<void> {
  if (error instanceof Problem && error.status < 500) return;
  // A capture may still be under way: seen too early it would look as if it had never come.
  await abandon(deps, claim, claim.state === "capturing" ? deps.captureGraceMs : 0);
}

/** Takes the money for an answer that is written down: from then on it is the buyer's. */
async function sellKept(
  deps: PurchaseDeps,
  { claim, rail }: Paying,
  { answer, merchant }: { readonly answer: UpstreamAnswer; readonly merchant: Merchant },
): Promise<Claim> {
  await failpoint("gateway.served");
  await failpoint("gateway.capturing");
  const digests = digestsOf(claim, answer);
  const ids = await take(deps, { claim, rail }, digests).catch((error: unknown) =>
    unpaidAfterAll(deps, claim, error),
  );
  const paid = await settle(deps, { claim, rail }, { ids, digests, merchant });
  await failpoint("gateway.captured");
  return paid;
}

/** The rest of a purchase whose goods the merchant's own server has made: keep, capture, or release what was refused. */
export async function sellBrought(
  deps: PurchaseDeps,
  { claim: taken, rail }: Paying,
  { answer, merchant }: { readonly answer: UpstreamAnswer; readonly merchant: Merchant },
): Promise<Served> {
  let claim = taken;
  try {
    if (!isGoods(answer)) {
      await release(deps, { claim, rail }, reasonOf(answer));
      return { kind: "unpaid", answer };
    }
    claim = await keep(deps, claim, { ...answer, tookMs: 0 });
    claim = await sellKept(deps, { claim, rail }, { answer, merchant });
    return { kind: "paid", claim, answer };
  } catch (error) {
    await leaveOpen(deps, claim, error);
    throw error;
  }
}

/** The same for an answer that leaves as it comes: a fixed price is taken at its first byte, a use once it is known. */
async function stream(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim, rail, told }: Paying & { readonly told: Readonly<Record<string, string>> },
): Promise<Streaming | UpstreamAnswer | Problem> {
  const goods = await opened(serveOpen(deps.upstreams, request, told));
  if (goods.kind === "refusal") return goods.answer;
  const { meter } = claim;
  if (countsWhole(meter, goods)) return await wholeGoods(request, goods);
  if (meter !== undefined) return await streamMetered(deps, request, { claim, rail, goods, meter });
  try {
    const paid = await payFirst(deps, request, { claim, rail, leaseMs: owedLeaseMs });
    await failpoint("gateway.captured");
    return streamPaid(deps, request, { claim: paid, goods });
  } catch (error) {
    goods.answer.body.destroy();
    throw error;
  }
}

/** The money is the merchant's before the upstream works: from then on the goods are owed. */
async function payFirst(
  deps: PurchaseDeps,
  request: PaidRequest,
  { claim: held, rail, leaseMs }: Paying & { readonly leaseMs?: number },
): Promise<Claim> {
  const { charge, reference } = held;
  const claim = await moveOn(deps, held, {
    state: "capturing",
    leaseMs: captureMs,
    ...(charge !== undefined && { charge }),
    ...(reference !== undefined && { reference }),
  });
  await failpoint("gateway.capturing");
  const ids = await take(deps, { claim, rail }, { request_digest: claim.request });
  return await owe(
    deps,
    { claim, rail },
    {
      ids,
      merchant: request.route.merchant,
      ...(leaseMs !== undefined && { leaseMs }),
    },
  );
}

/** Writes the whole answer down, in the transaction that says it will be captured, and how much of the hold. */
const keep = (
  deps: PurchaseDeps,
  claim: Claim,
  { tookMs, ...answer }: UpstreamAnswer & { readonly tookMs: number },
): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "capturing",
    leaseMs: captureMs,
    ...useIn(claim, { ...answer, tookMs }),
    within: (tx) => keepResponse(tx, deps.keyring, { claim: claim.id, answer, now: deps.clock.now() }),
  });

function useIn(
  { meter, amountMinor }: Claim,
  answer: UpstreamAnswer & { readonly tookMs: number },
): { readonly used?: number; readonly capturedMinor?: number; readonly responseDigest?: string } {
  if (meter === undefined) return {};
  const used = useOf(meter, answer);
  return {
    used,
    capturedMinor: costOf(meter, used, amountMinor),
    responseDigest: sha256b64url(answer.body),
  };
}
