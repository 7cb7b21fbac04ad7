import type { Id } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Window } from "./budget.ts";
import type { StandingPlace } from "./standing-limits.ts";

/** Takes more for a hold that has its use already, if there is room; false for the loser of a race. */
export async function growInBudget(tx: Sql, mandate: Id<"mandate">, by: bigint): Promise<boolean> {
  const { count } = await tx.run(sql`update mandate_budgets set held = held + ${String(by)}::numeric
    where mandate_id = ${mandate} and held + spent + ${String(by)}::numeric <= cap`);
  return count === 1;
}

/** The same in the period in which the hold was counted. */
export async function growInWindow(
  tx: Sql,
  mandate: Id<"mandate">,
  { window, by, most }: { window: Window; by: bigint; most: bigint | undefined },
): Promise<boolean> {
  const amountMax = most === undefined ? null : String(most);
  const { count } = await tx.run(sql`update mandate_windows set amount = amount + ${String(by)}::numeric
    where mandate_id = ${mandate} and rule = ${window.rule}::smallint
      and opens_at = ${sqlTime(window.opensAt)}::timestamptz
      and (${amountMax}::numeric is null or amount + ${String(by)}::numeric <= ${amountMax}::numeric)`);
  return count === 1;
}

export async function growHoldRow(tx: Sql, charge: Id<"charge">, by: bigint): Promise<boolean> {
  const { count } = await tx.run(sql`update mandate_holds set amount = amount + ${String(by)}::numeric
    where charge_id = ${charge} and state = 'held'`);
  return count === 1;
}

/** What a standing limit's period counts in which the charge was held. */
export async function countedBy(tx: Sql, charge: Id<"charge">, place: StandingPlace): Promise<bigint> {
  const row = await tx.maybe<{ amount: string }>(sql`select w.amount
    from standing_windows w, mandate_holds h
    where h.charge_id = ${charge} and w.agent_id = ${place.agent ?? ""} and w.currency = ${place.currency}
      and w.period = ${place.period} and w.zone = ${place.zone}
      and w.opens_at = mandate_window(${place.period}, ${place.zone}, h.taken_at)`);
  return BigInt(row?.amount ?? "0");
}
