import { fromNumericDate, type Instant, parseId, toBudgetUnits } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { admits, linesOf, mandateValidUntil, Problem, tokensOf } from "@remit/protocol";
import { standingOfAgent } from "../agents/index.ts";
import type { AskedBecause } from "../approvals/index.ts";
import {
  assertRoom,
  assetOfMandate,
  type Budget,
  findBudget,
  findChain,
  isFrozen,
  limitsFor,
  type Mandate,
  remainingAfter,
  type StandingLimit,
  takeHold,
  takeHoldWithCommit,
  velocityOf,
  whyAskPrincipal,
} from "../mandates/index.ts";
import { assertAccepted, type Policy, policyFor } from "../merchant-policies/index.ts";
import { keepPresented } from "../presented/index.ts";
import { asksAbove, assertUnblocked, type Rules, rulesOf } from "../rules/index.ts";
import { isSuspended } from "../suspended-assets/index.ts";
import { isTenantActive } from "../tenants/index.ts";
import { isTokenLive } from "../tokens/index.ts";
import { asPending, pendingPayload, putToPrincipal } from "./asking.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import { type Charge, chargesQueue } from "./charges.ts";
import { assertCredit, unlessInDebt } from "./credit.ts";
import type { ChargeEvent, Crossing } from "./crossing.ts";
import type { Evidence } from "./evidence.ts";
import { foundBy } from "./found-by.ts";
import { keepMerchantCharge } from "./merchant-charges.sql.ts";
import type { Merchant } from "./merchants.ts";
import { type Unpaid, unpaidAt } from "./tabs.sql.ts";
import { isToolChanged, rememberTool } from "./tool-pins.ts";

export type Holding = {
  readonly charge: Charge;
  readonly evidence: Evidence;
  readonly merchant: Merchant;
  readonly now: Instant;
  /** When recovery first looks at the charge: its driver is given until then. */
  readonly firstLook: Instant;
  /** `with_commit` may lose by `isNoRoom` where `first` says what is lacking. */
  readonly take: "first" | "with_commit";
};

/**
 * One transaction: claim of the presentation, charge, the payee's row, events, and the hold. Locks go mandate, agent,
 * charge, token, budget, windows, here and everywhere; the budget, for which all charges of a mandate wait, comes last and
 * right before the commit. A refusal rolls all of it back, the claim as well.
 */
export async function holdFor(
  deps: ChargesDeps,
  crossing: Crossing,
  holding: Holding,
): Promise<{ charge: Charge; first: boolean }> {
  const tx = await crossing.payer();
  const { evidence, merchant, now } = holding;
  const claim = claimOf(evidence, merchant);
  const expiresAt = mandateValidUntil(evidence.presented.mandate);
  // Asked for at once, carried out in this order: the claim comes first.
  const [isClaimed, seen] = await Promise.all([
    rows.claimPresentation(tx, { ...claim, charge: holding.charge.id, expiresAt }),
    readStanding(tx, holding),
  ]);
  if (!isClaimed) {
    const first = await firstBy(tx, claim);
    // A claim whose charge is not there belongs to a transaction that has just been rolled back.
    if (first === undefined) throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
    return { charge: first, first: false };
  }
  const { mandate, above, because, limits } = await standingMandate(tx, holding, seen);
  const begun = unlessInDebt(holding.charge, seen.unpaid);
  const made = { ...begun, instrument: parseId("instrument", mandate.details.instrument) };
  const charge = because === undefined ? made : asPending(made);
  const wanted = {
    mandate: mandate.id,
    charge: charge.id,
    amount: toBudgetUnits(charge.amount),
    asset: assetOfMandate(mandate.details),
    velocity: velocityOf(mandate.details),
    above: above.map(({ id, details }) => ({ mandate: id, velocity: velocityOf(details) })),
    limits,
    merchant: merchant.id,
    category: merchant.categories[0],
  };
  if (seen.isSuspended)
    throw new Problem("mandate_asset_not_accepted", { detail: "The issuer has suspended this token." });
  assertAccepted(seen.policy, { ...charge, issuer: deps.issuer });
  assertRoom(seen.budget, wanted);
  rows.insertCharge(tx, charge, foundBy(evidence.offer, merchant));
  const tokenExpiresAt = fromNumericDate(evidence.presented.accessToken.exp);
  await keepPresented(deps, tx, { charge: charge.id, presented: evidence.sent, tokenExpiresAt });
  const look = { charge: charge.id, tenant: charge.payer };
  await enqueue(tx, { queue: chargesQueue, key: charge.id, payload: look, runAt: holding.firstLook });
  const asked = because && { charge, mandate, because, evidence, merchant };
  if (asked !== undefined) await ask(deps, tx, asked);
  await keepMerchantCharge(crossing, charge);
  const held: ChargeEvent = {
    type: "charge.held",
    subject: charge.id,
    actor: { type: "agent", id: charge.agent },
    payload: heldPayload(charge),
    now,
  };
  await crossing.record(held, ...(because === undefined ? [] : [pendingEvent(charge, because, now)]));
  await assertCredit(await crossing.payer(), charge, deps.tabCredit);
  await (holding.take === "first" ? takeHold : takeHoldWithCommit)(await crossing.payer(), wanted);
  return { charge, first: true };
}

type Asking = Pick<Holding, "charge" | "evidence" | "merchant"> & {
  readonly mandate: Mandate;
  readonly because: AskedBecause;
};

/** The same transaction puts the question: nothing is held that nobody is asked about. */
async function ask(
  deps: ChargesDeps,
  tx: TenantTx,
  { charge, mandate, because, evidence, merchant }: Asking,
): Promise<void> {
  const remainingMinor = await remainingAfter(tx, mandate, toBudgetUnits(charge.amount));
  const { offer, presented } = evidence;
  const { reason } = presented;
  await putToPrincipal(deps, tx, { charge, mandate, offer, merchant, because, remainingMinor, reason });
}

const pendingEvent = (charge: Charge, because: AskedBecause, now: Instant): ChargeEvent => ({
  type: "charge.pending_approval",
  subject: charge.id,
  actor: { type: "system", id: "authorization-server" },
  payload: {
    mandate: charge.mandate,
    generation: charge.generation,
    ...pendingPayload(charge, { kind: "charge", because }),
  },
  now,
});

const heldPayload = (charge: Charge) => ({
  mandate: charge.mandate,
  agent: charge.agent,
  merchant: charge.merchant,
  amount_minor: Number(charge.amount.units),
  currency: charge.amount.asset.code,
  rail: charge.rail,
  offer_digest: charge.offer.digest,
  mandate_hash: charge.mandateHash,
  presentation_hash: charge.presentationHash,
  generation: charge.generation,
});

export const claimOf = ({ presented, digest }: Evidence, merchant: Merchant): rows.PresentationClaim => ({
  mandate: presented.mandate.jti,
  thumbprint: presented.agentThumbprint,
  merchant: merchant.id,
  kbNonce: presented.kbNonce,
  offerDigest: digest,
});

/** The charge that has the claim, if it is for the same offer; 409 `presentation_used` if it is for another. */
export async function firstBy(tx: TenantTx, claim: rows.PresentationClaim): Promise<Charge | undefined> {
  const found = await rows.findClaim(tx, claim);
  if (found === undefined) return undefined;
  if (found.offerDigest !== claim.offerDigest) throw new Problem("presentation_used");
  return rows.findCharge(tx, found.charge);
}

type Standing = {
  readonly mandate: Mandate;
  /** Those it was handed on from, the root first. */
  readonly above: readonly Mandate[];
  readonly because: AskedBecause | undefined;
  /** Those of the principal's own limits that it counts in. */
  readonly limits: readonly StandingLimit[];
};

/** What the database says of a charge that is about to be held. */
type Seen = {
  /** The mandate, and before it those it was handed on from, the root first. */
  readonly chain: readonly Mandate[];
  readonly isPayerActive: boolean;
  readonly isTokenLive: boolean;
  readonly rules: Rules;
  readonly policy: Policy | undefined;
  readonly budget: Budget | undefined;
  /** Of former tabs, for a purchase that would run on one. */
  readonly unpaid: Unpaid | undefined;
  /** Whether the operator has suspended the token that it is paid in. */
  readonly isSuspended: boolean;
};

/** All of it in one message, in the order of the locks. */
async function readStanding(tx: TenantTx, { charge, evidence }: Holding): Promise<Seen> {
  const { transfer } = evidence.offer;
  const [chain, isPayerActive, isLive, rules, policy, budget, unpaid, suspended] = await Promise.all([
    findChain(tx, charge.mandate),
    isTenantActive(tx, charge.payer),
    isTokenLive(tx, charge.token, "share"),
    rulesOf(tx),
    policyFor(tx, charge),
    findBudget(tx, charge.mandate),
    charge.tabLimit === undefined ? undefined : unpaidAt(tx, charge),
    charge.rail === "x402" && transfer !== undefined && isSuspended(tx, tokensOf(transfer).asset),
  ]);
  return { chain, isPayerActive, isTokenLive: isLive, rules, policy, budget, unpaid, isSuspended: suspended };
}

/**
 * The mandate as the database has it, and those it was handed on from, share-locked from the root down, once each of them
 * and the principal's rules admit the purchase, and all that it needs still stands. Rules change under a lock of all
 * mandates: what is read of them after the chain's holds until the commit.
 */
async function standingMandate(
  tx: TenantTx,
  { charge, evidence, merchant, now }: Holding,
  { chain, rules, ...live }: Seen,
): Promise<Standing> {
  const [mandate, above] = [chain.at(-1), chain.slice(0, -1)];
  if (mandate === undefined) throw new Problem("mandate_malformed", { detail: "The mandate is unknown." });
  for (const one of chain) assertAdmitted(one, { charge, merchant, evidence });
  if (mandate.agent !== charge.agent)
    throw new Problem("mandate_holder_mismatch", { detail: "The token is another agent's." });
  if (mandate.holderThumbprint !== evidence.presented.agentThumbprint)
    throw new Problem("mandate_holder_mismatch", { detail: "The mandate is bound to another key." });
  for (const one of above) await assertAboveLive(tx, one, now);
  await assertLive(tx, mandate, { charge, now, ...live });
  assertUnblocked(rules, { merchantOrigin: merchant.origin, categories: merchant.categories });
  const { currency } = mandate.details;
  const limits = limitsFor(rules.limits, { currency, agents: chain.map(({ agent }) => agent) });
  const bought = { root: (chain[0] ?? mandate).id, charge, offer: evidence.offer };
  const because = (await isToolChanged(tx, bought))
    ? "tool_changed"
    : await whyAsked(tx, chain, { charge, rules });
  const isOther = because === undefined && !(await rememberTool(tx, bought));
  return { mandate, above, because: isOther ? "tool_changed" : because, limits };
}

/** Why the principal is asked first, if so: each of a chain may want it, and the principal's rules. */
export async function whyAsked(
  tx: TenantTx,
  chain: readonly Mandate[],
  { charge, rules }: { readonly charge: Charge; readonly rules: Rules },
): Promise<AskedBecause | undefined> {
  const currency = chain[0]?.details.currency ?? charge.amount.asset.code;
  if (asksAbove(rules, { amount: toBudgetUnits(charge.amount), currency })) return "above_limit";
  const wanting = chain.filter(({ details }) => details.step_up !== undefined);
  if (wanting.length === 0) return undefined;
  const firstAtMerchant = !(await rows.hasBoughtAt(tx, charge.mandate, charge.merchant));
  const purchase = { amount: toBudgetUnits(charge.amount), firstAtMerchant };
  for (const { details } of wanting) {
    const because = whyAskPrincipal(details, purchase);
    if (because !== undefined) return because;
  }
  return undefined;
}

export function assertAdmitted(
  { details }: Mandate,
  {
    charge,
    merchant,
    evidence: { offer },
  }: Pick<Holding, "charge" | "merchant"> & { readonly evidence: Pick<Evidence, "offer"> },
): void {
  // Over a chain it is the token that is paid: the mandate must list it.
  const { transfer } = offer;
  const amount = charge.rail === "x402" && transfer !== undefined ? tokensOf(transfer) : charge.amount;
  const admission = admits(details, {
    amount,
    merchantOrigin: merchant.origin,
    categories: merchant.categories,
    rail: charge.rail,
    offerDigest: charge.offer.digest,
    lines: linesOf(offer),
  });
  if (admission.kind === "refused") throw new Problem(admission.because);
}

/** Who handed it on must still stand too: nobody spends by the word of an agent that was stopped (O10). */
async function assertAboveLive(tx: TenantTx, mandate: Mandate, now: Instant): Promise<void> {
  assertStands(mandate, now);
  if ((await standingOfAgent(tx, mandate.agent))?.status !== "active")
    throw new Problem("mandate_suspended", { detail: "An agent that handed it on was stopped." });
}

function assertStands(mandate: Mandate, now: Instant): void {
  if (mandate.state === "revoked") throw new Problem("mandate_revoked");
  if (mandate.state === "suspended") throw new Problem("mandate_suspended");
  if (now >= mandate.expiresAt) throw new Problem("mandate_expired");
}

/** Token, agent and mandate, each from its own row (A11, O08): never from a list, a cache or the token itself. */
async function assertLive(
  tx: TenantTx,
  mandate: Mandate,
  seen: Pick<Holding, "charge" | "now"> & Pick<Seen, "isPayerActive" | "isTokenLive">,
): Promise<void> {
  const { charge, now } = seen;
  // The brake's own word: resuming the mandate would not help.
  if (isFrozen(mandate)) throw new Problem("agent_frozen");
  assertStands(mandate, now);
  if (!seen.isPayerActive)
    throw new Problem("mandate_suspended", { detail: "The principal's organization is suspended." });
  // Says of the agent, too, that it is active and has the key that token and mandate are bound to.
  if (seen.isTokenLive) return;
  const agent = await standingOfAgent(tx, charge.agent);
  if (agent?.status !== "active") throw new Problem("agent_suspended");
  if (agent.dpopThumbprint !== mandate.holderThumbprint)
    throw new Problem("mandate_holder_mismatch", { detail: "The agent's key has changed." });
  throw new Problem("token_revoked");
}
