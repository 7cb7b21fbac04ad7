import { type Id, isInCardSteps, type Money, money } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, Problem, tokensOf } from "@remit/protocol";
import { standingOfAgent } from "../agents/index.ts";
import { findChain } from "../mandates/index.ts";
import { isSuspended } from "../suspended-assets/index.ts";
import { isTenantActive } from "../tenants/index.ts";
import { isTokenLiveAtCommit } from "../tokens/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import type { Charge } from "./charges.ts";
import { type CommitFacts, type CommitRefusal, mayCapture, mayCommit } from "./commit-point.ts";
import { type Crossing, cross } from "./crossing.ts";
import { drive, release } from "./drive.ts";
import { offerIn } from "./evidence.ts";
import { chargeNow, transitWithin } from "./transitions.ts";

/** What the merchant says when it captures: how much of the hold, and which answer it serves for it. */
export type CaptureOrder = {
  readonly amountMinor: number | undefined;
  readonly responseDigest: string | undefined;
  readonly requestDigest: string | undefined;
};

type Passed = { readonly kind: "passed"; readonly charge: Charge };
type Refused = { readonly kind: "refused"; readonly because: CommitRefusal; readonly charge: Charge };

/** Captures a held charge; a charge captured before is answered as it is. What may not be captured goes back. */
export async function capture(deps: ChargesDeps, held: Charge, order: CaptureOrder): Promise<Charge> {
  const charge =
    held.state === "authorizing" ? await drive(deps, held, { driver: "caller", ask: "read" }) : held;
  if (charge.capturedAt !== undefined) return charge;
  if (charge.state === "capturing") return drive(deps, charge, { driver: "caller", ask: "read" });
  if (charge.state === "authorizing") return charge;
  const passed = await passCommitPoint(deps, charge, order);
  return passed.kind === "refused" ? refuse(deps, passed) : take(deps, passed);
}

/** Recovery captures all of a held charge that nobody waits for: to be refused ends it, and is no error. */
export async function captureOrRelease(deps: ChargesDeps, held: Charge): Promise<Charge> {
  const passed = await passCommitPoint(deps, held, {
    amountMinor: undefined,
    responseDigest: undefined,
    requestDigest: undefined,
  });
  if (passed.kind === "passed") return take(deps, passed);
  const { because, charge } = passed;
  return because === "charge_state_conflict" ? chargeNow(deps, charge) : release(deps, charge, { because });
}

async function take(deps: ChargesDeps, { charge }: Passed): Promise<Charge> {
  await failpoint("charge.capturing");
  return drive(deps, charge, { driver: "caller", ask: "send" });
}

/** The merchant ships first: from now on revocation no longer stops the capture, until `capture_by`. */
export async function commit(deps: ChargesDeps, charge: Charge): Promise<Charge> {
  if (charge.committedAt !== undefined) return charge;
  const passed = await cross(deps.db, charge, async (crossing): Promise<Passed | Refused> => {
    const { locked, facts } = await lockForCommit(deps, crossing, charge);
    const verdict = mayCommit(locked, facts);
    if (verdict !== "yes") return { kind: "refused", because: verdict, charge: locked };
    const change = { to: "committed", committedAt: facts.now, commitPointAt: facts.now } as const;
    const step = { event: "charge.committed", change, actor: merchantOf(charge) } as const;
    return { kind: "passed", charge: await transitWithin(deps, crossing, { from: locked, step }) };
  });
  return passed.kind === "refused" ? refuse(deps, passed) : passed.charge;
}

/**
 * The commit point: one transaction locks mandate, agent, charge and token, decides, and writes `capturing` with the
 * intent. A revocation either came before and refuses here, or waits for this commit and comes after the money.
 */
const passCommitPoint = (deps: ChargesDeps, charge: Charge, order: CaptureOrder): Promise<Passed | Refused> =>
  cross(deps.db, charge, async (crossing) => {
    const { locked, facts } = await lockForCommit(deps, crossing, charge);
    const verdict = mayCapture(locked, facts);
    if (verdict !== "yes") return { kind: "refused", because: verdict, charge: locked };
    const amount = amountOf(locked, order);
    const change: rows.ChargeChange = {
      to: "capturing",
      intent: "capture",
      commitPointAt: facts.now,
      captureMinor: amount.units,
      ...(order.responseDigest === undefined ? {} : { responseDigest: order.responseDigest }),
      ...(order.requestDigest === undefined ? {} : { requestDigest: order.requestDigest }),
    };
    const payload = { amount_minor: Number(amount.units), response_digest: order.responseDigest ?? null };
    const step = { event: "charge.capturing", change, payload, actor: merchantOf(charge) } as const;
    return { kind: "passed", charge: await transitWithin(deps, crossing, { from: locked, step }) };
  });

/** Locks mandate, agent, charge and token, and says how they stand. */
export async function lockForCommit(
  deps: ChargesDeps,
  crossing: Crossing,
  charge: Charge,
): Promise<{ locked: Charge; facts: CommitFacts }> {
  const tx = await crossing.payer();
  const chain = await findChain(tx, charge.mandate);
  const mandate = worstOf(chain.map(({ state }) => state));
  const payerActive = await isTenantActive(tx, charge.payer);
  const agent = await standingOfAgent(tx, charge.agent, "share");
  const locked = await rows.findCharge(tx, charge.id, "update");
  const tokenLive = await isTokenLiveAtCommit(tx, charge.token, agent);
  const facts: CommitFacts = {
    // Under a suspended organization every mandate is.
    mandate: mandate === "active" && !payerActive ? "suspended" : mandate,
    agentActive: agent?.status === "active" && (await areActive(tx, chain.slice(0, -1))),
    tokenLive,
    assetAccepted: !(await isSuspendedFor(tx, locked ?? charge)),
    now: deps.clock.now(),
  };
  return { locked: locked ?? charge, facts };
}

/** By the token of the transfer that the merchant signed, where it is paid by one. */
async function isSuspendedFor(tx: TenantTx, { rail, offer }: Charge): Promise<boolean> {
  const transfer = rail === "x402" ? offerIn(offer.evidence).transfer : undefined;
  return transfer !== undefined && isSuspended(tx, tokensOf(transfer).asset);
}

/** A chain stands as its weakest mandate does. */
const worstOf = (states: readonly CommitFacts["mandate"][]): CommitFacts["mandate"] =>
  states.includes("revoked") || states.length === 0
    ? "revoked"
    : states.includes("suspended")
      ? "suspended"
      : "active";

/** Those who handed the mandate on (O10). */
async function areActive(tx: TenantTx, above: readonly { readonly agent: Id<"agent"> }[]): Promise<boolean> {
  for (const { agent } of above)
    if ((await standingOfAgent(tx, agent, "share"))?.status !== "active") return false;
  return true;
}

function amountOf(charge: Charge, { amountMinor }: CaptureOrder): Money {
  const wanted = amountMinor === undefined ? charge.amount : money(charge.amount.asset, BigInt(amountMinor));
  if (wanted.units > charge.amount.units)
    throw new Problem("invalid_request", { detail: "amount_minor is more than what is held." });
  if (charge.rail === "x402" && wanted.units !== charge.amount.units)
    throw new Problem("invalid_request", { detail: "A transfer over a chain is captured whole." });
  // After the commit point it would be refused for good, and what was shipped not be paid.
  if (charge.rail === "card" && !isInCardSteps(wanted))
    throw new Problem("invalid_request", { detail: "A card is charged this currency in steps of ten." });
  return wanted;
}

/** A refusal of the commit point is final for a charge that still holds something: it is released, then refused. */
async function refuse(deps: ChargesDeps, { because, charge }: Refused): Promise<Charge> {
  if (because === "charge_state_conflict") {
    const now = await chargeNow(deps, charge);
    if (now.capturedAt !== undefined || now.state === "capturing") return now;
    throw new Problem(because, { extra: { charge_id: charge.id, status: now.state } });
  }
  // As it was refused, not as it is now: a charge that has passed its commit point since never goes back.
  const ended = await release(deps, charge, { because });
  throw new Problem(because, { extra: { charge_id: charge.id, status: ended.state } });
}

export const merchantOf = ({ merchantClient }: Charge): Actor => ({ type: "merchant", id: merchantClient });
