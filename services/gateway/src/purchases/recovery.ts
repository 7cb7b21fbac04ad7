import { hourMs, minuteMs, secondMs, unreachable } from "@remit/kernel";
import type { Ids, Outcome } from "../charging/index.ts";
import {
  abandon,
  type Claim,
  decideRecovery,
  dueClaims,
  isMeteredStream,
  moveOn,
  takenOf,
} from "../claims/index.ts";
import { countFailure } from "../failures/index.ts";
import type { Merchant, Offers } from "../offers/index.ts";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { openResponse } from "../responses/index.ts";
import { digestsOf, endUnpaid, isNo, type Paying, type PurchaseDeps, release, waitAgain } from "./money.ts";
import { owe } from "./owing.ts";
import { settle } from "./settle.ts";
import { streamedDigests } from "./stream.ts";

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
  const rail = merchant === undefined ? undefined : await deps.rails.of(merchant, claim);
  if (merchant === undefined || rail === undefined) {
    deps.log.error(
      { claim: claim.id, merchant: claim.merchant },
      "a merchant with an open purchase is not in the offers file, or has not the account that was to be paid",
    );
    return false;
  }
  const outcome = await rail.read(claim);
  if (outcome.kind === "unknown") return await letGo(deps, claim);
  deps.log.info({ claim: claim.id, state: claim.state, outcome: outcome.kind }, "recovering a purchase");
  if (outcome.kind === "known") return await act(deps, { claim, rail, merchant, outcome });
  // A payment that was refused, or that nobody has heard of, holds no money.
  await endUnpaid(deps, claim);
  return true;
}

/** Nobody answers: a claim that never learnt of a charge ends once no charge of its time can still be open. */
async function letGo(deps: RecoveryDeps, claim: Claim): Promise<boolean> {
  if (claim.rail !== "mandate" || claim.charge !== undefined) return false;
  if (deps.clock.now() - claim.createdAt < heldMsMax) return false;
  await endUnpaid(deps, claim);
  return true;
}

type Found = Paying & {
  readonly merchant: Merchant;
  readonly outcome: Extract<Outcome, { kind: "known" }>;
};

async function act(deps: RecoveryDeps, found: Found): Promise<boolean> {
  const { claim, outcome } = found;
  const known = { ...found, claim: { ...claim, ...outcome.ids } };
  const { standing, openUntil } = outcome;
  const open = openUntil !== undefined && deps.clock.now() < openUntil;
  const decision = decideRecovery(claim, { standing, open });
  switch (decision) {
    case "settled":
      return await settleFound(deps, known, outcome.ids);
    case "wait":
      await waitAgain(deps, known.claim, outcome);
      return true;
    case "given_up":
      await endUnpaid(deps, known.claim);
      return true;
    case "capture":
      return isMeteredStream(claim) ? await captureUse(deps, known) : await captureAgain(deps, known);
    case "release":
      // M03, M04, M05: the buyer got nothing, so the buyer pays nothing.
      return await release(deps, known, "abandoned");
    default:
      return unreachable(decision);
  }
}

const keptAnswer = (deps: RecoveryDeps, claim: Claim): Promise<UpstreamAnswer | undefined> =>
  deps.db
    .of(claim.tenant)
    .transaction((tx) => openResponse(tx, deps.keyring, { claim: claim.id, now: deps.clock.now() }));

/** The money has moved. Without an answer to show for it the goods are owed, whoever it was that moved it. */
async function settleFound(deps: RecoveryDeps, found: Found, ids: Ids): Promise<boolean> {
  const { claim, merchant } = found;
  if (isMeteredStream(claim))
    return (
      (await settle(deps, found, { ids, digests: streamedDigests(claim), merchant })).state === "captured"
    );
  const answer = await keptAnswer(deps, claim);
  if (answer === undefined && (claim.rail !== "mandate" || claim.deliver === "stream"))
    return (await owe(deps, found, { ids, merchant })).state === "owed";
  const digests = answer === undefined ? {} : digestsOf(claim, answer);
  return (await settle(deps, found, { ids, digests, merchant })).state === "captured";
}

/** Of what was streamed, what was written down last is taken: written down again first, as what is taken. */
async function captureUse(deps: RecoveryDeps, found: Found): Promise<boolean> {
  const { rail, merchant } = found;
  const claim = await moveOn(deps, found.claim, { state: "capturing", capturedMinor: takenOf(found.claim) });
  const digests = streamedDigests(claim);
  const outcome = await rail.capture(claim, digests);
  if (claim.rail !== "mandate" && isNo(outcome)) {
    if (claim.rail === "x402") await countFailure(deps, claim);
    return await release(deps, { claim, rail }, "cancelled");
  }
  if (outcome.kind !== "known" || outcome.standing !== "captured") return false;
  await settle(deps, { claim, rail }, { ids: outcome.ids, digests, merchant });
  return true;
}

/** Past the commit point: the money is the merchant's and the answer the buyer's. Without the answer there is no sale. */
async function captureAgain(deps: RecoveryDeps, found: Found): Promise<boolean> {
  const { claim, rail, merchant } = found;
  const answer = await keptAnswer(deps, claim);
  if (answer === undefined) return claim.rail !== "mandate" && (await release(deps, found, "cancelled"));
  const digests = digestsOf(claim, answer);
  const outcome = await rail.capture(claim, digests);
  // What a rail will not give any more is let go of; a charge says itself what became of it, at the next look.
  if (claim.rail !== "mandate" && isNo(outcome)) {
    if (claim.rail === "x402") await countFailure(deps, claim);
    return await release(deps, found, "cancelled");
  }
  if (outcome.kind !== "known" || outcome.standing !== "captured") return false;
  await settle(deps, found, { ids: outcome.ids, digests, merchant });
  return true;
}

function merchantOf(offers: Offers, claim: Claim): Merchant | undefined {
  for (const { merchant } of offers.values())
    if (merchant.id === claim.merchant && merchant.tenant === claim.tenant) return merchant;
  return undefined;
}
