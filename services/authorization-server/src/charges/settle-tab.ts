import { after, type Id, type Instant, invariant, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import type { EventType } from "@remit/protocol";
import { findMandate } from "../mandates/index.ts";
import type { Billable } from "./billing.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import type { Payment, Seen, Verb } from "./charges.ts";
import { cross } from "./crossing.ts";
import { lookAgainAt } from "./recovery.ts";
import * as rows from "./tabs.sql.ts";
import {
  amountTooSmall,
  askAgainAt,
  isChargeable,
  isDue,
  moveTab,
  type Tab,
  tabMs,
  tabsQueue,
} from "./tabs.ts";
import { us } from "./transitions.ts";

const stepsMax = 8;

/**
 * Charges a tab that is due as one payment: hold and capture, each written before billing is told, and read back after a
 * crash. When to look again, or undefined when it is over.
 */
export async function settleTab(
  deps: ChargesDeps,
  tenant: Id<"tenant">,
  id: Id<"tab">,
): Promise<Instant | undefined> {
  const found = await deps.db.of(tenant).transaction((tx) => rows.findTab(tx, id));
  const now = deps.clock.now();
  if (found === undefined || found.state === "settled") return undefined;
  const isOver = await hasEnded(deps, found, now);
  if (found.state === "open" && !isOver && !isDue(found, now)) return found.dueAt;
  if (found.state === "unpaid") {
    const again = askAgainAt(found);
    if (again === undefined || now < again) return again;
  }
  const fresh = found.state === "open" || found.state === "unpaid";
  // Too little for a card: more may come, as long as the mandate stands.
  if (fresh && !isOver && found.owed.units > 0n && !isChargeable(found)) return after(now, tabMs);
  const begun = fresh ? await begin(deps, found) : found;
  // Somebody else has begun it, or put something on it: its job is over when the tab is.
  if (begun === undefined) return after(now, secondMs);
  if (begun.state === "settled" || begun.state === "unpaid") return undefined;
  const moved = await drive(deps, begun, fresh);
  if (moved.state === "settled") return undefined;
  if (moved.state === "unpaid") return askAgainAt(moved);
  return lookAgainAt(moved.stateSince, deps.clock.now());
}

/** Whether nothing can be bought under its mandate any more. */
async function hasEnded(deps: ChargesDeps, tab: Tab, now: Instant): Promise<boolean> {
  const mandate = await deps.db.of(tab.payer).transaction((tx) => findMandate(tx, tab.mandate));
  return mandate === undefined || mandate.state === "revoked" || now >= mandate.expiresAt;
}

/**
 * A tab on which nothing is owed any more is over, and so is one whose mandate has ended while less is owed than a card can
 * be charged: the merchant bears that. Else all of it is about to be asked for.
 */
function begin(deps: ChargesDeps, tab: Tab): Promise<Tab | undefined> {
  const now = deps.clock.now();
  const end = { endedAt: now, now, ifOwed: tab.owed.units };
  if (tab.owed.units === 0n)
    return move(deps, tab, { event: "tab.settled", change: { to: "settled", ...end } });
  if (!isChargeable(tab))
    return move(deps, tab, {
      event: "tab.unpaid",
      change: { to: "unpaid", because: amountTooSmall, ...end },
    });
  return move(deps, tab, { event: "tab.settling", change: { to: "settling", ask: true, now } });
}

type TabStep = { readonly event: EventType; readonly change: rows.TabChange };

/** One change with its event on both sides; undefined for the loser of a race. */
const move = (deps: ChargesDeps, tab: Tab, { event, change }: TabStep): Promise<Tab | undefined> =>
  cross(deps.db, tab, async (crossing) => {
    const moved = await rows.moveTabRow(await crossing.payer(), tab, change);
    if (moved === undefined) return undefined;
    // Nothing more is bought under a mandate that did not pay, until its principal resumes it.
    if (change.to === "unpaid" && change.because !== amountTooSmall)
      await deps.mandates.suspendWithin(await crossing.payer(), tab.mandate, {
        because: "tab_unpaid",
        actor: us,
      });
    await crossing.record({
      type: event,
      subject: tab.id,
      actor: us,
      payload: {
        mandate: tab.mandate,
        merchant: tab.merchant,
        generation: moved.generation,
        amount_minor: Number((moved.asked ?? moved.owed).units),
        currency: tab.owed.asset.code,
        payment: moved.payment ?? null,
        because: moved.because ?? null,
      },
      now: deps.clock.now(),
    });
    return moved;
  });

/** A tab as billing is told of it. */
export function billableOf(tab: Tab): Billable {
  invariant(tab.asked !== undefined, "what billing is told of was asked for");
  const { charge: id, generation, payer, payee, merchant, instrument, payment, livemode, asked } = tab;
  return {
    id,
    generation,
    payer,
    payee,
    merchant,
    instrument,
    payment,
    livemode,
    amount: asked,
    capture: asked,
    refunding: undefined,
  };
}

async function drive(deps: ChargesDeps, start: Tab, fresh: boolean): Promise<Tab> {
  let tab = start;
  await failpoint(`tab.${tab.state}`);
  let seen = fresh
    ? await deps.billing.send(billableOf(tab), "hold")
    : await deps.billing.read(billableOf(tab));
  for (let step = 0; step < stepsMax; step++) {
    const { state } = tab;
    if (state !== "settling" && state !== "capturing" && state !== "releasing") return tab;
    const next = moveTab(state, seen);
    if (next.kind === "wait") return tab;
    if (next.kind === "alarm") {
      deps.log.error({ tab: tab.id, because: next.because }, "a tab needs a person");
      return tab;
    }
    if (next.kind === "send") seen = await deps.billing.send(billableOf(tab), next.verb);
    else {
      const moved = await move(deps, tab, stepOf(deps, next));
      if (moved === undefined) return tab;
      tab = moved;
      await failpoint(`tab.${tab.state}`);
      const verb = verbs[tab.state];
      if (verb !== undefined) seen = await tell(deps, tab, verb);
    }
  }
  return tab;
}

const verbs: Partial<Record<Tab["state"], Verb>> = { capturing: "capture", releasing: "release" };

const tell = ({ billing }: ChargesDeps, tab: Tab, verb: Verb): Promise<Seen> =>
  billing.send(billableOf(tab), verb);

type Moving = Exclude<ReturnType<typeof moveTab>, { readonly kind: "wait" | "alarm" | "send" }>;

function stepOf(deps: ChargesDeps, next: Moving): TabStep {
  const now = deps.clock.now();
  switch (next.kind) {
    case "capture":
      return { event: "tab.capturing", change: { to: "capturing", now, ...paymentIn(next.payment) } };
    case "captured":
      return {
        event: "tab.settled",
        change: { to: "settled", now, endedAt: now, ...paymentIn(next.payment) },
      };
    case "release":
      return { event: "tab.releasing", change: { to: "releasing", now, because: next.because } };
    case "unpaid":
      return { event: "tab.unpaid", change: { to: "unpaid", now, because: next.because, endedAt: now } };
  }
}

const paymentIn = ({ id, reference }: Payment) => ({ payment: id, paymentReference: reference });

/** Has a tab looked at: now when it is due, else when it will be. */
export const comeBackTo = (tx: TenantTx, tab: Tab, now: Instant): Promise<void> =>
  enqueue(tx, {
    queue: tabsQueue,
    key: tab.id,
    payload: { tenant: tab.payer, tab: tab.id },
    runAt: isDue(tab, now) ? after(now, 0) : tab.dueAt,
  });
