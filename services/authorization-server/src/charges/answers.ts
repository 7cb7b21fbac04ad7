import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, Problem } from "@remit/protocol";
import type { Answerer, AnswerPort, Approval, PurchaseSubject, Writing } from "../approvals/index.ts";
import { findChain, releaseHold } from "../mandates/index.ts";
import { lockForCommit } from "./capture-charge.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { type Charge, chargesQueue, serveByAfter } from "./charges.ts";
import { mayGoOn } from "./commit-point.ts";
import { type Crossing, cross } from "./crossing.ts";
import { offerIn } from "./evidence.ts";
import { acceptTool } from "./tool-pins.ts";
import { chargeNow, LostRace, type Step, transitWithin, us } from "./transitions.ts";

type Purchase = Approval<PurchaseSubject>;

/**
 * What a principal's answer does to a purchase, in the transaction of the answer: a yes sends it on, a no and silence let
 * it go. The charge's own job tells billing right after, so that a crash between the two changes nothing.
 */
export const purchaseAnswers = (deps: ChargesDeps): AnswerPort<PurchaseSubject> => ({
  approve: async (approval, by, writing) => {
    const charge = await chargeOf(deps, approval);
    if (approval.subject.kind === "sca") await assertConfirmedByHolder(deps, charge);
    return answering(deps, charge, { writing, effect: (crossing) => goOn(deps, crossing, { charge, by }) });
  },
  deny: async (approval, by, writing) => {
    const charge = await chargeOf(deps, approval);
    const actor = { type: "account", id: by.account } as const;
    const step = stepBack(deps, charge, { because: "approval_denied", actor });
    return answering(deps, charge, { writing, effect: (crossing) => back(deps, crossing, { charge, step }) });
  },
  expire: async (approval, writing) => {
    const charge = await chargeOf(deps, approval);
    const step = stepBack(deps, charge, { because: "approval_expired", actor: us });
    return answering(deps, charge, { writing, effect: (crossing) => back(deps, crossing, { charge, step }) });
  },
});

const chargeOf = (deps: ChargesDeps, { tenant, subject }: Purchase): Promise<Charge> =>
  chargeNow(deps, { payer: tenant, id: subject.charge });

type Effect = (crossing: Crossing) => Promise<unknown>;

/** The answer is written first: whoever else answers, or lets the purchase go, waits here and then finds it. */
async function answering(
  deps: ChargesDeps,
  charge: Charge,
  { writing, effect }: { writing: Writing; effect: Effect },
): Promise<Approval | undefined> {
  try {
    return await cross(deps.db, charge, async (crossing) => {
      const taken = await writing.take(await crossing.payer());
      if (taken === undefined) return undefined;
      await writing.done(await crossing.payer(), taken);
      await effect(crossing);
      return taken;
    });
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    throw new Problem("approval_expired", { detail: "The purchase is no longer waiting.", cause: error });
  }
}

/**
 * Freshness was checked when the purchase was made; now only state is: mandate, agent, token and charge, locked as at the
 * commit point. A yes to what does not stand is refused and changes nothing, since it may stand again before the time ends.
 */
async function goOn(
  deps: ChargesDeps,
  crossing: Crossing,
  { charge, by }: { charge: Charge; by: Answerer },
): Promise<void> {
  const { locked, facts } = await lockForCommit(deps, crossing, charge);
  if (locked.state !== "pending_approval") throw new LostRace();
  const verdict = mayGoOn(facts);
  if (verdict !== "yes") throw new Problem(verdict);
  const { now } = facts;
  const actor = { type: "account", id: by.account } as const;
  const until = { approvedAt: now, serveBy: serveByAfter(locked, now) };
  // With the issuer's holder asked, the payment stands already, and a tab needs none; else billing is told to make one.
  const step: Step =
    locked.payment === undefined && locked.tabLimit === undefined
      ? {
          event: "charge.authorizing",
          change: { to: "authorizing", intent: "hold", ...until },
          payload: { approval: locked.asking?.approval ?? "" },
          actor,
        }
      : {
          event: "charge.authorized",
          change: { to: "authorized", authorizedAt: now, ...until },
          payload: locked.payment === undefined ? {} : { payment: locked.payment },
          actor,
        };
  const before = async (tx: TenantTx): Promise<void> => {
    const [root] = await findChain(tx, locked.mandate);
    if (root !== undefined)
      await acceptTool(tx, { root: root.id, charge: locked, offer: offerIn(locked.offer.evidence) });
    await wake(locked)(tx);
  };
  await transitWithin(deps, crossing, { from: locked, step: { ...step, before } });
}

/** Its job goes on with it at once. */
const wake =
  ({ id, payer }: Charge) =>
  (tx: TenantTx): Promise<void> =>
    enqueue(tx, { queue: chargesQueue, key: id, payload: { charge: id, tenant: payer } });

type Why = { readonly because: "approval_denied" | "approval_expired"; readonly actor: Actor };

/** What nobody has told billing of is over at once; a payment that waits for its holder is let go of there first. */
function stepBack(deps: ChargesDeps, charge: Charge, { because, actor }: Why): Step {
  if (charge.payment !== undefined)
    return {
      event: "charge.releasing",
      change: { to: "releasing", intent: "release", because },
      payload: { because },
      actor,
      before: wake(charge),
    };
  const isDenied = because === "approval_denied";
  return {
    event: isDenied ? "charge.declined" : "charge.expired",
    change: { to: isDenied ? "declined" : "expired", because, endedAt: deps.clock.now() },
    payload: isDenied ? { because } : { approval: charge.asking?.approval ?? "" },
    actor,
    budget: (tx) => releaseHold(tx, charge.id),
  };
}

const back = (
  deps: ChargesDeps,
  crossing: Crossing,
  { charge, step }: { charge: Charge; step: Step },
): Promise<Charge> => transitWithin(deps, crossing, { from: charge, step });

/** The holder's yes is at the issuer: billing says whether it is there. */
async function assertConfirmedByHolder({ billing }: ChargesDeps, charge: Charge): Promise<void> {
  const seen = await billing.read(charge);
  if (seen.kind === "payment" && seen.payment.state === "authorized") return;
  throw new Problem("authentication_pending", { headers: { "Retry-After": "2" } });
}
