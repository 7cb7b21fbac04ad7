import { after, invariant, money, toBudgetUnits } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { addsOnlyTaxOrShipping, keyIdOf, type Offer, Problem } from "@remit/protocol";
import { offerDigest, verifyOffer } from "@remit/protocol/node";
import { findChain, growHold, limitsFor, velocityOf } from "../mandates/index.ts";
import { assertAccepted, policyFor } from "../merchant-policies/index.ts";
import { rulesOf } from "../rules/index.ts";
import { amendCharge, amendMerchantCharge } from "./amendments.sql.ts";
import { lockForCommit, merchantOf } from "./capture-charge.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { type Amended, type Charge, chargesQueue, firstLook } from "./charges.ts";
import { mayCapture } from "./commit-point.ts";
import { type Crossing, cross } from "./crossing.ts";
import { drive } from "./drive.ts";
import { offerIn } from "./evidence.ts";
import { assertAdmitted, whyAsked } from "./hold-charge.ts";
import type { Merchant } from "./merchants.ts";
import { chargeNow, LostRace } from "./transitions.ts";

/** What the merchant says when tax or shipping is known: the same offer with it, signed (O13). */
export type AmendOrder = { readonly offer: string };

type Amending = { readonly offer: Offer; readonly amended: Amended; readonly merchant: Merchant };

/**
 * Adds tax or shipping to a purchase that is held and has not passed its commit point, as far as the mandate lets it: the
 * greater amount is held of the budget in the transaction that decides, then of the card, whose former hold is let go of
 * first. The same offer again is the same amendment. Nobody is asked: what would have been put to the principal is refused.
 */
export async function amend(deps: ChargesDeps, charge: Charge, order: AmendOrder): Promise<Charge> {
  const amending = await verified(deps, charge, order);
  if (charge.amended?.digest === amending.amended.digest) return goOn(deps, charge);
  try {
    const amended = await cross(deps.db, charge, (crossing) => decide(deps, crossing, { charge, amending }));
    return await drive(deps, amended, { driver: "caller", ask: "send" });
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    const now = await chargeNow(deps, charge);
    if (now.amended?.digest === amending.amended.digest) return goOn(deps, now);
    throw conflict(now);
  }
}

/** An amendment that was made before, as it stands. */
const goOn = (deps: ChargesDeps, charge: Charge): Promise<Charge> =>
  charge.state === "authorizing"
    ? drive(deps, charge, { driver: "caller", ask: "read" })
    : Promise.resolve(charge);

const conflict = ({ id, state }: Charge): Problem =>
  new Problem("charge_state_conflict", { extra: { charge_id: id, status: state } });

async function verified(deps: ChargesDeps, charge: Charge, { offer: jws }: AmendOrder): Promise<Amending> {
  const merchant = await deps.merchants.ofClient(charge.merchantClient);
  if (merchant === undefined || merchant.id !== charge.merchant) throw new Problem("charge_merchant_unknown");
  const now = deps.clock.now();
  const { livemode, merchantOrigin: origin } = charge;
  const read = (keys: Merchant["keys"]): Offer =>
    verifyOffer(jws, { keys, now, merchant: merchant.id, origin, livemode });
  const offer = read(merchant.keys);
  const key = merchant.keys.find(({ kid }) => kid === keyIdOf(jws));
  invariant(key !== undefined, "an offer that was verified names its key");
  if (!addsOnlyTaxOrShipping(offer, offerIn(charge.offer.evidence)))
    throw new Problem("charge_amendment_refused", { extra: { refused_by: "offer" } });
  return { offer, merchant, amended: { evidence: jws, key, digest: offerDigest(offer), at: now } };
}

/** Mandate, agent, charge and token as at the commit point; then what the mandate says to the greater amount; then the budget. */
async function decide(
  deps: ChargesDeps,
  crossing: Crossing,
  { charge, amending }: { readonly charge: Charge; readonly amending: Amending },
): Promise<Charge> {
  const { locked, facts } = await lockForCommit(deps, crossing, charge);
  if (locked.amended?.digest === amending.amended.digest) throw new LostRace();
  const verdict = locked.state === "authorized" ? mayCapture(locked, facts) : "charge_state_conflict";
  if (verdict !== "yes")
    throw verdict === "charge_state_conflict" ? conflict(locked) : new Problem(verdict, extraOf(locked));
  const tx = await crossing.payer();
  const wanted = await admitted(tx, locked, amending);
  const amended = await amendCharge(tx, locked, { amended: amending.amended, minor: wanted.amount.units });
  if (amended === undefined) throw new LostRace();
  const now = facts.now;
  const look = { charge: charge.id, tenant: charge.payer };
  const runAt = firstLook(now, deps.leaseMs);
  await enqueue(tx, { queue: chargesQueue, key: charge.id, payload: look, runAt: after(runAt, 0) });
  await amendMerchantCharge(await crossing.payee(), amended);
  await crossing.record({
    type: "charge.amended",
    subject: charge.id,
    actor: merchantOf(charge),
    payload: {
      mandate: charge.mandate,
      generation: amended.generation,
      amount_minor: Number(amended.amount.units),
      former_minor: Number(locked.amount.units),
      offer_digest: amending.amended.digest,
    },
    now,
  });
  await grow(await crossing.payer(), locked, amended);
  return amended;
}

const extraOf = ({ id, state }: Charge) => ({ extra: { charge_id: id, status: state } });

/** The charge as it would be, once mandate, rules and merchant admit it. */
async function admitted(
  tx: TenantTx,
  locked: Charge,
  { offer, amended, merchant }: Amending,
): Promise<Charge> {
  const refuse = (by: string): Problem =>
    new Problem("charge_amendment_refused", { extra: { refused_by: by, ...extraOf(locked).extra } });
  // A transfer says its amount in the offer that was presented, and a tab is charged with all that is on it.
  if (locked.rail !== "card" || locked.tabLimit !== undefined) throw refuse("rail");
  const wanted = { ...locked, amount: money(locked.amount.asset, BigInt(offer.amount_minor)) };
  if (wanted.amount.units <= locked.amount.units) throw refuse("amount");
  // What a person has agreed to is what they saw.
  if (locked.approvedAt !== undefined) throw refuse("approval");
  const chain = await findChain(tx, locked.mandate);
  const judged = { ...wanted, offer: { ...wanted.offer, digest: amended.digest } };
  for (const mandate of chain) assertAdmitted(mandate, { charge: judged, merchant, evidence: { offer } });
  if ((await whyAsked(tx, chain, { charge: wanted, rules: await rulesOf(tx) })) !== undefined)
    throw refuse("approval");
  assertAccepted(await policyFor(tx, wanted), { ...wanted, issuer: locked.token.iss });
  return wanted;
}

async function grow(tx: TenantTx, before: Charge, amended: Charge): Promise<void> {
  const chain = await findChain(tx, amended.mandate);
  const { limits } = await rulesOf(tx);
  const currency = chain[0]?.details.currency ?? amended.amount.asset.code;
  await growHold(tx, {
    charge: amended.id,
    by: toBudgetUnits(amended.amount) - toBudgetUnits(before.amount),
    chain: chain.map(({ id, details }) => ({ mandate: id, velocity: velocityOf(details) })),
    limits: limitsFor(limits, { currency, agents: chain.map(({ agent }) => agent) }),
  });
}
