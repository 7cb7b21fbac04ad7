import { after, type Clock, type Id, type Instant, invariant, newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type Actor, type EventType, Problem } from "@remit/protocol";
import { type Charge, type Charges, type Crossing, cross, refundable } from "../charges/index.ts";
import * as rows from "./disputes.sql.ts";
import {
  anyMerchant,
  type Dispute,
  type DisputeAct,
  type DisputeMove,
  disputesQueue,
  moveOf,
  openWithinMs,
  respondMs,
} from "./disputes.ts";
import type { DisputeNetwork } from "./network.ts";
import { type DisputeWords, openWords, sealWords, type WordsDeps } from "./sealing.ts";

export type DisputesDeps = WordsDeps & {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly charges: Pick<Charges, "whole" | "giveBack" | "askedRefund" | "refundedSince">;
  readonly network: DisputeNetwork;
};

/** A principal says that a charge is not right. Without an amount, all that is left of it. */
export type OpenDispute = {
  readonly tenant: Id<"tenant">;
  readonly charge: Id<"charge">;
  readonly amountMinor: number | undefined;
  readonly reason: string;
  readonly statement: string;
  readonly actor: Actor;
};

/** Opens a dispute about a captured charge of the caller's tenant. Throws `dispute_exists`, `dispute_not_possible`. */
export async function openDispute(deps: DisputesDeps, asked: OpenDispute): Promise<Dispute> {
  const side = { side: "payer", tenant: asked.tenant, agent: undefined } as const;
  const charge = await deps.charges.whole(side, asked.charge);
  if (charge === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
  const now = deps.clock.now();
  const dispute = disputeOf(charge, asked, now);
  return cross(deps.db, charge, async (crossing) => {
    await rows.lockDisputesOf(await crossing.payer(), charge.id);
    for (const side of sidesOf(dispute)) {
      const tx = await side(crossing);
      const statement = await sealWords(deps, tx, {
        id: dispute.id,
        part: "statement",
        text: asked.statement,
      });
      if (!(await rows.insertDispute(tx, dispute, statement))) throw new Problem("dispute_exists");
      // Asked once this one is the open one: none that is decided or opened meanwhile is missed.
      if (await rows.wasWon(tx, charge.id))
        throw new Problem("dispute_not_possible", { detail: "It was decided for its merchant before." });
      const { open, lost } = await rows.atNetwork(tx, charge.id);
      if (open + lost > 0n)
        throw new Problem("dispute_not_possible", { detail: "The card's network decides about it." });
    }
    await record(crossing, dispute, { event: "dispute.opened", actor: asked.actor, now });
    await comeBack(crossing, dispute, dispute.respondBy ?? now);
    return dispute;
  });
}

function disputeOf(charge: Charge, asked: OpenDispute, now: Instant): Dispute {
  const { capturedAt } = charge;
  const left = refundable(charge);
  const amountMinor = asked.amountMinor === undefined ? left : BigInt(asked.amountMinor);
  if (capturedAt === undefined || charge.state === "refunded")
    throw new Problem("dispute_not_possible", { detail: "The charge is not captured, or was refunded." });
  if (now >= after(capturedAt, openWithinMs))
    throw new Problem("dispute_not_possible", { detail: "The charge was captured too long ago." });
  if (amountMinor < 1n || amountMinor > left)
    throw new Problem("dispute_not_possible", {
      detail: "The amount is more than what was captured and not given back.",
      extra: { remaining: Number(left) },
    });
  const { id, payer, payee, merchant, merchantClient: client, agent } = charge;
  return {
    id: newId("dispute"),
    charge: id,
    payer,
    payee,
    merchant,
    client,
    agent,
    origin: "principal",
    state: "needs_response",
    reason: asked.reason,
    because: undefined,
    amountMinor,
    currency: charge.amount.asset.code,
    refundMinor: undefined,
    refund: "none",
    refundAttempt: 1,
    respondBy: after(now, respondMs),
    reviewBy: undefined,
    openedAt: now,
    answeredAt: undefined,
    decidedAt: undefined,
    version: 1,
  };
}

/** The payer's transaction and the payee's; one where both are the same tenant. */
export const sidesOf = ({ payer, payee }: Pick<Dispute, "payer" | "payee">) =>
  payer === payee
    ? [(crossing: Crossing) => crossing.payer()]
    : [(crossing: Crossing) => crossing.payer(), (crossing: Crossing) => crossing.payee()];

const eventOf = {
  needs_response: "dispute.opened",
  under_review: "dispute.answered",
  won: "dispute.won",
  lost: "dispute.lost",
  withdrawn: "dispute.withdrawn",
} as const satisfies Record<Dispute["state"], EventType>;

type Recording = { readonly event?: EventType; readonly actor: Actor; readonly now: Instant };

export const record = (
  crossing: Crossing,
  dispute: Dispute,
  { event = eventOf[dispute.state], actor, now }: Recording,
): Promise<void> =>
  crossing.record({
    type: event,
    subject: dispute.id,
    actor,
    payload: {
      charge: dispute.charge,
      merchant: dispute.merchant,
      origin: dispute.origin,
      reason: dispute.reason,
      because: dispute.because ?? null,
      amount_minor: Number(dispute.amountMinor),
      currency: dispute.currency,
    },
    now,
  });

/** One job per dispute: it looks when a deadline ends, and brings home what is owed. */
export const comeBack = async (crossing: Crossing, dispute: Dispute, runAt: Instant): Promise<void> =>
  enqueue(await crossing.payer(), {
    queue: disputesQueue,
    key: dispute.id,
    payload: { dispute: dispute.id, tenant: dispute.payer },
    runAt,
  });

export type Acting = {
  readonly act: DisputeAct;
  readonly actor: Actor;
  /** What the merchant answers. */
  readonly answer?: string | undefined;
};

/** Carries out an act on a principal's dispute, on both sides at once. Throws `dispute_state_conflict`. */
export const actOn = (deps: DisputesDeps, seen: Dispute, acting: Acting): Promise<Dispute> =>
  cross(deps.db, seen, async (crossing) => {
    const found = await rows.findDispute(await crossing.payer(), seen.id, "update");
    const now = deps.clock.now();
    const move = found && moveOf(found, acting.act, now);
    if (found === undefined || move === undefined) throw conflict(found ?? seen);
    const moved = await moveBoth(deps, crossing, { from: found, move, answer: acting.answer });
    await record(crossing, moved, { actor: acting.actor, now });
    await comeBack(crossing, moved, moved.reviewBy ?? now);
    return moved;
  });

type Moving = {
  readonly from: Dispute;
  readonly move: DisputeMove & { readonly respondBy?: Instant | undefined };
  readonly answer?: string | undefined;
};

export async function moveBoth(
  deps: WordsDeps,
  crossing: Crossing,
  { from, move, answer }: Moving,
): Promise<Dispute> {
  let moved: Dispute | undefined;
  for (const side of sidesOf(from)) {
    const tx = await side(crossing);
    const sealed =
      answer === undefined
        ? undefined
        : await sealWords(deps, tx, { id: from.id, part: "answer", text: answer });
    moved = await rows.moveDispute(tx, from, { ...move, answer: sealed });
    if (moved === undefined) throw conflict(from);
  }
  return moved ?? from;
}

/** Notes on both sides how a refund stands. False when the dispute has moved on meanwhile. */
export async function noteBoth(crossing: Crossing, dispute: Dispute, to: rows.RefundNote): Promise<boolean> {
  const [payer, ...others] = sidesOf(dispute);
  if (payer === undefined || (await rows.noteRefund(await payer(crossing), dispute, to)) === undefined)
    return false;
  for (const side of others) {
    const noted = await rows.noteRefund(await side(crossing), dispute, to);
    invariant(noted !== undefined, "both sides of a dispute are written together");
  }
  return true;
}

export const conflict = ({ id, state }: Pick<Dispute, "id" | "state">): Problem =>
  new Problem("dispute_state_conflict", { extra: { dispute_id: id, status: state } });

/** A dispute with what was written in it, as one of its sides sees it. */
export type ShownDispute = { readonly dispute: Dispute; readonly words: DisputeWords };

/** Undefined when it is not that side's: the payer's tenant, or the payee's by its client or by any of its merchants. */
export const showDispute = (
  deps: DisputesDeps,
  side: { readonly tenant: Id<"tenant">; readonly client: rows.DisputePage["client"] },
  id: Id<"dispute">,
): Promise<ShownDispute | undefined> =>
  deps.db.of(side.tenant).transaction(async (tx) => {
    const dispute = await rows.findDispute(tx, id);
    const isTheirs =
      side.client === undefined
        ? dispute?.payer === side.tenant
        : dispute?.payee === side.tenant && (side.client === anyMerchant || dispute.client === side.client);
    if (dispute === undefined || !isTheirs) return undefined;
    return { dispute, words: await openWords(deps, tx, id) };
  });

export const disputesOf = (
  deps: Pick<DisputesDeps, "db">,
  tenant: Id<"tenant">,
  page: rows.DisputePage,
): Promise<Dispute[]> => deps.db.of(tenant).transaction((tx) => rows.listDisputes(tx, page));

/** What a merchant does about a dispute: about one of the card network's, billing does it there. */
export async function respond(
  deps: DisputesDeps,
  dispute: Dispute,
  acting: Acting & { readonly act: "answer" | "accept" },
): Promise<Dispute> {
  if (dispute.origin === "principal") return actOn(deps, dispute, acting);
  const reported =
    acting.act === "accept"
      ? await deps.network.accept(dispute.id)
      : await deps.network.answer(dispute.id, acting.answer ?? "");
  return (await deps.network.take(reported)) ?? dispute;
}
