import type { Id } from "@remit/kernel";
import type { TenantSql } from "@remit/platform/sql";
import type Stripe from "stripe";
import * as rows from "./customers.sql.ts";
import { unavailable } from "./failures.ts";

/**
 * The tenant at Stripe, made once. The tenant's id is the idempotency key, so that a lost answer makes no second customer
 * within a day; a later one would be an empty customer that costs nobody anything.
 */
export async function customerOf(stripe: Stripe, db: TenantSql, now: () => string): Promise<string> {
  const known = await db.transaction((tx) => rows.findCustomer(tx));
  if (known !== undefined) return known;
  const reference = await create(stripe, db.tenant);
  return db.transaction((tx) => rows.keepCustomer(tx, { tenant: db.tenant, reference, at: now() }));
}

async function create(stripe: Stripe, tenant: Id<"tenant">): Promise<string> {
  try {
    const made = await stripe.customers.create(
      { metadata: { tenant } },
      { idempotencyKey: `customer.${tenant}` },
    );
    return made.id;
  } catch (cause) {
    throw unavailable(cause);
  }
}
