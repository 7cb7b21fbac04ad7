import { type Instant, secondMs } from "@remit/kernel";
import {
  canonicalise,
  evmRequest,
  exactRequirement,
  mppTransferNonce,
  type PaymentRequirement,
  Problem,
  transferPayload,
} from "@remit/protocol";
import type { PaidRoute, X402Way } from "../offers/index.ts";
import { transferRequirementOf, transferTermsOf, type Wanted } from "../paywall/index.ts";
import { answersChallenge, asksAsNow, isBoundHere } from "./challenge.ts";
import type { TransferCredential } from "./credentials.ts";
import { wayOfTransfer } from "./transfer-way.ts";
import type { VerifiedCredential, VerifierDeps } from "./verified.ts";

/** Shorter than this no chain can be relied on to settle in time (as facilitators have it). */
const leftSMin = 6n;
/** What is settled for its use is served meanwhile, and settled by the last minute. */
const leftSMinByUse = 120;
const settleS = 60;
/** How far the payer's clock may be ahead. What is good for longer could be charged when nobody expects it any more. */
const aheadSMax = 60;

/**
 * A transfer that the payer has signed: for one of our ways, bound to this request where the protocol lets us bind it,
 * of the right amount to the right payee and in time. Whether the signature holds and the money is there is asked of the
 * chain, by the rail.
 */
export function verifyTransferPayment(
  deps: VerifierDeps,
  wanted: Wanted,
  { credential, now }: { readonly credential: TransferCredential; readonly now: Instant },
): Omit<VerifiedCredential, "credential"> {
  const way = wayOfTransfer(wanted.route, credential);
  if (way === undefined) throw notOurs(credential, wanted);
  const { accepted, challenge, transfer } = credential;
  answersChallenge(deps, wanted, { challenge, now });
  if (challenge !== undefined) {
    asksAsNow(challenge, evmRequest({ ...transferTermsOf(way), decimals: way.asset.decimals }));
    if (transfer.authorization.nonce !== mppTransferNonce(challenge)) throw refused("nonce_mismatch");
  }
  const ours = transferRequirementOf(deps, way);
  if (ours === undefined) throw notOurs(credential, wanted);
  if (accepted !== undefined) acceptsOurs(deps, wanted, { accepted, ours, now });
  inTime(transfer, { way, route: wanted.route, now });
  const { from } = transfer.authorization;
  return {
    rail: "x402",
    agent: `${way.network}:${from}`,
    payer: from,
    order: {
      payload: transferPayload(transfer),
      requirements: ours,
      decimals: way.asset.decimals,
      ...(way.confirmations !== undefined && { confirmations: way.confirmations }),
      ...facilitatorOf(way, wanted),
      resource: { method: wanted.method, url: wanted.url },
    },
  };
}

function facilitatorOf(way: X402Way, { route }: Wanted): { facilitator?: string } {
  const facilitator = way.facilitator ?? route.merchant.accounts.facilitator;
  return facilitator.kind === "remote" ? { facilitator: facilitator.url } : {};
}

/** The echo must be our entry as we make it now; what it says is never taken for what we ask (M16). */
function acceptsOurs(
  deps: VerifierDeps,
  wanted: Wanted,
  {
    accepted,
    ours,
    now,
  }: { readonly accepted: PaymentRequirement; readonly ours: PaymentRequirement; readonly now: Instant },
): void {
  const { binding, ...extra } = accepted.extra;
  if (!isBoundHere(deps, wanted, { binding, now }))
    throw new Problem("challenge_invalid", { detail: "This entry was made for another request." });
  const same =
    accepted.scheme === ours.scheme &&
    accepted.amount === ours.amount &&
    accepted.payTo.toLowerCase() === ours.payTo.toLowerCase() &&
    canonicalise(extra) === canonicalise(ours.extra);
  if (!same) throw new Problem("offer_changed", { status: 402 });
}

function inTime(
  { authorization: { value, validAfter, validBefore } }: TransferCredential["transfer"],
  { way, route, now }: { readonly way: X402Way; readonly route: PaidRoute; readonly now: Instant },
): void {
  const seconds = BigInt(Math.floor(now / secondMs));
  if (value !== way.amount) throw refused("payload_authorization_value_mismatch");
  const { maxTimeoutSeconds } = exactRequirement(transferTermsOf(way));
  const latest = seconds + BigInt(maxTimeoutSeconds + aheadSMax);
  const least = seconds + (way.scheme === "upto" ? leftSByUse(route) : leftSMin);
  if (validBefore < least || validBefore > latest) throw refused("payload_authorization_valid_before");
  if (validAfter > seconds) throw refused("payload_authorization_valid_after");
}

/** A stream is ended in time; of an answer that leaves whole, all of it is waited for. */
const leftSByUse = ({ deliver, serveByS }: PaidRoute): bigint =>
  BigInt(deliver === "stream" ? leftSMinByUse : Math.max(leftSMinByUse, serveByS + settleS));

/** In the words that clients of x402 know. */
const refused = (reason: string): Problem =>
  new Problem("payment_invalid", { extra: { reason: `invalid_exact_evm_${reason}` } });

function notOurs({ accepted, network }: TransferCredential, { route }: Wanted): Problem {
  const chain = accepted?.network ?? network;
  const known = route.ways.some(
    (way) => way.rail === "x402" && (chain === undefined || way.network === chain),
  );
  if (known) return refused("recipient_mismatch");
  return new Problem("no_acceptable_payment", { detail: "This resource is not sold on that chain." });
}
