import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { ChargeState } from "./charges.ts";

/** What an organization sold, whichever of its merchants sold it. */
export type Sold = {
  readonly id: Id<"charge">;
  readonly merchant_id: Id<"merchant">;
  readonly client_id: string;
  readonly agent_id: Id<"agent">;
  readonly state: ChargeState;
  readonly amount_minor: bigint;
  readonly captured_minor: bigint;
  readonly refunded_minor: bigint;
  readonly currency: string;
  readonly rail: "card" | "x402" | "test";
  readonly payment_reference: string | null;
  readonly because: string | null;
  readonly offer_id: string;
  readonly created_at: Instant;
  readonly captured_at: Instant | null;
  readonly receipt_id: Id<"receipt"> | null;
  readonly livemode: boolean;
};

export type SoldFilter = {
  readonly states: readonly string[] | undefined;
  readonly merchant: Id<"merchant"> | undefined;
  readonly before: Id<"charge"> | undefined;
  readonly limit: number;
};

export const soldCharges = (tx: Sql, { states, merchant, before, limit }: SoldFilter): Promise<Sold[]> =>
  // "~" sorts after every id, in the "C" order of the ids.
  tx.many<Sold>(sql`select * from merchant_charges
    where id < ${before ?? "~"} and (${merchant ?? null}::text is null or merchant_id = ${merchant ?? null})
      and (${states === undefined ? null : [...states]}::text[] is null or state = any(${states === undefined ? null : [...states]}::text[]))
    order by id desc limit ${limit}`);

export const soldCharge = (tx: Sql, id: Id<"charge">): Promise<Sold | undefined> =>
  tx.maybe<Sold>(sql`select * from merchant_charges where id = ${id}`);

export type SoldDay = {
  readonly day: string;
  readonly currency: string;
  readonly captured_minor: bigint;
  readonly refunded_minor: bigint;
  readonly count: number;
};

/** By the day of the capture, in UTC; a refund counts on the day of what it gives back. */
export const soldDays = (tx: Sql, from: Instant): Promise<SoldDay[]> =>
  tx.many<SoldDay>(sql`select to_char(captured_at at time zone 'UTC', 'YYYY-MM-DD') as day, currency,
      sum(captured_minor)::bigint as captured_minor, sum(refunded_minor)::bigint as refunded_minor, count(*)::int as count
    from merchant_charges where captured_at >= ${sqlTime(from)} group by 1, 2 order by 1, 2`);
