import { type Asset, type Id, invariant } from "@remit/kernel";
import { type TenantTx, violates } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { countSpending } from "../spending/index.ts";
import * as rows from "./budget.sql.ts";
import {
  type Budget,
  type Hold,
  minorOf,
  refusalOfHold,
  refusalOfWindow,
  remainingOf,
  settle,
  type Velocity,
  type Window,
} from "./budget.ts";
import { assetOfMandate, type Mandate } from "./mandates.ts";
import { splitHold } from "./split-hold.sql.ts";
import { giveBackToPeriods } from "./standing-limits.sql.ts";
import { countInLimits, type StandingLimit } from "./standing-limits.ts";

/** One mandate whose budget a hold takes of, with the rules of its periods. */
export type Bearer = { readonly mandate: Id<"mandate">; readonly velocity: readonly Velocity[] };

export type HoldRequest = Bearer &
  rows.SpentAt & {
    readonly charge: Id<"charge">;
    /** In budget units, and the asset they are of: the same along a chain. */
    readonly amount: bigint;
    readonly asset: Asset;
    /** The mandates that this one was handed on from, the root first. */
    readonly above?: readonly Bearer[];
    /** The principal's limits over all its mandates that this counts in, in the order of their locks. */
    readonly limits?: readonly StandingLimit[];
  };

/** Refuses at once, waiting for nobody, what the budget has no room for as it was read. `takeHold` decides. */
export function assertRoom(budget: Budget | undefined, wanted: HoldRequest): void {
  invariant(budget !== undefined, "a mandate has its budget");
  if (!hasRoom(budget, wanted.amount)) throw refusalOfHold(budget, wanted.asset);
}

const hasRoom = (budget: Budget, amount: bigint): boolean =>
  (budget.usesMax === undefined || budget.uses < budget.usesMax) && remainingOf(budget) >= amount;

/**
 * What is left of a mandate once `taking` is held as well, in whole minor units: no more than of any that it was handed on
 * from, and nothing once it is used up.
 */
export async function remainingAfter(tx: TenantTx, mandate: Mandate, taking: bigint): Promise<number> {
  const chain = [mandate.id, ...mandate.ancestors];
  const budgets = await rows.findBudgets(tx, chain);
  invariant(budgets.size === chain.length, "a mandate has its budget");
  const least = [...budgets.values()].map(remainingOf).reduce((one, other) => (one < other ? one : other));
  return least <= taking ? 0 : minorOf(assetOfMandate(mandate.details), least - taking);
}

/**
 * Takes a hold in the caller's transaction, the one that writes the charge: of every budget of the chain, the root's first,
 * then of the windows in the same order, then of the principal's own limits, so that no two holds ever wait for each other.
 * The loser of a race is refused.
 * Call it last: from here to the commit every other charge of the mandate, and of those above it, waits.
 */
export async function takeHold(tx: TenantTx, wanted: HoldRequest): Promise<void> {
  invariant(wanted.amount > 0n, "a hold is of something");
  const { above = [], limits = [] } = wanted;
  if (above.length === 0 && wanted.velocity.length === 0) {
    if ((await rows.holdAtOnce(tx, wanted)) === undefined) throw await refusal(tx, wanted, wanted);
    return countInLimits(tx, limits, wanted.amount);
  }
  const chain = [...above, wanted];
  for (const bearer of chain)
    if ((await rows.holdOfBudget(tx, bearer.mandate, wanted.amount)) === undefined)
      throw await refusal(tx, wanted, bearer);
  const counted: { mandate: Id<"mandate">; windows: readonly Window[] }[] = [];
  for (const bearer of chain)
    counted.push({ mandate: bearer.mandate, windows: await countIn(tx, wanted, bearer) });
  await rows.insertHold(tx, { ...wanted, windows: counted.at(-1)?.windows ?? [] });
  if (above.length > 0) await rows.insertLinks(tx, wanted.charge, counted.slice(0, -1));
  await countInLimits(tx, limits, wanted.amount);
}

/**
 * The same with the commit, in one message: other charges of the mandate wait for the database alone, and not for us. Loses
 * by failing, which `isNoRoom` knows: then all has been rolled back, and `takeHold` says in another transaction what is
 * lacking. Where a hold is of more than one budget, or counts in periods, it is taken here and now.
 */
export async function takeHoldWithCommit(tx: TenantTx, wanted: HoldRequest): Promise<void> {
  invariant(wanted.amount > 0n, "a hold is of something");
  const { above = [], velocity, limits = [] } = wanted;
  if (above.length + velocity.length + limits.length > 0) await takeHold(tx, wanted);
  else rows.holdWithCommit(tx, wanted);
}

export const isNoRoom = (error: unknown): boolean => violates(error, "mandate_budgets_room");

async function countIn(tx: TenantTx, wanted: HoldRequest, bearer: Bearer): Promise<readonly Window[]> {
  const windows: Window[] = [];
  for (const velocity of bearer.velocity) {
    const window = await rows.countInWindow(tx, bearer.mandate, { velocity, amount: wanted.amount });
    if (window === undefined) {
      if (bearer.mandate !== wanted.mandate) throw new Problem("mandate_velocity_exceeded", aboveIt);
      throw refusalOfWindow(velocity, await rows.findWindow(tx, bearer.mandate, velocity), wanted.asset);
    }
    windows.push(window);
  }
  return windows;
}

/** How much is left above is for those who hold that mandate to know. */
const aboveIt = {
  detail: "A mandate that this one was handed on from does not suffice.",
  extra: { limited_by: "ancestor" },
} as const;

async function refusal(tx: TenantTx, wanted: HoldRequest, bearer: Bearer): Promise<Error> {
  const budget = await rows.findBudget(tx, bearer.mandate);
  invariant(budget !== undefined, "a mandate has its budget");
  const problem = refusalOfHold(budget, wanted.asset);
  return bearer.mandate === wanted.mandate ? problem : new Problem(problem.code, aboveIt);
}

type KeptHold = Hold & { readonly linked: boolean };

/** Every budget that a hold is kept of, the root's first, and the windows it counts in. */
const keptOf = async (tx: TenantTx, hold: KeptHold) =>
  hold.linked ? [...(await rows.findLinks(tx, hold.charge)), hold] : [hold];

/** What leaves `held`, what joins or leaves `spent` and `uses`, in every budget of the chain, and of their windows. */
async function moveAll(
  tx: TenantTx,
  hold: KeptHold,
  by: { held: bigint; spent: bigint; uses: number; back: { amount: bigint; uses: number } | undefined },
): Promise<void> {
  const kept = await keptOf(tx, hold);
  for (const { mandate } of kept) await rows.moveBudget(tx, mandate, by);
  if (by.back === undefined) return;
  for (const { mandate, windows } of kept)
    for (const window of windows) await rows.giveBackWindow(tx, mandate, { window, ...by.back });
  await giveBackToPeriods(tx, hold.charge, by.back);
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
  const back = freed > 0n ? { amount: freed, uses: 0 } : undefined;
  await moveAll(tx, hold, { held: -hold.amount, spent, uses: 0, back });
  await countSpending(tx, charge, { spent, refunded: 0n, charges: 1 });
  return true;
}

/** Amount, use and velocity count all return. False when the hold has ended before. */
export async function releaseHold(tx: TenantTx, charge: Id<"charge">): Promise<boolean> {
  const hold = await holdOf(tx, charge);
  if (!(await rows.endHold(tx, charge, { state: "released", captured: 0n }))) return false;
  const back = { amount: hold.amount, uses: 1 };
  await moveAll(tx, hold, { held: -hold.amount, spent: 0n, uses: -1, back });
  return true;
}

/**
 * A part of what is held is spent at once, under an id of its own; the rest stays held, with the use that was counted. False
 * when the hold has ended, or is no more than that: then it is captured.
 */
export async function spendOfHold(
  tx: TenantTx,
  { charge, part, amount }: { charge: Id<"charge">; part: Id<"charge">; amount: bigint },
): Promise<boolean> {
  if (!(await splitHold(tx, { charge, part, amount }))) return false;
  const hold = await holdOf(tx, part);
  await moveAll(tx, hold, { held: -amount, spent: amount, uses: 0, back: undefined });
  await countSpending(tx, part, { spent: amount, refunded: 0n, charges: 1 });
  return true;
}

/** What is left of a hold of which parts were spent: the amount returns, the use does not. False when it has ended. */
export async function freeRestOfHold(tx: TenantTx, charge: Id<"charge">): Promise<boolean> {
  const hold = await holdOf(tx, charge);
  if (!(await rows.endHold(tx, charge, { state: "released", captured: 0n }))) return false;
  const back = { amount: hold.amount, uses: 0 };
  await moveAll(tx, hold, { held: -hold.amount, spent: 0n, uses: 0, back });
  return true;
}

/**
 * With a refund so much is given back in all: the budget gets what it has not got yet, neither use nor velocity. It has some of it,
 * or all, where a refund came back that the budget had no room to spend again (`unrefundHold`).
 */
export async function refundHold(tx: TenantTx, charge: Id<"charge">, inAll: bigint): Promise<void> {
  const hold = await holdOf(tx, charge);
  invariant(inAll > 0n && inAll <= hold.captured, "a refund is of what was captured");
  const amount = inAll - hold.refunded;
  if (amount <= 0n) return;
  invariant(await rows.refundOfHold(tx, charge, amount), "a refund meets its hold");
  await moveAll(tx, hold, { held: 0n, spent: -amount, uses: 0, back: undefined });
  await countSpending(tx, charge, { spent: 0n, refunded: amount, charges: 0 });
}

/**
 * A refund has come back: what it returned is spent again, as far as there is room in every budget of the chain. What has been
 * bought since with the rest of it stands, and no budget is ever above its cap. How much is spent again.
 */
export async function unrefundHold(tx: TenantTx, charge: Id<"charge">, amount: bigint): Promise<bigint> {
  const hold = await holdOf(tx, charge);
  let room = amount;
  for (const { mandate } of await keptOf(tx, hold)) {
    const left = await rows.lockRoom(tx, mandate);
    if (left < room) room = left;
  }
  if (room === 0n) return 0n;
  invariant(await rows.refundOfHold(tx, charge, -room), "what comes back was refunded");
  await moveAll(tx, hold, { held: 0n, spent: room, uses: 0, back: undefined });
  await countSpending(tx, charge, { spent: room, refunded: 0n, charges: 0 });
  return room;
}

/** I2 from the other side: the kept sums equal the sums of the holds. For checks and tests; its cost grows with the holds. */
export async function checkBudget(tx: TenantTx, mandate: Id<"mandate">): Promise<boolean> {
  const budget = await rows.findBudget(tx, mandate);
  const sums = await rows.sumOfHolds(tx, mandate);
  return budget !== undefined && budget.held === sums.held && budget.spent === sums.spent;
}

async function holdOf(tx: TenantTx, charge: Id<"charge">): Promise<KeptHold> {
  const hold = await rows.findHold(tx, charge);
  invariant(hold !== undefined, "a charge has its hold");
  return hold;
}
