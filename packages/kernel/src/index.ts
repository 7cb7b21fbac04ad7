export { type Asset, assetOf, assetOfCaip19, assets } from "./assets.ts";
export { cardMinimum, isInCardSteps } from "./card-minimums.ts";
export { type Cell, csvLine } from "./csv.ts";
export { type Id, type IdKind, idPattern, idPrefixes, newId, parseId } from "./ids.ts";
export { InvariantViolation, invariant, unreachable } from "./invariant.ts";
export {
  add,
  fromBudgetUnits,
  fromDecimal,
  type Money,
  money,
  moneyOf,
  type Rounding,
  sameAsset,
  share,
  split,
  subtract,
  toBudgetUnits,
  toDecimal,
  toMinor,
  unitsMax,
} from "./money.ts";
export { Secret } from "./secret.ts";
export {
  after,
  type Clock,
  dayMs,
  fromNumericDate,
  fromRfc3339,
  hourMs,
  type Instant,
  instantOf,
  type Moment,
  minuteMs,
  momentOf,
  monotonicMs,
  msSince,
  secondMs,
  systemClock,
  toDate,
  toNumericDate,
  toRfc3339,
} from "./time.ts";
