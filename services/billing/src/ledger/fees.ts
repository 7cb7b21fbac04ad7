import { type Money, money, share } from "@remit/kernel";

/** A merchant's price list. Fixed part and minimum are in units of the captured asset. */
export type FeeSchedule = {
  readonly basisPoints: bigint;
  readonly fixed: bigint;
  readonly minimum: bigint;
};

/**
 * The fee of a captured amount: the share, rounded half to even to a whole unit, plus the fixed part, at least the
 * minimum, at most the amount. What is not fee is the merchant's, so that the parts always sum to the whole.
 */
export function feeOf(captured: Money, schedule: FeeSchedule): Money {
  const wanted = share(captured, schedule.basisPoints, "half-even").units + schedule.fixed;
  const floored = wanted < schedule.minimum ? schedule.minimum : wanted;
  return money(captured.asset, floored > captured.units ? captured.units : floored);
}
