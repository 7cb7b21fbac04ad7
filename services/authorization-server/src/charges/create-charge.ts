import { after, type Id, type Instant, money, newId, parseId, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { type AccessTokenClaims, type Offer, Problem } from "@remit/protocol";
import type { CreateCharge } from "@remit/protocol/contracts";
import { verifyAccessToken } from "@remit/protocol/node";
import { refusedAsUndefined } from "../clients/index.ts";
import { isNoRoom } from "../mandates/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { type Charge, captureByMsMax, firstLook, serveByMsDefault } from "./charges.ts";
import { hurryTabs, NoCredit, onItsOwn } from "./credit.ts";
import { cross } from "./crossing.ts";
import { type Evidence, presentedAt, verifyEvidence } from "./evidence.ts";
import { claimOf, firstBy, holdFor } from "./hold-charge.ts";
import type { Merchant } from "./merchants.ts";
import { tabLimitOf } from "./tabs.ts";

/** The merchant's client that asks for the charge. */
export type ChargingClient = { readonly tenant: Id<"tenant">; readonly client: string };

/** A charge as it stands after a request; `first` when an earlier request made it. */
export type Created = { readonly charge: Charge; readonly first: boolean };

/**
 * Verifies, then writes claim, hold, charge and intent in one transaction over payer and payee. The state is
 * `authorizing` from the start, because the intent to call billing is part of the same commit.
 */
export async function createCharge(
  deps: ChargesDeps,
  by: ChargingClient,
  request: CreateCharge,
): Promise<Created> {
  const now = deps.clock.now();
  const merchant = await merchantOf(deps, by);
  let evidence: Evidence;
  try {
    evidence = await verified(deps, { request, merchant, now });
  } catch (refusal) {
    const earlier = await firstChargeOf(deps, { request, merchant, now });
    if (earlier === undefined) {
      await noticeOtherKey(deps, { request, merchant, now }, refusal);
      throw refusal;
    }
    return { charge: earlier, first: false };
  }
  const { payer, charge } = await chargeOf(deps, { evidence, merchant, request, now });
  const holding = { evidence, merchant, now, firstLook: firstLook(now, deps.leaseMs) };
  const hold = (of: Charge, take: "first" | "with_commit"): Promise<Created> =>
    cross(deps.db, { payer, payee: merchant.tenant }, (crossing) =>
      holdFor(deps, crossing, { ...holding, charge: of, take }),
    );
  const holdAtOnce = (of: Charge): Promise<Created> =>
    hold(of, "with_commit").catch((error: unknown) => {
      if (!isNoRoom(error)) throw error;
      return hold(of, "first");
    });
  const created = await holdAtOnce(charge).catch(async (error: unknown) => {
    if (!(error instanceof NoCredit)) throw error;
    await hurryTabs(deps, charge);
    return holdAtOnce(onItsOwn(charge, "charge_tab_full"));
  });
  if (created.first) {
    await failpoint("charge.held");
    await failpoint("charge.authorizing");
  }
  return created;
}

async function merchantOf(deps: ChargesDeps, by: ChargingClient): Promise<Merchant> {
  const merchant = await deps.merchants.ofClient(by.client);
  if (merchant === undefined || merchant.tenant !== by.tenant) throw new Problem("charge_merchant_unknown");
  if (!merchant.verified) throw new Problem("merchant_not_verified");
  return merchant;
}

type Asked = { readonly request: CreateCharge; readonly merchant: Merchant; readonly now: Instant };

/** The evidence; a key that the merchant's known set lacks is looked for once more, since keys rotate. */
async function verified(deps: ChargesDeps, { request, merchant, now }: Asked): Promise<Evidence> {
  const issuer = {
    issuer: deps.issuer,
    mandateKeys: deps.keys.jwks(["mandate"]).keys,
    tokenKeys: deps.keys.jwks(["access", "access-eddsa"]).keys,
    livemode: deps.livemode,
  };
  try {
    return verifyEvidence(request, merchant, { issuer, now });
  } catch (refusal) {
    if (!(refusal instanceof Problem) || refusal.code !== "offer_keyid_unknown") throw refusal;
    const again = await deps.merchants.again(merchant.client);
    if (again === undefined || again.id !== merchant.id) throw refusal;
    return verifyEvidence(request, again, { issuer, now });
  }
}

/** The charge that this presentation made when it was fresh. */
async function firstChargeOf(deps: ChargesDeps, asked: Asked): Promise<Charge | undefined> {
  const then = presentedAt(asked.request.presentation, asked.now);
  if (then === undefined) return undefined;
  const evidence = await verified(deps, { ...asked, now: then }).catch(() => undefined);
  const payer = evidence && (await deps.mandates.tenantOf(evidence.presented.mandate.jti));
  if (evidence === undefined || payer === undefined) return undefined;
  return cross(deps.db, { payer, payee: asked.merchant.tenant }, async (crossing) =>
    firstBy(await crossing.payer(), claimOf(evidence, asked.merchant)),
  );
}

// What a presentation is refused with whose key binding is of another key than its mandate.
const ofOtherKey: ReadonlySet<string> = new Set(["mandate_kb_invalid", "mandate_kb_signature_invalid"]);

/** G09: a token of ours came with a presentation that is not of the key it is bound to: somebody has one without the other. */
async function noticeOtherKey(
  { keys, issuer, misuses }: ChargesDeps,
  { request, merchant, now }: Asked,
  refusal: unknown,
): Promise<void> {
  if (!(refusal instanceof Problem) || !ofOtherKey.has(refusal.code)) return;
  const tokenKeys = keys.jwks(["access", "access-eddsa"]).keys;
  const token = refusedAsUndefined(() =>
    verifyAccessToken({
      token: request.access_token,
      issuer,
      audience: merchant.origin,
      keys: tokenKeys,
      now,
    }),
  );
  if (token?.cnf === undefined) return;
  const { client_id: client, organization_id: tenant, cnf } = token;
  // A signature that does not hold says not whose it is.
  await misuses.keyMismatch({
    client,
    tenant,
    what: "presentation",
    bound: cnf.jkt,
    presented: undefined,
    now,
  });
}

async function chargeOf(
  deps: ChargesDeps,
  { evidence, merchant, request, now }: Asked & { evidence: Evidence },
): Promise<{ payer: Id<"tenant">; charge: Charge }> {
  const { presented, offer, price } = evidence;
  const payer = await deps.mandates.tenantOf(presented.mandate.jti);
  if (payer === undefined) throw new Problem("mandate_malformed", { detail: "The mandate is unknown." });
  const serveByMs = (request.serve_by_s ?? offer.serve_by_s ?? serveByMsDefault / secondMs) * secondMs;
  const rail = railOf(merchant, { offer, allowed: presented.mandate.details.rails });
  const limit = rail === "card" ? tabLimitOf(offer, price) : undefined;
  const charge: Charge = {
    id: newId("charge"),
    payer,
    payee: merchant.tenant,
    mandate: presented.mandate.jti,
    agent: agentOf(presented.accessToken),
    merchant: merchant.id,
    merchantClient: merchant.client,
    merchantOrigin: merchant.origin,
    // On a tab nothing is asked of billing: with its budget held it is authorised.
    state: limit === undefined ? "authorizing" : "authorized",
    generation: 1,
    captureMode: request.capture,
    commits: offer.commits ?? false,
    amount: price,
    capture: undefined,
    refunded: { asset: price.asset, units: 0n },
    refunding: undefined,
    rail,
    instrument: undefined,
    payment: undefined,
    paymentReference: undefined,
    because: undefined,
    offer: { id: offer.id, evidence: evidence.offerText, digest: evidence.digest, key: evidence.offerKey },
    mandateHash: presented.mandateHash,
    presentationHash: presented.presentationHash,
    token: presented.accessToken,
    responseDigest: undefined,
    requestDigest: undefined,
    serveBy: after(now, serveByMs),
    captureBy: after(now, captureByMsMax),
    createdAt: now,
    authorizedAt: limit === undefined ? undefined : now,
    committedAt: undefined,
    capturedAt: undefined,
    receipt: undefined,
    asking: undefined,
    approvedAt: undefined,
    tabLimit: limit === undefined ? undefined : money(price.asset, BigInt(limit)),
    tab: undefined,
    commitPointAt: undefined,
    livemode: deps.livemode,
    amended: undefined,
    former: undefined,
  };
  return { payer, charge };
}

const agentOf = ({ client_id }: AccessTokenClaims): Id<"agent"> => {
  const agent = parseId("agent", client_id);
  if (agent === undefined)
    throw new Problem("mandate_holder_mismatch", { detail: "The token is not an agent's." });
  return agent;
};

/**
 * By card where the merchant takes cards and the mandate is not for something else; else by the transfer that the offer
 * names, signed by the payer's wallet. Whether the mandate allows the rail is decided with the mandate.
 */
function railOf(
  { rails }: Merchant,
  { offer, allowed }: { readonly offer: Offer; readonly allowed: readonly string[] | undefined },
): Charge["rail"] {
  const byTransfer = rails.includes("x402") && offer.transfer !== undefined;
  const byCard = rails.includes("card");
  if (byCard && (!byTransfer || allowed?.includes("card") !== false)) return "card";
  if (byTransfer) return "x402";
  throw new Problem("mandate_rail_not_allowed", {
    detail: "The merchant takes no rail that a mandate is charged on.",
  });
}
