import { type Asset, fromBudgetUnits, type Id, type Instant, invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";

/** One row per mandate, in units of 10^-6 of its own currency; `held + spent` never exceeds `cap`. */
export type Budget = {
  readonly cap: bigint;
  readonly held: bigint;
  readonly spent: bigint;
  readonly uses: number;
  readonly usesMax: number | undefined;
};

export type Period = "hour" | "day" | "week" | "month";

/** A limit per calendar period in a named IANA zone; amounts in budget units. `rule` is its place in the mandate. */
export type Velocity = {
  readonly rule: number;
  readonly period: Period;
  readonly zone: string;
  readonly amount: bigint | undefined;
  readonly count: number | undefined;
};

/** The period a hold counts in. */
export type Window = { readonly rule: number; readonly opensAt: Instant };

/** What the open period of a rule has counted. */
export type UsedWindow = {
  readonly velocity: Velocity;
  readonly amount: bigint;
  readonly uses: number;
  readonly opensAt: Instant;
};

export type HoldState = "held" | "captured" | "released";

/** What one charge keeps of a budget: held until captured (in part) or released; a refund gives back of the captured. */
export type Hold = {
  readonly charge: Id<"charge">;
  readonly mandate: Id<"mandate">;
  readonly amount: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly state: HoldState;
  readonly windows: readonly Window[];
};

export const remainingOf = ({ cap, held, spent }: Budget): bigint => cap - held - spent;

/** I2: asserted after every write that touches a budget, in production too. */
export function assertBudget(budget: Budget): Budget {
  const { cap, held, spent, uses, usesMax } = budget;
  invariant(held >= 0n && spent >= 0n && uses >= 0, "nothing of a budget is negative");
  invariant(held + spent <= cap, "what is held and spent never exceeds the cap");
  invariant(usesMax === undefined || uses <= usesMax, "a mandate is used at most as often as allowed");
  return budget;
}

/** Why the budget has no room for the amount, with what the caller needs to choose a smaller one. */
export function refusalOfHold(budget: Budget, asset: Asset): Problem {
  if (budget.usesMax !== undefined && budget.uses >= budget.usesMax)
    return new Problem("mandate_uses_exhausted", { extra: { limit: budget.usesMax, remaining: 0 } });
  return new Problem("mandate_cap_exceeded", {
    extra: {
      limit: minorOf(asset, budget.cap),
      remaining: minorOf(asset, remainingOf(budget)),
      currency: asset.code,
    },
  });
}

/** Why the period has no room; `used` is what it has counted so far. */
export function refusalOfWindow(
  velocity: Velocity,
  used: { readonly amount: bigint; readonly uses: number; readonly opensAt: Instant },
  asset: Asset,
): Problem {
  const byCount = velocity.count !== undefined && used.uses >= velocity.count;
  const limit = byCount ? velocity.count : minorOf(asset, velocity.amount ?? 0n);
  const remaining = byCount ? 0 : minorOf(asset, (velocity.amount ?? 0n) - used.amount);
  return new Problem("mandate_velocity_exceeded", {
    extra: {
      limit,
      remaining,
      period: velocity.period,
      zone: velocity.zone,
      counts: byCount ? "uses" : "amount",
    },
  });
}

/** What a capture leaves: the captured part is spent, the rest of the hold is free again. */
export function settle(hold: Hold, captured: bigint): { readonly spent: bigint; readonly freed: bigint } {
  invariant(hold.state === "held", "only what is held is captured");
  invariant(captured > 0n && captured <= hold.amount, "a capture takes something, and at most what is held");
  return { spent: captured, freed: hold.amount - captured };
}

/** Whole minor units, rounded down: what a caller may still spend is never overstated. */
export const minorOf = (asset: Asset, units: bigint): number => Number(fromBudgetUnits(asset, units).units);
