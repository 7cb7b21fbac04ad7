import type { Id, Instant } from "@remit/kernel";
import { type Sql, type SqlValue, type Statement, sqlTime } from "@remit/platform/sql";
import type { ChargeStatus } from "@remit/protocol/contracts";
import { type ChargeRow, chargeOf } from "./charges.sql.ts";
import type { Charge } from "./charges.ts";

/** What a payer looks through its charges by. */
export type ChargeFilter = {
  readonly mandate: Id<"mandate"> | undefined;
  readonly agent: Id<"agent"> | undefined;
  readonly merchant: Id<"merchant"> | undefined;
  /** Any of the states there are; none has one that is not there yet. */
  readonly state: ChargeStatus | undefined;
  /** Under which its sums of spending are. */
  readonly category: string | undefined;
  /** A charge's number, or each of the words that are looked for. */
  readonly sought: Id<"charge"> | readonly string[];
  readonly since: Instant | undefined;
  readonly until: Instant | undefined;
};

export type SearchPage = { readonly limit: number; readonly before: Id<"charge"> | undefined };

/** Of the transaction's tenant, newest first. A page goes on after a charge, by when that one was made. */
export async function searchCharges(tx: Sql, filter: ChargeFilter, page: SearchPage): Promise<Charge[]> {
  const found = await tx.many<ChargeRow>(searchFor(filter, page));
  return found.map(chargeOf);
}

/** Put together from the filter's members alone and without a name, so that each search is planned for its own values. */
function searchFor(filter: ChargeFilter, page: SearchPage): Statement {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = ["true"];
  const { mandate, agent, merchant, state, category, sought, since, until } = filter;
  if (mandate !== undefined) where.push(`mandate_id = ${value(mandate)}`);
  if (agent !== undefined) where.push(`agent_id = ${value(agent)}`);
  if (merchant !== undefined) where.push(`merchant_id = ${value(merchant)}`);
  if (state !== undefined) where.push(`state = ${value(state)}`);
  if (category !== undefined)
    where.push(`exists (select from mandate_holds h where h.tenant_id = charges.tenant_id
      and h.charge_id = charges.id and h.category = ${value(category)})`);
  if (typeof sought === "string") where.push(`id = ${value(sought)}`);
  else
    for (const word of sought) where.push(`strpos(coalesce(found_by, merchant_origin), ${value(word)}) > 0`);
  if (since !== undefined) where.push(`created_at >= ${value(sqlTime(since))}`);
  if (until !== undefined) where.push(`created_at < ${value(sqlTime(until))}`);
  if (page.before !== undefined)
    where.push(`(created_at, id) < (select created_at, id from charges where id = ${value(page.before)})`);
  const rest = `order by created_at desc, id desc limit ${value(page.limit)}`;
  return { text: `select * from charges where ${where.join(" and ")} ${rest}`, values, name: "" };
}
