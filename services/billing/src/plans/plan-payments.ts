import { type Clock, type Id, type Instant, invariant, type Money, money, split } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type PlanPayment, planEntries, post } from "../ledger/index.ts";
import type { PlanInvoice } from "../stripe/index.ts";
import * as rows from "./plan-payments.sql.ts";
import { planOf } from "./plans.ts";

/** What an organization has paid for a period of its plan, tax included. */
export type PlanCharge = {
  readonly reference: string;
  readonly subscription: string;
  readonly tier: string;
  readonly gross: Money;
  readonly tax: Money;
  readonly taxBasisPoints: number;
  readonly reverseCharge: boolean;
  readonly postedAt: Instant;
};

export type PlanPaymentDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly atStripe: {
    /** What a subscription was paid with. */
    invoices(subscription: string): AsyncIterable<PlanInvoice>;
    /** A payment, and what Stripe has booked of it; undefined while it has not. */
    booked(intent: string): Promise<PlanPayment | undefined>;
    /** The subscription of an invoice. */
    subscriptionOf(invoice: string): Promise<string | undefined>;
  };
  /** How an organization is taxed now. */
  readonly taxOf: (
    tenant: Id<"tenant">,
  ) => Promise<{ readonly taxBasisPoints: number; readonly reverseCharge: boolean }>;
};

export type Paid = { readonly tenant: Id<"tenant">; readonly subscription: string };

/**
 * Posts what a subscription was paid with, as Stripe shows it, each invoice once with all its payments. False while one of
 * them is not on our balance yet: it is looked for again.
 */
export async function postPlanPayments(deps: PlanPaymentDeps, of: Paid): Promise<boolean> {
  const known = await deps.db.of(of.tenant).transaction((tx) => rows.known(tx, of.subscription));
  let whole = true;
  for await (const invoice of deps.atStripe.invoices(of.subscription))
    if (!known.has(invoice.reference)) whole = (await postInvoice(deps, of.tenant, invoice)) && whole;
  return whole;
}

async function postInvoice(
  deps: PlanPaymentDeps,
  tenant: Id<"tenant">,
  invoice: PlanInvoice,
): Promise<boolean> {
  const payments: PlanPayment[] = [];
  for (const intent of invoice.intents) {
    const booked = await deps.atStripe.booked(intent);
    if (booked === undefined) return false;
    payments.push(booked);
  }
  const terms = await deps.taxOf(tenant);
  const tier = invoice.tier ?? (await planOf(deps, tenant)).tier;
  await deps.db.of(tenant).transaction(async (tx) => {
    const at = deps.clock.now();
    const gross = sumOf(payments);
    const tax = taxIn(gross, terms);
    const { reference, subscription } = invoice;
    const charge: PlanCharge = { reference, subscription, tier, gross, tax, ...terms, postedAt: at };
    if (!(await rows.insert(tx, tenant, charge))) return;
    await post(tx, planEntries({ invoice: reference, gross, tax, payments, at }));
  });
  return true;
}

function sumOf(payments: readonly PlanPayment[]): Money {
  const [first, ...others] = payments.map(({ paid }) => paid);
  invariant(first !== undefined, "an invoice that was paid has a payment");
  invariant(
    others.every(({ asset }) => asset.code === first.asset.code),
    "one invoice is in one currency",
  );
  return money(
    first.asset,
    others.reduce((sum, { units }) => sum + units, first.units),
  );
}

/** The tax within a price: the larger remainder gets the unit that is left over, and of equals the price without tax. */
export function taxIn(gross: Money, terms: { taxBasisPoints: number; reverseCharge: boolean }): Money {
  const points = terms.reverseCharge ? 0n : BigInt(terms.taxBasisPoints);
  const [, tax] = split(gross, [10_000n, points]);
  invariant(tax !== undefined, "what is split by two has two parts");
  return tax;
}

/** What the transaction's tenant has paid in a time. */
export const planChargesOf = (
  tx: TenantTx,
  span: { readonly from: Instant; readonly until: Instant },
): Promise<PlanCharge[]> => rows.within(tx, span);

/** The tenants that have paid for a plan in a time, each once, in pages. */
export async function* planPayersIn(
  db: Database,
  span: { readonly from: Instant; readonly until: Instant },
): AsyncGenerator<Id<"tenant">> {
  const most = 500;
  for (let beyond = ""; ; ) {
    const page = await db.global.transaction((tx) => rows.payers(tx, { ...span, beyond, most }));
    for (const { tenant } of page) yield tenant;
    const last = page.at(-1);
    if (last === undefined || page.length < most) return;
    beyond = last.tenant;
  }
}
