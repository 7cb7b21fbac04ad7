import type { Id } from "@remit/kernel";
import type { TenantSql } from "@remit/platform/sql";
import Stripe from "stripe";
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

/** The tenant at Stripe, if it was ever made. */
export const knownCustomer = (db: TenantSql): Promise<string | undefined> =>
  db.transaction((tx) => rows.findCustomer(tx));

/**
 * Stripe forgets who it was, with every card that is attached, and ends what is subscribed to. What was charged stays there,
 * and can be given back. Nothing to do for one that is gone.
 */
export async function deleteCustomer(stripe: Stripe, customer: string): Promise<void> {
  try {
    await stripe.customers.del(customer);
  } catch (cause) {
    if (!(cause instanceof Stripe.errors.StripeInvalidRequestError && cause.code === "resource_missing"))
      throw unavailable(cause);
  }
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
