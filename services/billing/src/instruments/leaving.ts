import { after, type Id, type Instant, minuteMs } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import { newEvent } from "@remit/protocol";
import { deleteCustomer, detachCard, knownCustomer } from "../stripe/index.ts";
import * as rows from "./instruments.sql.ts";
import type { InstrumentDeps } from "./instruments.ts";

/** The queue in which Stripe is told that a payer is no more. */
export const forgetQueue = "payers.forget";

const lookAgainMs = 5 * minuteMs;

/** No card of the payer is charged from this commit on, and what named it here is gone; Stripe is told by a job. */
export const forgetPayer = ({ db, clock }: InstrumentDeps, tenant: Id<"tenant">): Promise<void> =>
  db.of(tenant).transaction(async (tx) => {
    await rows.lockCards(tx);
    const now = clock.now();
    const actor = { type: "system", id: "billing" } as const;
    for (const { id, brand, isDefault } of await rows.removeAll(tx, now)) {
      const payload = { brand, default: isDefault };
      await tx.record(newEvent("instrument.removed", { tenant, actor, subject: id, payload }, now));
    }
    await enqueue(tx, { queue: forgetQueue, key: tenant, payload: { tenant } });
  });

/**
 * As often as it takes. A payment that is under way is finished first: Stripe captures what it holds, and it is read back.
 * What was captured is given back by its charge, which outlives customer and card.
 */
export async function forgetAtStripe(
  { db, stripe, clock }: InstrumentDeps,
  tenant: Id<"tenant">,
): Promise<{ readonly runAt: Instant } | undefined> {
  const own = db.of(tenant);
  const { open, methods } = await own.transaction(async (tx) => ({
    open: await rows.anyPaymentOpen(tx),
    methods: await rows.removedMethods(tx),
  }));
  if (open) return { runAt: after(clock.now(), lookAgainMs) };
  const customer = await knownCustomer(own);
  for (const method of methods) await detachCard(stripe, method);
  if (customer !== undefined) await deleteCustomer(stripe, customer);
  return undefined;
}
