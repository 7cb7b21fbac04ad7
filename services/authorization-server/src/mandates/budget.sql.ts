import { type Id, type Instant, invariant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import {
  assertBudget,
  type Budget,
  type Hold,
  type HoldState,
  type UsedWindow,
  type Velocity,
  type Window,
} from "./budget.ts";

// Amounts are numeric(30): a cap of 2^53 minor units does not fit a bigint of 10^-6 units. They arrive as text.
type BudgetRow = {
  readonly cap: string;
  readonly held: string;
  readonly spent: string;
  readonly uses: number;
  readonly uses_max: number | null;
};

const budgetOf = (row: BudgetRow): Budget =>
  assertBudget({
    cap: BigInt(row.cap),
    held: BigInt(row.held),
    spent: BigInt(row.spent),
    uses: row.uses,
    usesMax: row.uses_max ?? undefined,
  });

export async function insertBudget(
  tx: TenantTx,
  of: { mandate: Id<"mandate">; cap: bigint; usesMax: number | undefined },
): Promise<void> {
  await tx.run(sql`insert into mandate_budgets (tenant_id, mandate_id, cap, uses_max)
    values (${tx.tenant}, ${of.mandate}, ${String(of.cap)}::numeric, ${of.usesMax ?? null})`);
}

export async function findBudget(tx: Sql, mandate: Id<"mandate">): Promise<Budget | undefined> {
  const row = await tx.maybe<BudgetRow>(
    sql`select cap, held, spent, uses, uses_max from mandate_budgets where mandate_id = ${mandate}`,
  );
  return row && budgetOf(row);
}

export async function findBudgets(
  tx: Sql,
  mandates: readonly Id<"mandate">[],
): Promise<Map<Id<"mandate">, Budget>> {
  const found = await tx.many<BudgetRow & { readonly mandate_id: Id<"mandate"> }>(
    sql`select mandate_id, cap, held, spent, uses, uses_max from mandate_budgets
      where mandate_id = any(${[...mandates]}::text[])`,
  );
  return new Map(found.map((row) => [row.mandate_id, budgetOf(row)]));
}

/** Where a hold is spent: what the sums of spending are by. */
export type SpentAt = {
  /** A merchant's id; of an export, which kind it is. */
  readonly merchant?: Id<"merchant"> | `export:${string}` | undefined;
  readonly category?: string | undefined;
};

/** Takes the amount and one use if there is room, in one statement; undefined for the loser of a race. */
export async function holdOfBudget(
  tx: Sql,
  mandate: Id<"mandate">,
  amount: bigint,
): Promise<Budget | undefined> {
  const row = await tx.maybe<BudgetRow>(sql`update mandate_budgets
    set held = held + ${String(amount)}::numeric, uses = uses + 1
    where mandate_id = ${mandate} and held + spent + ${String(amount)}::numeric <= cap
      and (uses_max is null or uses < uses_max)
    returning cap, held, spent, uses, uses_max`);
  return row && budgetOf(row);
}

/** As `holdOfBudget`, and writes the hold, in one round trip: for a mandate without windows. */
export async function holdAtOnce(
  tx: TenantTx,
  hold: Pick<Hold, "charge" | "mandate" | "amount"> & SpentAt,
): Promise<Budget | undefined> {
  const amount = String(hold.amount);
  const row = await tx.maybe<BudgetRow>(sql`with taken as (
      update mandate_budgets set held = held + ${amount}::numeric, uses = uses + 1
      where mandate_id = ${hold.mandate} and held + spent + ${amount}::numeric <= cap
        and (uses_max is null or uses < uses_max)
      returning cap, held, spent, uses, uses_max
    ), kept as (
      insert into mandate_holds (tenant_id, charge_id, mandate_id, amount, windows, merchant_id, category)
      select ${tx.tenant}, ${hold.charge}, ${hold.mandate}, ${amount}::numeric, '[]'::jsonb,
        ${hold.merchant ?? null}, ${hold.category ?? null} from taken
    )
    select cap, held, spent, uses, uses_max from taken`);
  return row && budgetOf(row);
}

/** The same in the message of the commit, which fails where `holdAtOnce` finds nothing (23514, `mandate_budgets_room`). */
export const holdWithCommit = (
  tx: TenantTx,
  hold: Pick<Hold, "charge" | "mandate" | "amount"> & SpentAt,
): void =>
  tx.defer(sql`select take_hold(${tx.tenant}, ${hold.mandate}, ${hold.charge}, ${String(hold.amount)}::numeric,
    ${hold.merchant ?? null}, ${hold.category ?? null})`);

/** The lower cap, as far as it is not held or spent already: then it falls to it as that returns. */
export async function narrowBudget(
  tx: Sql,
  mandate: Id<"mandate">,
  to: { cap: bigint; single: boolean },
): Promise<Budget> {
  const cap = String(to.cap);
  const row = await tx.one<BudgetRow>(sql`update mandate_budgets
    set asked = ${cap}::numeric, cap = greatest(${cap}::numeric, held + spent),
      uses_max = case when ${to.single} then greatest(1, uses) else uses_max end
    where mandate_id = ${mandate} returning cap, held, spent, uses, uses_max`);
  return budgetOf(row);
}

/** Moves budget by differences: what leaves `held`, what joins (or leaves) `spent`, what is given back of `uses`. */
export async function moveBudget(
  tx: Sql,
  mandate: Id<"mandate">,
  by: { held: bigint; spent: bigint; uses: number },
): Promise<Budget> {
  const row = await tx.one<BudgetRow>(sql`update mandate_budgets
    set held = held + ${String(by.held)}::numeric, spent = spent + ${String(by.spent)}::numeric,
      uses = uses + ${by.uses}, uses_max = case when uses_max is null then null else greatest(1, least(uses_max, uses + ${by.uses})) end,
      cap = case when asked is null then cap else
        least(cap, greatest(asked, held + ${String(by.held)}::numeric + spent + ${String(by.spent)}::numeric)) end
    where mandate_id = ${mandate} returning cap, held, spent, uses, uses_max`);
  return budgetOf(row);
}

/** How much can still be held or spent; nobody else takes of it until the commit. */
export const lockRoom = async (tx: Sql, mandate: Id<"mandate">): Promise<bigint> =>
  BigInt(
    (
      await tx.one<{ room: string }>(
        sql`select cap - held - spent as room from mandate_budgets where mandate_id = ${mandate} for no key update`,
      )
    ).room,
  );

/** Counts a hold in the current period of one rule, by database time; undefined when the period has no room. */
export async function countInWindow(
  tx: TenantTx,
  mandate: Id<"mandate">,
  { velocity, amount }: { velocity: Velocity; amount: bigint },
): Promise<Window | undefined> {
  const amountMax = velocity.amount === undefined ? null : String(velocity.amount);
  const usesMax = velocity.count ?? null;
  const row = await tx.maybe<{ opens_at: Instant }>(sql`insert into mandate_windows as w
      (tenant_id, mandate_id, rule, opens_at, amount, uses)
    select ${tx.tenant}, ${mandate}, ${velocity.rule}::smallint,
      mandate_window(${velocity.period}, ${velocity.zone}, now()), ${String(amount)}::numeric, 1
    where (${amountMax}::numeric is null or ${String(amount)}::numeric <= ${amountMax}::numeric)
      and (${usesMax}::integer is null or ${usesMax}::integer >= 1)
    on conflict (tenant_id, mandate_id, rule, opens_at) do update
      set amount = w.amount + excluded.amount, uses = w.uses + 1
      where (${amountMax}::numeric is null or w.amount + excluded.amount <= ${amountMax}::numeric)
        and (${usesMax}::integer is null or w.uses + 1 <= ${usesMax}::integer)
    returning opens_at`);
  return row && { rule: velocity.rule, opensAt: row.opens_at };
}

/** What the current period of a rule has counted so far. */
export async function findWindow(
  tx: Sql,
  mandate: Id<"mandate">,
  velocity: Velocity,
): Promise<{ amount: bigint; uses: number; opensAt: Instant }> {
  const row = await tx.one<{ opens_at: Instant; amount: string | null; uses: number | null }>(sql`
    select at.opens_at, w.amount, w.uses
    from (select mandate_window(${velocity.period}, ${velocity.zone}, now()) as opens_at) at
    left join mandate_windows w
      on w.mandate_id = ${mandate} and w.rule = ${velocity.rule}::smallint and w.opens_at = at.opens_at`);
  return { amount: BigInt(row.amount ?? "0"), uses: row.uses ?? 0, opensAt: row.opens_at };
}

/** The same of all rules of a mandate at once, in their order. */
export async function findWindows(
  tx: Sql,
  mandate: Id<"mandate">,
  rules: readonly Velocity[],
): Promise<UsedWindow[]> {
  const found: UsedWindow[] = [];
  for (const velocity of rules) found.push({ velocity, ...(await findWindow(tx, mandate, velocity)) });
  return found;
}

/** Gives back of the periods in which a hold was counted. */
export async function giveBackWindow(
  tx: Sql,
  mandate: Id<"mandate">,
  { window, amount, uses }: { window: Window; amount: bigint; uses: number },
): Promise<void> {
  const { count } = await tx.run(sql`update mandate_windows
    set amount = amount - ${String(amount)}::numeric, uses = uses - ${uses}
    where mandate_id = ${mandate} and rule = ${window.rule}::smallint
      and opens_at = ${sqlTime(window.opensAt)}::timestamptz`);
  invariant(count === 1, "a hold counts in windows that exist");
}

type HoldRow = {
  readonly charge_id: Id<"charge">;
  readonly mandate_id: Id<"mandate">;
  readonly amount: string;
  readonly captured: string;
  readonly refunded: string;
  readonly state: HoldState;
  readonly windows: readonly { readonly rule: number; readonly opens_at: Instant }[];
};

const holdOf = (row: HoldRow): Hold => ({
  charge: row.charge_id,
  mandate: row.mandate_id,
  amount: BigInt(row.amount),
  captured: BigInt(row.captured),
  refunded: BigInt(row.refunded),
  state: row.state,
  windows: row.windows.map(({ rule, opens_at }) => ({ rule, opensAt: opens_at })),
});

export async function insertHold(
  tx: TenantTx,
  hold: Pick<Hold, "charge" | "mandate" | "amount" | "windows"> & SpentAt,
): Promise<void> {
  const windows = JSON.stringify(hold.windows.map(({ rule, opensAt }) => ({ rule, opens_at: opensAt })));
  await tx.run(sql`insert into mandate_holds (tenant_id, charge_id, mandate_id, amount, windows, merchant_id, category)
    values (${tx.tenant}, ${hold.charge}, ${hold.mandate}, ${String(hold.amount)}::numeric, ${windows}::jsonb,
      ${hold.merchant ?? null}, ${hold.category ?? null})`);
}

/** With `linked`: whether it is kept of budgets above its own too. */
export async function findHold(
  tx: Sql,
  charge: Id<"charge">,
): Promise<(Hold & { readonly linked: boolean }) | undefined> {
  const row = await tx.maybe<HoldRow & { readonly linked: boolean }>(sql`
    select charge_id, mandate_id, amount, captured, refunded, state, windows,
      exists (select from mandate_hold_links l where l.charge_id = h.charge_id) as linked
    from mandate_holds h where charge_id = ${charge}`);
  return row && { ...holdOf(row), linked: row.linked };
}

/** What a hold keeps of the budgets above its own, the root first. */
export async function insertLinks(
  tx: TenantTx,
  charge: Id<"charge">,
  links: readonly { readonly mandate: Id<"mandate">; readonly windows: readonly Window[] }[],
): Promise<void> {
  const rows = links.map(({ mandate, windows }, depth) => ({
    mandate_id: mandate,
    depth,
    windows: windows.map(({ rule, opensAt }) => ({ rule, opens_at: opensAt })),
  }));
  await tx.run(sql`insert into mandate_hold_links (tenant_id, charge_id, mandate_id, depth, windows)
    select ${tx.tenant}, ${charge}, mandate_id, depth, windows
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as l(mandate_id text, depth smallint, windows jsonb)`);
}

/** The same, with what each counts in. */
export async function findLinks(
  tx: Sql,
  charge: Id<"charge">,
): Promise<{ readonly mandate: Id<"mandate">; readonly windows: readonly Window[] }[]> {
  const found = await tx.many<Pick<HoldRow, "mandate_id" | "windows">>(
    sql`select mandate_id, windows from mandate_hold_links where charge_id = ${charge} order by depth`,
  );
  return found.map((row) => ({
    mandate: row.mandate_id,
    windows: row.windows.map(({ rule, opens_at }) => ({ rule, opensAt: opens_at })),
  }));
}

/** Ends a hold once: false when it is not held any more. */
export async function endHold(
  tx: Sql,
  charge: Id<"charge">,
  end: { state: "captured" | "released"; captured: bigint },
): Promise<boolean> {
  const { count } = await tx.run(sql`update mandate_holds
    set state = ${end.state}, captured = ${String(end.captured)}::numeric
    where charge_id = ${charge} and state = 'held'`);
  return count === 1;
}

export async function refundOfHold(tx: Sql, charge: Id<"charge">, amount: bigint): Promise<boolean> {
  const { count } = await tx.run(sql`update mandate_holds set refunded = refunded + ${String(amount)}::numeric
    where charge_id = ${charge} and state = 'captured' and refunded + ${String(amount)}::numeric <= captured`);
  return count === 1;
}

/** What the holds of a mandate say its budget must be: the other half of the assertion in pairs. */
export async function sumOfHolds(tx: Sql, mandate: Id<"mandate">): Promise<{ held: bigint; spent: bigint }> {
  const row = await tx.one<{ held: string; spent: string }>(sql`select
      coalesce(sum(amount) filter (where state = 'held'), 0)::numeric as held,
      coalesce(sum(captured - refunded), 0)::numeric as spent
    from mandate_holds where mandate_id = ${mandate}
      or charge_id in (select charge_id from mandate_hold_links where mandate_id = ${mandate})`);
  return { held: BigInt(row.held), spent: BigInt(row.spent) };
}

const checkedAtOnce = 500;

/** The next budgets of all tenants in the order of their keys, and whether each differs from what its holds sum to. */
export const budgetsBeyond = (
  db: Sql,
  beyond: { readonly tenant: string; readonly mandate: string },
): Promise<{ tenant: Id<"tenant">; mandate: Id<"mandate">; drifted: boolean }[]> =>
  db.many(sql`select tenant_id as tenant, mandate_id as mandate, drifted
    from mandate_budgets_check(${beyond.tenant}, ${beyond.mandate}, ${checkedAtOnce})`);
