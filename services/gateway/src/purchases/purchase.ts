import { type Clock, type Id, newId, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { Keyring } from "@remit/platform/keys";
import type { Log } from "@remit/platform/telemetry";
import { canonicalise, Problem } from "@remit/protocol";
import type { ChargeBody, ReleaseCharge } from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import type { ChargeApi, ChargeOutcome, Charging, Digests, Order } from "../charging/index.ts";
import { isHeld } from "../charging/index.ts";
import {
  abandon,
  type Claim,
  type ClaimsDeps,
  forget,
  leave,
  moveOn,
  type NewClaim,
} from "../claims/index.ts";
import type { Credential, VerifiedCredential } from "../credentials/index.ts";
import { holdOf, type PaidRoute } from "../offers/index.ts";
import { patience } from "../patience.ts";
import { type Fields, type UpstreamAnswer, type Upstreams, upwardFields } from "../proxy/index.ts";
import { dropResponse, keepResponse } from "../responses/index.ts";

/** A request for a paid route, read whole. */
export type PaidRequest = {
  readonly route: PaidRoute;
  readonly method: string;
  readonly url: string;
  /** Path and query: what was matched is what the upstream gets. */
  readonly target: string;
  readonly fields: Fields;
  readonly body: Uint8Array | undefined;
  readonly bodySha256?: Uint8Array;
  readonly idempotencyKey?: string;
};

export type PurchaseDeps = ClaimsDeps & {
  readonly charging: Charging;
  readonly upstreams: Upstreams;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a capture that got no answer may still be under way before recovery looks, in ms. */
  readonly captureGraceMs: number;
};

/** What the buyer gets: an answer that was paid for, or an upstream's refusal that was not. */
export type Served =
  | { readonly kind: "paid"; readonly claim: Claim; readonly answer: UpstreamAnswer }
  | { readonly kind: "unpaid"; readonly answer: UpstreamAnswer };

const responseBytesMax = 8 * 1024 * 1024;
const slackMs = 10 * secondMs;

export const digestOfRequest = ({ method, url, bodySha256 }: PaidRequest): string =>
  sha256b64url(
    canonicalise({
      method,
      url,
      body_digest: bodySha256 === undefined ? null : Buffer.from(bodySha256).toString("base64url"),
    }),
  );

/** Of the bytes as they came, presentation and token: who has both is who paid. */
export const digestOfCredential = ({ presentation, accessToken }: Credential): string =>
  sha256b64url(`${presentation}.${accessToken}`);

/** The claim that a verified credential makes for a request, and what the charge API is to be told. */
export function claimFor(
  request: PaidRequest,
  used: { readonly credential: Credential; readonly verified: VerifiedCredential; readonly clock: Clock },
): { readonly fresh: NewClaim; readonly order: Order } {
  const { merchant, id: route, serveByS } = request.route;
  const price = holdOf(request.route.price);
  const { credential, verified } = used;
  const now = used.clock.now();
  const fresh: NewClaim = {
    tenant: merchant.tenant,
    id: newId("claim"),
    credential: verified.credential,
    presentation: digestOfCredential(credential),
    request: digestOfRequest(request),
    merchant: merchant.id,
    route,
    agent: verified.agent,
    payer: verified.payer,
    ...(request.idempotencyKey === undefined ? {} : { idempotencyKey: request.idempotencyKey }),
    amountMinor: Number(price.units),
    currency: price.asset.code,
    createdAt: now,
    updatedAt: now,
  };
  const order: Order = {
    offer: credential.offer,
    presentation: credential.presentation,
    access_token: credential.accessToken,
    merchant_nonce: credential.merchantNonce,
    capture: "manual",
    serve_by_s: serveByS,
  };
  return { fresh, order };
}

/**
 * The whole purchase of a claim that is ours: hold, serve, keep, capture. Each step is written before it is taken, and
 * nothing of the answer leaves before the capture. Runs to its end whether or not the buyer still listens (M13).
 */
export async function purchase(
  deps: PurchaseDeps,
  request: PaidRequest,
  started: { claim: Claim; order: Order },
): Promise<Served> {
  let claim = started.claim;
  try {
    await failpoint("gateway.claimed");
    const api = deps.charging.of(request.route.merchant);
    const charge = await hold(deps, api, { claim, order: started.order });
    const leaseMs = request.route.serveByS * secondMs + slackMs;
    claim = await moveOn(deps, claim, { state: "serving", charge: charge.id, leaseMs });
    await failpoint("gateway.charged");
    await failpoint("gateway.serving");
    const answer = await serve(deps, request, { charge, payer: claim.payer }).catch((problem: unknown) =>
      asProblem(problem),
    );
    if (answer instanceof Problem || answer.status >= 400) {
      await release(deps, api, { claim, reason: reasonOf(answer) });
      if (answer instanceof Problem) throw answer;
      return { kind: "unpaid", answer };
    }
    claim = await keep(deps, claim, answer);
    await failpoint("gateway.served");
    await failpoint("gateway.capturing");
    claim = await capture(deps, api, { claim, charge: charge.id, digests: digestsOf(claim, answer) });
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

/** Sets the money aside. A refusal frees the credential; no answer leaves the claim to recovery. */
async function hold(
  deps: PurchaseDeps,
  api: ChargeApi,
  { claim, order }: { claim: Claim; order: Order },
): Promise<ChargeBody> {
  const outcome = await untilKnown(deps, () => api.create(order, claim.id));
  if (outcome.kind === "known" && isHeld(outcome.charge.status)) return outcome.charge;
  if (outcome.kind === "refused") {
    await forget(deps, claim);
    throw outcome.problem;
  }
  if (outcome.kind === "known" && ["declined", "released", "expired"].includes(outcome.charge.status)) {
    await moveOn(deps, claim, { state: "released", charge: outcome.charge.id });
    throw ended(outcome.charge);
  }
  await leave(deps, claim);
  throw stillOpen(deps, claim, outcome);
}

function ended(charge: ChargeBody): Problem {
  const code = charge.status === "declined" ? "payment_declined" : "presentation_used";
  const decline = charge.decline_code;
  return new Problem(code, {
    status: 402,
    ...(decline !== undefined && { extra: { decline_code: decline } }),
  });
}

/** Asks again under the same key while there is no answer: the key makes it the same call. */
async function untilKnown(
  { patienceMs, clock }: PurchaseDeps,
  call: () => Promise<ChargeOutcome>,
): Promise<ChargeOutcome> {
  const left = patience(patienceMs, clock);
  let outcome = await call();
  while (outcome.kind === "unknown" && outcome.mayPass && (await left.again())) outcome = await call();
  return outcome;
}

/** Calls the upstream as ours: who pays is what the charge says, whatever the buyer's headers said. */
async function serve(
  deps: PurchaseDeps,
  request: PaidRequest,
  { charge, payer }: { readonly charge: ChargeBody; readonly payer: string },
): Promise<UpstreamAnswer> {
  const { route } = request;
  return await deps.upstreams.fetch({
    origin: route.upstream,
    method: request.method,
    target: request.target,
    fields: upwardFields(request.fields, {
      Host: new URL(route.upstream).host,
      "X-Forwarded-Host": new URL(route.merchant.origin).host,
      "X-Forwarded-Proto": new URL(route.merchant.origin).protocol.slice(0, -1),
      "X-Payment-Payer": payer,
      "X-Remit-Agent": charge.agent_id,
      "X-Remit-Mandate": charge.mandate_id,
    }),
    body: request.body,
    timeoutMs: route.timeoutMs,
    bodyBytesMax: responseBytesMax,
  });
}

const asProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error;
  throw error;
};

const reasonOf = (answer: UpstreamAnswer | Problem): ReleaseCharge["reason"] =>
  answer instanceof Problem && answer.code === "upstream_timeout" ? "upstream_timeout" : "upstream_failed";

/** Writes the whole answer down, in the transaction that says it will be captured. */
const keep = (deps: PurchaseDeps, claim: Claim, answer: UpstreamAnswer): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "capturing",
    within: (tx) => keepResponse(tx, deps.keyring, { claim: claim.id, answer, now: deps.clock.now() }),
  });

const digestsOf = (claim: Claim, answer: UpstreamAnswer): Digests => ({
  request_digest: claim.request,
  response_digest: sha256b64url(answer.body),
});

/** The commit: once the charge is captured the answer is the buyer's, before it is nobody's. */
async function capture(
  deps: PurchaseDeps,
  api: ChargeApi,
  { claim, charge, digests }: { claim: Claim; charge: Id<"charge">; digests: Digests },
): Promise<Claim> {
  const outcome = await untilKnown(deps, () => api.capture(charge, digests, claim.id));
  if (outcome.kind === "known" && outcome.charge.status === "captured")
    return await settle(deps, claim, outcome.charge);
  if (outcome.kind === "refused") {
    await release(deps, api, { claim, reason: "cancelled" });
    throw outcome.problem;
  }
  throw stillOpen(deps, claim, outcome);
}

export const settle = (deps: ClaimsDeps, claim: Claim, charge: ChargeBody): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "captured",
    ...(charge.receipt !== undefined && { receipt: charge.receipt }),
  });

/**
 * Returns the money; false if nobody said yet that it is: then the durable `releasing` lets recovery look again. The answer
 * is kept until the release is agreed to, since a late capture may have come first and the answer is then the buyer's.
 */
export async function release(
  deps: PurchaseDeps,
  api: ChargeApi,
  { claim, reason }: { readonly claim: Claim; readonly reason: ReleaseCharge["reason"] },
): Promise<boolean> {
  const { charge } = claim;
  const releasing = await moveOn(deps, claim, {
    state: "releasing",
    ...(charge !== undefined && { charge }),
  });
  const outcome = charge === undefined ? undefined : await api.release(charge, reason, claim.id);
  if (outcome !== undefined && !(outcome.kind === "known" && isOver(outcome.charge))) {
    deps.log.warn({ claim: claim.id, outcome: outcome.kind }, "a charge could not be released yet");
    await leave(deps, releasing, secondMs);
    return false;
  }
  await endUnpaid(deps, releasing);
  return true;
}

/** Nothing was paid, so nothing is kept. */
export const endUnpaid = (deps: ClaimsDeps, claim: Claim): Promise<Claim> =>
  moveOn(deps, claim, {
    state: "released",
    ...(claim.charge !== undefined && { charge: claim.charge }),
    within: (tx) => dropResponse(tx, claim.id),
  });

const isOver = ({ status }: ChargeBody): boolean => ["released", "declined", "expired"].includes(status);

/** 409 until it is resolved: the buyer must not pay again, and may come back with the same credential. */
function stillOpen(deps: PurchaseDeps, claim: Claim, outcome: ChargeOutcome): Problem {
  const cause = outcome.kind === "unknown" ? outcome.cause : undefined;
  deps.log.warn(
    { claim: claim.id, state: claim.state, error: cause },
    "the outcome of a charge is not known yet",
  );
  return new Problem("charge_in_progress", {
    status: 503,
    headers: { "Retry-After": "2" },
    detail: "Send the same request with the same credential again.",
  });
}
