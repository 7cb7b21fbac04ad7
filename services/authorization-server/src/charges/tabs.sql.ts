import { after, assetOf, dayMs, type Id, type Instant, invariant, money } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Charge } from "./charges.ts";
import { amountTooSmall, type Tab, type TabState } from "./tabs.ts";

type Row = {
  readonly id: Id<"tab">;
  readonly tenant_id: Id<"tenant">;
  readonly mandate_id: Id<"mandate">;
  readonly agent_id: Id<"agent">;
  readonly merchant_id: Id<"merchant">;
  readonly merchant_tenant_id: Id<"tenant">;
  readonly merchant_client_id: string;
  readonly currency: string;
  readonly instrument_id: Id<"instrument"> | null;
  readonly state: TabState;
  readonly generation: number;
  readonly owed_minor: bigint;
  readonly asked_minor: bigint | null;
  readonly limit_minor: bigint;
  readonly charge_id: Id<"charge">;
  readonly payment_id: Id<"payment"> | null;
  readonly payment_reference: string | null;
  readonly because: string | null;
  readonly opened_at: Instant;
  readonly due_at: Instant;
  readonly state_since: Instant;
  readonly livemode: boolean;
};

function tabOf(row: Row): Tab {
  const asset = assetOf(row.currency);
  invariant(asset !== undefined, "a tab's currency is one we know");
  return {
    id: row.id,
    payer: row.tenant_id,
    payee: row.merchant_tenant_id,
    mandate: row.mandate_id,
    agent: row.agent_id,
    merchant: row.merchant_id,
    merchantClient: row.merchant_client_id,
    instrument: row.instrument_id ?? undefined,
    state: row.state,
    generation: row.generation,
    owed: money(asset, row.owed_minor),
    asked: row.asked_minor === null ? undefined : money(asset, row.asked_minor),
    limit: money(asset, row.limit_minor),
    charge: row.charge_id,
    payment: row.payment_id ?? undefined,
    paymentReference: row.payment_reference ?? undefined,
    because: row.because ?? undefined,
    openedAt: row.opened_at,
    dueAt: row.due_at,
    stateSince: row.state_since,
    livemode: row.livemode,
  };
}

/** Puts an amount on the open tab of a mandate at a merchant, or opens one; locked until the transaction ends. */
export async function putOnTab(tx: TenantTx, tab: Tab): Promise<Tab> {
  const row = await tx.one<Row>(sql`insert into tabs (tenant_id, id, mandate_id, agent_id, merchant_id,
      merchant_tenant_id, merchant_client_id, currency, instrument_id, owed_minor, limit_minor, charge_id, opened_at,
      due_at, state_since, livemode)
    values (${tx.tenant}, ${tab.id}, ${tab.mandate}, ${tab.agent}, ${tab.merchant}, ${tab.payee},
      ${tab.merchantClient}, ${tab.owed.asset.code}, ${tab.instrument ?? null}, ${tab.owed.units}, ${tab.limit.units},
      ${tab.charge}, ${sqlTime(tab.openedAt)}, ${sqlTime(tab.dueAt)}, ${sqlTime(tab.stateSince)}, ${tab.livemode})
    on conflict (tenant_id, mandate_id, merchant_id, currency) where state = 'open' do update
      set owed_minor = tabs.owed_minor + excluded.owed_minor,
        limit_minor = least(tabs.limit_minor, excluded.limit_minor)
    returning *`);
  return tabOf(row);
}

/** Takes a refund off what is owed, as long as nobody is asking for it; undefined otherwise. */
export async function takeOffTab(tx: Sql, id: Id<"tab">, minor: bigint): Promise<Tab | undefined> {
  const row = await tx.maybe<Row>(sql`update tabs set owed_minor = owed_minor - ${minor}
    where id = ${id} and state in ('open', 'unpaid') and owed_minor >= ${minor} returning *`);
  return row && tabOf(row);
}

export async function findTab(tx: Sql, id: Id<"tab">): Promise<Tab | undefined> {
  const row = await tx.maybe<Row>(sql`select * from tabs where id = ${id}`);
  return row && tabOf(row);
}

export async function openTabsOf(tx: Sql, mandate: Id<"mandate">): Promise<Tab[]> {
  const rows = await tx.many<Row>(
    sql`select * from tabs where mandate_id = ${mandate} and state = 'open' order by id`,
  );
  return rows.map(tabOf);
}

/** In minor units: what cards have refused of tabs, and what was too little to be asked for. */
export type Unpaid = { readonly refused: bigint; readonly little: bigint };

/** What the transaction's tenant has not paid of its tabs at a merchant, in the currency of a purchase there. */
export const unpaidAt = (
  tx: Sql,
  { merchant, amount }: Pick<Charge, "merchant" | "amount">,
): Promise<Unpaid> =>
  tx.one<Unpaid>(sql`select
      coalesce(sum(owed_minor) filter (where because <> ${amountTooSmall}), 0)::bigint as refused,
      coalesce(sum(owed_minor) filter (where because = ${amountTooSmall}), 0)::bigint as little
    from tabs where merchant_id = ${merchant} and currency = ${amount.asset.code}
      and state not in ('open', 'settled') and (state = 'unpaid' or generation > 1)`);

/** As long as a purchase may be held before it is captured, and more. */
const heldMsMax = 7 * dayMs;

/**
 * What the transaction's tenant owes a merchant on tabs that nobody has refused, and what it holds there that will be put on one, in
 * the currency of a purchase. Of two transactions that ask, the second waits for the first to end, and counts what it has written.
 */
export async function owedAt(tx: TenantTx, charge: Charge): Promise<bigint> {
  const { merchant, amount, createdAt } = charge;
  const { code } = amount.asset;
  const lock = `tabs of ${tx.tenant} at ${merchant}`;
  // Both go in one message: the sum is read once the lock is there.
  const [, { owed }] = await Promise.all([
    tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`),
    tx.one<{ owed: bigint }>(sql`select (
        (select coalesce(sum(owed_minor), 0) from tabs
          where merchant_id = ${merchant} and currency = ${code} and state not in ('settled', 'unpaid'))
        + (select coalesce(sum(amount_minor), 0) from charges
          where merchant_id = ${merchant} and currency = ${code} and tab_limit_minor is not null and captured_at is null
            and created_at > ${sqlTime(after(createdAt, -heldMsMax))}
            and state not in ('released', 'declined', 'expired')))::bigint as owed`),
  ]);
  return owed;
}

/** The open tabs at a merchant that a card can be charged for, due from now on; so many at a time. */
export async function makeDue(
  tx: TenantTx,
  { merchant, amount }: Pick<Charge, "merchant" | "amount">,
  { least, now }: { readonly least: bigint; readonly now: Instant },
): Promise<Tab[]> {
  const found = await tx.many<Row>(sql`update tabs set due_at = least(due_at, ${sqlTime(now)}::timestamptz)
    where id in (select id from tabs where merchant_id = ${merchant} and currency = ${amount.asset.code}
      and state = 'open' and owed_minor >= ${least} order by owed_minor desc limit 100)
    returning *`);
  return found.map(tabOf);
}

export type TabChange = {
  readonly to: TabState;
  /** The whole of what is owed is asked for, in the next generation when it was before. */
  readonly ask?: boolean;
  readonly payment?: Id<"payment">;
  readonly paymentReference?: string | undefined;
  readonly because?: string;
  readonly endedAt?: Instant;
  readonly now: Instant;
  /** Only if nothing has been put on it since it was read. */
  readonly ifOwed?: bigint;
};

/** One conditional UPDATE on (state, generation); undefined for the loser, who reads again. */
export async function moveTabRow(tx: Sql, from: Tab, change: TabChange): Promise<Tab | undefined> {
  const again = change.ask === true && from.asked !== undefined;
  const row = await tx.maybe<Row>(sql`update tabs set
      state = ${change.to}, generation = generation + ${again ? 1 : 0},
      asked_minor = case when ${change.ask === true} then owed_minor else asked_minor end,
      payment_id = case when ${again} then null else coalesce(${change.payment ?? null}, payment_id) end,
      payment_reference = coalesce(${change.paymentReference ?? null}, payment_reference),
      because = coalesce(${change.because ?? null}, because),
      state_since = ${sqlTime(change.now)},
      ended_at = ${change.endedAt === undefined ? null : sqlTime(change.endedAt)}::timestamptz
    where id = ${from.id} and state = ${from.state} and generation = ${from.generation}
      and (${change.ifOwed ?? null}::bigint is null or owed_minor = ${change.ifOwed ?? null}::bigint)
    returning *`);
  return row && tabOf(row);
}
