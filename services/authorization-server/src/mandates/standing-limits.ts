import type { Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Period } from "./budget.ts";
import * as rows from "./standing-limits.sql.ts";

export { lockMandates } from "./standing-limits.sql.ts";

/** A principal's limit over all of an agent's mandates, or over all there are: what it counts, and how. */
export type StandingPlace = {
  /** Undefined: whichever agent it is. */
  readonly agent: Id<"agent"> | undefined;
  readonly currency: string;
  readonly period: Period;
  readonly zone: string;
};

/** The same with how much it lets pass in a period, in budget units. */
export type StandingLimit = StandingPlace & {
  readonly amount: bigint | undefined;
  readonly count: number | undefined;
};

/** What the open period of a limit has counted. */
export type StandingUse = { readonly amount: bigint; readonly uses: number; readonly opensAt: Instant };

export const samePlace = (one: StandingPlace, other: StandingPlace): boolean =>
  one.agent === other.agent &&
  one.currency === other.currency &&
  one.period === other.period &&
  one.zone === other.zone;

const orderOf = ({ agent, period, zone }: StandingPlace): string => `${agent ?? ""} ${period} ${zone}`;
const inOrder = (one: StandingPlace, other: StandingPlace): number =>
  orderOf(one) < orderOf(other) ? 1 : orderOf(one) > orderOf(other) ? -1 : 0;

/**
 * The limits that a hold counts in: of its currency, and of any agent in its chain, since who hands a mandate on still
 * answers for it. In the order in which their rows are locked, those that all agents share last.
 */
export const limitsFor = (
  limits: readonly StandingLimit[],
  of: { readonly currency: string; readonly agents: readonly Id<"agent">[] },
): readonly StandingLimit[] =>
  limits
    .filter(
      ({ agent, currency }) => currency === of.currency && (agent === undefined || of.agents.includes(agent)),
    )
    .toSorted(inOrder);

/** Counts a hold in each limit's open period; refused by the first that has no room, and then all of it rolls back. */
export async function countInLimits(
  tx: TenantTx,
  limits: readonly StandingLimit[],
  amount: bigint,
): Promise<void> {
  for (const limit of limits)
    if (!(await rows.countInPeriod(tx, limit, amount)))
      // How much is left is for the principal to know: this is read by merchants and agents.
      throw new Problem("rule_limit_exceeded", {
        extra: {
          limited_by: limit.agent === undefined ? "all_agents" : "agent",
          period: limit.period,
          zone: limit.zone,
        },
        private: { amount: String(amount) },
      });
}

/**
 * Makes the periods of new limits count what was held since they began, and forgets those of limits that are gone. Nobody
 * may be taking a hold: `lockMandates` first. A hold that ends meanwhile is waited for.
 */
export async function replaceLimits(
  tx: TenantTx,
  { added, gone }: { readonly added: readonly StandingPlace[]; readonly gone: readonly StandingPlace[] },
): Promise<void> {
  // Before any period is touched: who ends a hold has its row already and wants its periods next.
  if (added.length > 0) await rows.keepHolds(tx);
  for (const place of gone) await rows.deletePeriods(tx, place);
  for (const place of added) await rows.countHolds(tx, place);
}

export const usesOfLimits = async (
  tx: TenantTx,
  places: readonly StandingPlace[],
): Promise<readonly StandingUse[]> => {
  const uses: StandingUse[] = [];
  for (const place of places) uses.push(await rows.findPeriod(tx, place));
  return uses;
};
