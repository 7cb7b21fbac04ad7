import { type Money, money, type Rounding, share } from "@remit/kernel";

/** In which one way a fee reaches us: kept back from what was captured, or asked for by invoice. */
export type Collection = "withheld" | "invoiced";

/** What one capture costs. Fixed part and minimum are in units of the captured asset. */
export type FeeTerms = {
  readonly basisPoints: bigint;
  readonly fixed: bigint;
  readonly minimum: bigint;
  readonly rounding: Rounding;
};

/** The terms that hold for a capture, and where they stand: the entry names them for ever. */
export type TermsInForce = FeeTerms & {
  readonly schedule: string;
  /** The tier's lower end, in minor units of the volume of the month before. */
  readonly fromVolume: bigint;
  readonly collection: Collection;
};

/**
 * The fee of a captured amount: the share, rounded to a whole unit as the schedule says, plus the fixed part, at least
 * the minimum, at most the amount. What is not fee is the merchant's, so that the parts always sum to the whole.
 */
export function feeOf(captured: Money, terms: FeeTerms): Money {
  const wanted = share(captured, terms.basisPoints, terms.rounding).units + terms.fixed;
  const floored = wanted < terms.minimum ? terms.minimum : wanted;
  return money(captured.asset, floored > captured.units ? captured.units : floored);
}
