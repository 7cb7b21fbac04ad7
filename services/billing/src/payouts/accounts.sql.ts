import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { ConnectSeen } from "../stripe/index.ts";
import type { PayoutAccount } from "./accounts.ts";

// The functions of 0375_payout_accounts.sql: nothing else can write where a merchant is paid.

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"destination">;
  readonly merchant_id: Id<"merchant">;
  readonly generation: number;
  readonly country: string;
  readonly reference: string | null;
  readonly details_submitted: boolean;
  readonly charges_enabled: boolean;
  readonly payouts_enabled: boolean;
  readonly requirements: readonly string[];
  readonly disabled_reason: string | null;
  readonly asked_at: Instant;
  readonly effective_from: Instant | null;
};

const accountOf = (row: Row): PayoutAccount => ({
  id: row.id,
  tenant: row.tenant_id,
  merchant: row.merchant_id,
  generation: row.generation,
  country: row.country,
  reference: row.reference,
  detailsSubmitted: row.details_submitted,
  chargesEnabled: row.charges_enabled,
  payoutsEnabled: row.payouts_enabled,
  requirements: row.requirements,
  disabledReason: row.disabled_reason,
  askedAt: row.asked_at,
  effectiveFrom: row.effective_from,
});

/** Begins an onboarding, or answers with the one that is there. */
export const begin = async (
  tx: Sql,
  of: { id: Id<"destination">; merchant: Id<"merchant">; country: string; by: string; at: Instant },
  another: boolean,
): Promise<Id<"destination">> =>
  (
    await tx.one<{ id: Id<"destination"> }>(
      sql`select payout_account_begin(${JSON.stringify({ ...of, at: sqlTime(of.at) })}::jsonb, ${another}) as id`,
    )
  ).id;

/** The first name wins; whoever comes second gets it. */
export const name = async (tx: Sql, id: Id<"destination">, reference: string): Promise<string> =>
  (await tx.one<{ named: string }>(sql`select payout_account_named(${id}, ${reference}) as named`)).named;

export const beginLook = async (tx: Sql, id: Id<"destination">): Promise<number> =>
  (await tx.one<{ look: number }>(sql`select payout_account_look(${id}) as look`)).look;

export async function endLook(
  tx: Sql,
  id: Id<"destination">,
  { look, seen, now }: { look: number; seen: ConnectSeen; now: Instant },
): Promise<boolean> {
  const told = {
    details_submitted: seen.detailsSubmitted,
    charges_enabled: seen.chargesEnabled,
    payouts_enabled: seen.payoutsEnabled,
    requirements: seen.requirements,
    disabled_reason: seen.disabledReason,
    at: sqlTime(now),
  };
  return (
    await tx.one<{ written: boolean }>(
      sql`select payout_account_seen(${id}, ${look}::integer, ${JSON.stringify(told)}::jsonb) as written`,
    )
  ).written;
}

export async function accountById(tx: Sql, id: Id<"destination">): Promise<PayoutAccount | undefined> {
  const row = await tx.maybe<Row>(sql`select * from payout_accounts where id = ${id}`);
  return row && accountOf(row);
}

export async function accountByReference(tx: Sql, reference: string): Promise<PayoutAccount | undefined> {
  const row = await tx.maybe<Row>(sql`select * from payout_accounts where reference = ${reference}`);
  return row && accountOf(row);
}

/** Of a merchant, or of all of the tenant's; the newest of each first. */
export const accounts = async (tx: Sql, merchant?: Id<"merchant">): Promise<PayoutAccount[]> =>
  (
    await tx.many<Row>(sql`
      select * from payout_accounts where merchant_id = coalesce(${merchant ?? null}::text, merchant_id)
      order by merchant_id, generation desc limit 500`)
  ).map(accountOf);

export type AccountPage = {
  readonly merchant: Id<"merchant"> | undefined;
  readonly limit: number;
  readonly after: Id<"destination"> | undefined;
};

/** Each merchant's newest account first; which account is of which merchant and generation never changes. */
export const accountPage = async (
  tx: Sql,
  { merchant, limit, after }: AccountPage,
): Promise<PayoutAccount[]> =>
  (
    await tx.many<Row>(sql`
      select * from payout_accounts where merchant_id = coalesce(${merchant ?? null}::text, merchant_id)
        and (${after ?? null}::text is null or (merchant_id, -generation) >
          (select merchant_id, -generation from payout_accounts where id = ${after ?? null}))
      order by merchant_id, generation desc limit ${limit}`)
  ).map(accountOf);

/** Whose accounts there are, in pages over all tenants: by the account's name at Stripe alone. */
export const tenantOfReference = async (tx: Sql, reference: string): Promise<Id<"tenant"> | null> =>
  (
    await tx.one<{ tenant: Id<"tenant"> | null }>(
      sql`select tenant_of_payout_account(${reference}) as tenant`,
    )
  ).tenant;
