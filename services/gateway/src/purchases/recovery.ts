import { hourMs, minuteMs, secondMs, unreachable } from "@remit/kernel";
import type { ChargeBody } from "@remit/protocol/contracts";
import { CreateCharge } from "@remit/protocol/contracts";
import { sha256b64url } from "@remit/protocol/node";
import type { ChargeApi, ChargeOutcome } from "../charging/index.ts";
import { abandon, type Claim, decideRecovery, dueClaims, orderOf } from "../claims/index.ts";
import type { Merchant, Offers } from "../offers/index.ts";
import { openResponse } from "../responses/index.ts";
import { endUnpaid, type PurchaseDeps, release, settle } from "./purchase.ts";

export type RecoveryDeps = PurchaseDeps & { readonly offers: () => Offers };

const lanesMax = 8;
const againMsMax = minuteMs;
/** A claim has generation 2 when recovery has taken it over once: it is looked at again after 1 s, then 2 s, 4 s … */
const againMs = ({ generation }: Claim): number =>
  Math.min(againMsMax, secondMs * 2 ** Math.min(generation - 2, 10));
// The authorization server lets go of a charge that was not captured by its serve_by, which is at most 15 minutes.
const heldMsMax = hourMs;

/**
 * Finishes what a crash, or a charge API that did not answer, left open; a few claims at once, so that none waits for one
 * that is stuck. Returns how many claims came to an end. Once told to stop, it takes no further claim.
 */
export async function recoverClaims(deps: RecoveryDeps, signal: AbortSignal): Promise<number> {
  let ended = 0;
  const due = dueClaims(deps);
  const lane = async (): Promise<void> => {
    for await (const claim of due) {
      if (await recoverOrLeave(deps, claim)) ended += 1;
      if (signal.aborted) break;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: lanesMax }, lane));
  for (const done of lanes) if (done.status === "rejected") throw done.reason;
  return ended;
}

async function recoverOrLeave(deps: RecoveryDeps, claim: Claim): Promise<boolean> {
  const isOver = await recover(deps, claim).catch((error: unknown) => {
    deps.log.error({ claim: claim.id, error }, "a purchase could not be recovered yet");
    return false;
  });
  if (isOver) return true;
  await abandon(deps, claim, againMs(claim));
  return false;
}

/** True when the claim has come to its end. */
async function recover(deps: RecoveryDeps, claim: Claim): Promise<boolean> {
  const merchant = merchantOf(deps.offers(), claim);
  if (merchant === undefined) {
    deps.log.error(
      { claim: claim.id, merchant: claim.merchant },
      "a merchant with an open purchase is not in the offers file",
    );
    return false;
  }
  const api = deps.charging.of(merchant);
  const outcome = await chargeOf(deps, api, claim);
  if (outcome.kind === "unknown") return await letGo(deps, claim);
  deps.log.info({ claim: claim.id, state: claim.state, outcome: outcome.kind }, "recovering a purchase");
  if (outcome.kind === "known") return await act(deps, api, { claim, charge: outcome.charge });
  // A charge that was refused, or that nobody has heard of, holds no money.
  await endUnpaid(deps, claim);
  return true;
}

/** Nobody answers: a claim that never learnt of a charge ends once no charge of its time can still be open. */
async function letGo(deps: RecoveryDeps, claim: Claim): Promise<boolean> {
  if (claim.charge !== undefined || deps.clock.now() - claim.createdAt < heldMsMax) return false;
  await endUnpaid(deps, claim);
  return true;
}

/** What became of the charge. Before its id was written, the same POST under the same key tells. */
async function chargeOf(deps: RecoveryDeps, api: ChargeApi, claim: Claim): Promise<ChargeOutcome> {
  if (claim.charge !== undefined) return await api.read(claim.charge);
  return await api.create(CreateCharge.parse(await orderOf(deps, claim)), claim.id);
}

async function act(
  deps: RecoveryDeps,
  api: ChargeApi,
  { claim, charge }: { claim: Claim; charge: ChargeBody },
): Promise<boolean> {
  const known = { ...claim, charge: charge.id };
  const decision = decideRecovery(charge.status);
  switch (decision) {
    case "settled":
      return (await settle(deps, known, charge)).state === "captured";
    case "given_up":
      await endUnpaid(deps, known);
      return true;
    case "capture":
      return await captureAgain(deps, api, known);
    case "release":
      // M03, M04, M05: the buyer got nothing, so the buyer pays nothing.
      return await release(deps, api, { claim: known, reason: "abandoned" });
    default:
      return unreachable(decision);
  }
}

/** Past the commit point: the money is the merchant's and the answer the buyer's. */
async function captureAgain(
  deps: RecoveryDeps,
  api: ChargeApi,
  claim: Claim & { readonly charge: ChargeBody["id"] },
): Promise<boolean> {
  const answer = await deps.db
    .of(claim.tenant)
    .transaction((tx) => openResponse(tx, deps.keyring, { claim: claim.id, now: deps.clock.now() }));
  if (answer === undefined) return false;
  const digests = { request_digest: claim.request, response_digest: sha256b64url(answer.body) };
  const outcome = await api.capture(claim.charge, digests, claim.id);
  if (outcome.kind !== "known" || outcome.charge.status !== "captured") return false;
  await settle(deps, claim, outcome.charge);
  return true;
}

function merchantOf(offers: Offers, claim: Claim): Merchant | undefined {
  for (const { merchant } of offers.values())
    if (merchant.id === claim.merchant && merchant.tenant === claim.tenant) return merchant;
  return undefined;
}
