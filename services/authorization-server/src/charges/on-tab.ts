import { after, type Instant, invariant, newId } from "@remit/kernel";
import { findMandate } from "../mandates/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { type Charge, type Driver, moveOn } from "./charges.ts";
import { billableOf, comeBackTo } from "./settle-tab.ts";
import * as rows from "./tabs.sql.ts";
import { type Tab, tabMs } from "./tabs.ts";
import { finishOnTab, finishRefund, finishRelease, refuseRefund, unlessLost } from "./transitions.ts";

/**
 * A purchase on a tab moves without billing: captured, it is owed by the tab, in one transaction; let go, nothing is.
 * Only a refund of what the tab has been charged for is a payment's.
 */
export function driveOnTab(deps: ChargesDeps, charge: Charge, driver: Driver): Promise<Charge> {
  const { state } = charge;
  if (state === "capturing") return capture(deps, charge);
  if (state === "releasing") return finishRelease(deps, charge);
  return state === "refunding" ? refund(deps, charge, driver) : Promise.resolve(charge);
}

const capture = (deps: ChargesDeps, charge: Charge): Promise<Charge> =>
  finishOnTab(deps, charge, async (tx) => {
    const mandate = await findMandate(tx, charge.mandate);
    invariant(mandate !== undefined, "a charge has its mandate");
    const now = deps.clock.now();
    const tab = await rows.putOnTab(tx, tabFor(charge, now, mandate.expiresAt));
    await comeBackTo(tx, tab, now);
    return { tab: tab.id };
  });

async function refund(deps: ChargesDeps, charge: Charge, driver: Driver): Promise<Charge> {
  const { tab: id, refunding } = charge;
  invariant(id !== undefined && refunding !== undefined, "what is refunded was captured on a tab");
  const tab = await deps.db.of(charge.payer).transaction((tx) => rows.findTab(tx, id));
  invariant(tab !== undefined, "a tab never disappears");
  if (tab.state === "open" || tab.state === "unpaid")
    return finishRefund(
      deps,
      charge,
      unlessLost(async (tx) => (await rows.takeOffTab(tx, id, refunding.amount.units)) !== undefined),
    );
  // While the tab is being charged, nobody knows what will be there to give back: looked at again.
  if (tab.state !== "settled") return charge;
  const seen = await deps.billing.send({ ...billableOf(tab), refunding }, "refund");
  const move = moveOn(charge, seen, driver);
  if (move.kind === "refunded") return finishRefund(deps, charge);
  return move.kind === "refund_refused" ? refuseRefund(deps, charge, move.because) : charge;
}

/** The tab that a captured purchase is put on: the open one of its mandate at its merchant, or this one. */
function tabFor(charge: Charge, now: Instant, mandateEnds: Instant): Tab {
  const { capture, tabLimit } = charge;
  invariant(
    capture !== undefined && tabLimit !== undefined,
    "a purchase on a tab has its amount and the tab's limit",
  );
  const latest = after(now, tabMs);
  return {
    id: newId("tab"),
    payer: charge.payer,
    payee: charge.payee,
    mandate: charge.mandate,
    agent: charge.agent,
    merchant: charge.merchant,
    merchantClient: charge.merchantClient,
    instrument: charge.instrument,
    state: "open",
    generation: 1,
    owed: capture,
    asked: undefined,
    limit: tabLimit,
    charge: newId("charge"),
    payment: undefined,
    paymentReference: undefined,
    because: undefined,
    openedAt: now,
    stateSince: now,
    dueAt: mandateEnds < latest ? mandateEnds : latest,
    livemode: charge.livemode,
  };
}
