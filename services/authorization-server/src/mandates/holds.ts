import { type Asset, type Id, invariant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import * as rows from "./budget.sql.ts";
import {
  type Hold,
  minorOf,
  refusalOfHold,
  refusalOfWindow,
  remainingOf,
  settle,
  type Velocity,
} from "./budget.ts";
import { assetOfMandate, type Mandate } from "./mandates.ts";

type HoldRequest = {
  readonly mandate: Id<"mandate">;
  readonly charge: Id<"charge">;
  /** In budget units, and the asset they are of. */
  readonly amount: bigint;
  readonly asset: Asset;
  readonly velocity: readonly Velocity[];
};

/** Refuses at once, waiting for nobody, what the budget has no room for as it stands. `takeHold` decides. */
export async function assertRoom(tx: TenantTx, wanted: HoldRequest): Promise<void> {
  const budget = await rows.findBudget(tx, wanted.mandate);
  invariant(budget !== undefined, "a mandate has its budget");
  const isUsedUp = budget.usesMax !== undefined && budget.uses >= budget.usesMax;
  if (isUsedUp || remainingOf(budget) < wanted.amount) throw refusalOfHold(budget, wanted.asset);
}

/** What is left of a mandate once `taking` is held as well, in whole minor units; nothing once it is used up. */
export async function remainingAfter(tx: TenantTx, mandate: Mandate, taking: bigint): Promise<number> {
  const budget = await rows.findBudget(tx, mandate.id);
  invariant(budget !== undefined, "a mandate has its budget");
  const left = remainingOf(budget) - taking;
  return left <= 0n ? 0 : minorOf(assetOfMandate(mandate.details), left);
}

/**
 * Takes a hold in the caller's transaction, the one that writes the charge: budget row first, then the windows in the
 * order of the rules, so that no two holds of a mandate ever wait for each other. The loser of a race is refused. Call
 * it last: from here to the commit every other charge of the mandate waits.
 */
export async function takeHold(tx: TenantTx, wanted: HoldRequest): Promise<void> {
  invariant(wanted.amount > 0n, "a hold is of something");
  if (wanted.velocity.length === 0) {
    if ((await rows.holdAtOnce(tx, wanted)) === undefined) throw await refusal(tx, wanted);
    return;
  }
  if ((await rows.holdOfBudget(tx, wanted.mandate, wanted.amount)) === undefined)
    throw await refusal(tx, wanted);
  const windows = [];
  for (const velocity of wanted.velocity) {
    const window = await rows.countInWindow(tx, wanted.mandate, { velocity, amount: wanted.amount });
    if (window === undefined)
      throw refusalOfWindow(velocity, await rows.findWindow(tx, wanted.mandate, velocity), wanted.asset);
    windows.push(window);
  }
  await rows.insertHold(tx, { ...wanted, windows });
}

/**
 * The captured part is spent, the rest returns to the budget and to the periods; the use stays counted. False when the
 * hold has ended before: another driver of the same charge was faster.
 */
export async function captureHold(tx: TenantTx, charge: Id<"charge">, captured: bigint): Promise<boolean> {
  const hold = await holdOf(tx, charge);
  if (hold.state !== "held") return false;
  const { spent, freed } = settle(hold, captured);
  if (!(await rows.endHold(tx, charge, { state: "captured", captured }))) return false;
  await rows.moveBudget(tx, hold.mandate, { held: -hold.amount, spent, uses: 0 });
  if (freed > 0n)
    for (const window of hold.windows)
      await rows.giveBackWindow(tx, hold.mandate, { window, amount: freed, uses: 0 });
  return true;
}

/** Amount, use and velocity count all return. False when the hold has ended before. */
export async function releaseHold(tx: TenantTx, charge: Id<"charge">): Promise<boolean> {
  const hold = await holdOf(tx, charge);
  if (!(await rows.endHold(tx, charge, { state: "released", captured: 0n }))) return false;
  await rows.moveBudget(tx, hold.mandate, { held: -hold.amount, spent: 0n, uses: -1 });
  for (const window of hold.windows)
    await rows.giveBackWindow(tx, hold.mandate, { window, amount: hold.amount, uses: 1 });
  return true;
}

/** A refund returns the amount, neither use nor velocity. */
export async function refundHold(tx: TenantTx, charge: Id<"charge">, amount: bigint): Promise<void> {
  const hold = await holdOf(tx, charge);
  invariant(amount > 0n && amount <= hold.captured - hold.refunded, "a refund is of what was captured");
  invariant(await rows.refundOfHold(tx, charge, amount), "a refund meets its hold");
  await rows.moveBudget(tx, hold.mandate, { held: 0n, spent: -amount, uses: 0 });
}

/** I2 from the other side: the kept sums equal the sums of the holds. For checks and tests; its cost grows with the holds. */
export async function checkBudget(tx: TenantTx, mandate: Id<"mandate">): Promise<boolean> {
  const budget = await rows.findBudget(tx, mandate);
  const sums = await rows.sumOfHolds(tx, mandate);
  return budget !== undefined && budget.held === sums.held && budget.spent === sums.spent;
}

async function holdOf(tx: TenantTx, charge: Id<"charge">): Promise<Hold> {
  const hold = await rows.findHold(tx, charge);
  invariant(hold !== undefined, "a charge has its hold");
  return hold;
}

async function refusal(tx: TenantTx, wanted: HoldRequest): Promise<Error> {
  const budget = await rows.findBudget(tx, wanted.mandate);
  invariant(budget !== undefined, "a mandate has its budget");
  return refusalOfHold(budget, wanted.asset);
}
