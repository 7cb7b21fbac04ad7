import { type Id, invariant, minuteMs, newId, secondMs, toRfc3339 } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { type MerchantReceipt, makeMerchantReceipt, Problem } from "@remit/protocol";
import type { ReleaseCharge } from "@remit/protocol/contracts";
import { sha256b64url, sign } from "@remit/protocol/node";
import type { Digests, Ids, Outcome, Rail, Rails } from "../charging/index.ts";
import { type Claim, type ClaimsDeps, forget, leave, moveOn, takenOf } from "../claims/index.ts";
import { countFailure } from "../failures/index.ts";
import type { createSizes, Memory } from "../memory.ts";
import type { Merchant, PaidRoute } from "../offers/index.ts";
import { patience } from "../patience.ts";
import type { UpstreamAnswer, Upstreams } from "../proxy/index.ts";
import { dropResponse } from "../responses/index.ts";

export type MoneyDeps = ClaimsDeps & {
  readonly rails: Rails;
  readonly log: Log;
  readonly livemode: boolean;
};

export type PurchaseDeps = MoneyDeps & {
  readonly upstreams: Upstreams;
  readonly memory: Memory;
  readonly sizes: ReturnType<typeof createSizes>;
  /** True while the gateway closes: what ends then is not the buyer's doing. */
  readonly isClosing: () => boolean;
  /** How long a capture that got no answer may still be under way before recovery looks, in ms. */
  readonly captureGraceMs: number;
};

/**
 * What the buyer gets: an answer that was paid for, an upstream's refusal that was not, or one that was, for which the
 * payer has a credit.
 */
export type Served =
  | { readonly kind: "paid"; readonly claim: Claim; readonly answer: UpstreamAnswer }
  | { readonly kind: "owed"; readonly claim: Claim; readonly answer: UpstreamAnswer | Problem }
  | { readonly kind: "unpaid"; readonly answer: UpstreamAnswer }
  | HandedOut
  | Streaming;

/** A payment that is held until the merchant's own server has made what it is for. */
export type HandedOut = {
  readonly kind: "handed_out";
  readonly claim: Claim;
  readonly tells: Readonly<Record<string, string>>;
};

/** Where a streamed answer goes. */
export type Sink = {
  /** Gives the buyer some of it; false once the buyer has gone. */
  write(chunk: Uint8Array): Promise<boolean>;
  /** Resolves once the buyer has gone, whether or not anything is written. */
  readonly gone: Promise<unknown>;
  /** It was whole: here is what proves that it is paid. */
  end(claim: Claim): void;
  /** It was not: nobody may take it for whole. */
  cut(): void;
};

/** An answer that leaves as it comes. Its head is sent first; then it must be delivered, whether or not somebody listens. */
export type Streaming = {
  readonly kind: "stream";
  readonly claim: Claim;
  readonly answer: Pick<UpstreamAnswer, "status" | "fields">;
  deliver(to: Sink): Promise<void>;
};

const slackMs = 10 * secondMs;

/** How long an upstream may be at work on a claim. */
export const leaseOf = ({ serveByS, timeoutMs }: PaidRoute): number =>
  Math.max(serveByS * secondMs, timeoutMs) + slackMs;

export const digestsOf = (claim: Claim, answer: Pick<UpstreamAnswer, "body">): Digests => ({
  request_digest: claim.request,
  response_digest: sha256b64url(answer.body),
});

/** A claim at its rail. */
export type Paying = { readonly claim: Claim; readonly rail: Rail };

/** Sets the money aside. A refusal frees the credential; no answer leaves the claim to recovery. */
export async function hold(
  deps: MoneyDeps,
  { claim, rail }: Paying,
): Promise<Extract<Outcome, { kind: "known" }>> {
  const outcome = await untilKnown(deps, () => rail.hold(claim));
  if (outcome.kind === "refused") {
    await letGo(deps, claim);
    throw outcome.problem;
  }
  if (outcome.kind === "unknown") {
    await leave(deps, claim);
    throw stillOpen(deps, claim, outcome);
  }
  const { standing, ids, problem } = outcome;
  if ((standing === "held" || standing === "committed") && problem === undefined) return outcome;
  if (standing === "asked") throw await waitForPrincipal(deps, claim, outcome);
  if (standing === "over") await moveOn(deps, claim, { state: "released", ...ids });
  else if (problem === undefined) {
    await leave(deps, claim);
    throw stillOpen(deps, claim, outcome);
  } else await release(deps, { claim: { ...claim, ...ids }, rail }, "cancelled");
  throw problem ?? new Problem("payment_declined");
}

/** How long after the time to answer nobody may have come back before recovery lets a purchase go. */
const comeBackMs = 15 * minuteMs;

/** The claim waits with its order, until its buyer comes back or may no longer. */
export function waitAgain(
  deps: MoneyDeps,
  claim: Claim,
  { standing, ids, openUntil }: Extract<Outcome, { kind: "known" }>,
): Promise<Claim> {
  const now = deps.clock.now();
  const leftMs = Math.max(0, (openUntil ?? now) - now);
  const leaseMs = standing === "asked" ? leftMs + comeBackMs : leftMs;
  return moveOn(deps, claim, { state: "waiting", ...ids, leaseMs });
}

/** 402 says until when the same credential may ask again (design: Retry-After). */
async function waitForPrincipal(
  deps: MoneyDeps,
  claim: Claim,
  outcome: Extract<Outcome, { kind: "known" }>,
): Promise<Problem> {
  await waitAgain(deps, claim, outcome);
  const { ids, openUntil = deps.clock.now() } = outcome;
  return new Problem("approval_required", {
    status: 402,
    headers: { "Retry-After": "2" },
    detail: "Its principal has been asked. Send the same request with the same credential again.",
    extra: { charge_id: ids.charge, approve_by: toRfc3339(openUntil) },
  });
}

/** No money was ever asked for: the credential is free. One that has been here before keeps its count of attempts. */
export async function letGo(deps: ClaimsDeps, claim: Claim): Promise<void> {
  if (claim.attempt === 1 && claim.charge === undefined) await forget(deps, claim);
  else await endUnpaid(deps, claim);
}

/** Asks again under the same key while there is no answer: the key makes it the same call. */
export async function untilKnown(
  { patienceMs, clock }: ClaimsDeps,
  call: () => Promise<Outcome>,
): Promise<Outcome> {
  const left = patience(patienceMs, clock);
  let outcome = await call();
  while (outcome.kind === "unknown" && outcome.mayPass && (await left.again())) outcome = await call();
  return outcome;
}

/** The rail has said that it will not give the money. */
export const isNo = (outcome: Outcome): outcome is Exclude<Outcome, { kind: "unknown" }> =>
  outcome.kind === "refused" || (outcome.kind === "known" && outcome.problem !== undefined);

/** Takes what is held, and nothing twice: what a rail will not give is released, what it does not say stays open. */
export async function take(deps: MoneyDeps, paying: Paying, digests: Digests): Promise<Ids> {
  const { claim, rail } = paying;
  const outcome = await untilKnown(deps, () => rail.capture(claim, digests));
  if (outcome.kind === "known" && outcome.standing === "captured") return outcome.ids;
  if (!isNo(outcome)) throw stillOpen(deps, claim, outcome);
  await release(deps, paying, "cancelled");
  throw outcome.problem ?? new Problem("payment_declined");
}

/** It was served and not paid. Of a card or a mandate somebody else keeps count. */
export async function unpaidAfterAll(deps: MoneyDeps, claim: Claim, error: unknown): Promise<never> {
  const isRefused = error instanceof Problem && error.code === "payment_declined";
  if (claim.rail === "x402" && isRefused) await countFailure(deps, claim);
  throw error;
}

/** The money is the merchant's: without a mandate the merchant says so itself. */
export function receiptFor(
  deps: MoneyDeps,
  { claim, rail }: Paying,
  of: { readonly merchant: Merchant; readonly ids: Ids; readonly digests: Partial<Digests> },
): string | undefined {
  const { merchant, ids, digests } = of;
  if (claim.rail === "mandate") return ids.receipt;
  invariant(rail.resource !== undefined, "a payment without a mandate says what it is for");
  const facts = {
    iss: merchant.origin,
    jti: newId("receipt"),
    merchant: merchant.id,
    resource: rail.resource,
    amount_minor: takenOf(claim),
    currency: claim.currency,
    rail: claim.rail,
    payment_reference: referenceOf(claim, ids),
    payer: claim.payer,
    livemode: deps.livemode,
    request_digest: claim.request,
    ...meteredIn(claim),
    ...(digests.response_digest !== undefined && { response_digest: digests.response_digest }),
  };
  return sign(makeMerchantReceipt(facts, deps.clock.now()), merchant.keys.offer);
}

/** Of a price by use: what was counted, and what each unit cost. */
function meteredIn({ meter, used, amountMinor }: Claim): Pick<MerchantReceipt, "metered"> {
  if (meter === undefined || used === undefined) return {};
  const { unit, amountMinor: amount_minor, quantity } = meter;
  return { metered: { unit, used, amount_minor, quantity, held_minor: amountMinor } };
}

/** What anybody can look the payment up by: a transaction of the chain, a payment of the card network. */
function referenceOf(claim: Claim, { reference = claim.reference, settlement }: Ids): string {
  const found = claim.rail === "card" ? reference : settlement;
  invariant(found !== undefined, "what is captured has a name at its rail");
  return found;
}

/**
 * Returns the money; false if nobody said yet that it is: then the durable `releasing` lets recovery look again. The answer
 * is kept until the release is agreed to, since a late capture may have come first and the answer is then the buyer's.
 */
export async function release(
  deps: MoneyDeps,
  { claim, rail }: Paying,
  reason: ReleaseCharge["reason"],
): Promise<boolean> {
  const { charge, reference } = claim;
  const releasing = await moveOn(deps, claim, { state: "releasing", ...idsOf(claim) });
  const isNamed = charge !== undefined || reference !== undefined;
  const outcome = isNamed ? await rail.release(claim, reason) : undefined;
  if (outcome !== undefined && !isOver(outcome)) {
    deps.log.warn({ claim: claim.id, outcome: outcome.kind }, "a payment could not be released yet");
    await leave(deps, releasing, secondMs);
    return false;
  }
  await endUnpaid(deps, releasing);
  return true;
}

const isOver = (outcome: Outcome): boolean =>
  outcome.kind === "known" && (outcome.standing === "over" || outcome.standing === "absent");

const idsOf = ({ charge, reference }: Claim): { charge?: Id<"charge">; reference?: string } => ({
  ...(charge !== undefined && { charge }),
  ...(reference !== undefined && { reference }),
});

/** Nothing was paid, so nothing is kept. */
export const endUnpaid = (deps: ClaimsDeps, claim: Claim): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "released",
    ...idsOf(claim),
    within: (tx) => dropResponse(tx, claim.id),
  });

/** 409 until it is resolved: the buyer must not pay again, and may come back with the same credential. */
export function stillOpen(deps: MoneyDeps, claim: Claim, outcome: Outcome): Problem {
  const cause = outcome.kind === "unknown" ? outcome.cause : undefined;
  deps.log.warn(
    { claim: claim.id, state: claim.state, error: cause },
    "the outcome of a payment is not known yet",
  );
  return new Problem("charge_in_progress", {
    status: 503,
    headers: { "Retry-After": "2" },
    detail: "Send the same request with the same credential again.",
  });
}
