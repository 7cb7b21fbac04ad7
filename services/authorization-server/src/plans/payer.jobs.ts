import { after, type Clock, hourMs, type Id, type Instant, minuteMs, secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Billed } from "./billed.ts";

const queue = "payers.forget";
const Due = z.strictObject({ tenant: idOf("tenant") });

// However long billing is away, or something is held: a card that its holder wants forgotten does not stay.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, secondMs * 2 ** Math.min(attempt, 12));
const lookAgainMs = 5 * minuteMs;

export type PayerDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly billed: Pick<Billed, "forgetPayer">;
  /** Whether something of the transaction's tenant is held, or owed on a tab. */
  readonly anyUnsettled: (tx: Sql) => Promise<boolean>;
};

/** Has billing forget the transaction's tenant once nothing of it is open; with the change that ends it, or not at all. */
export const forgetPayerLater = (tx: TenantTx, now: Instant): Promise<void> => {
  const { tenant } = tx;
  return enqueue(tx, { queue, key: tenant, payload: { tenant }, runAt: now });
};

/** What is held is captured or given back first, what is owed on a tab is charged: that needs the card. */
async function forgetPayer(
  { db, clock, billed, anyUnsettled }: PayerDeps,
  tenant: Id<"tenant">,
): Promise<{ readonly runAt: Instant } | undefined> {
  if (await db.of(tenant).transaction(anyUnsettled)) return { runAt: after(clock.now(), lookAgainMs) };
  await billed.forgetPayer(tenant);
  return undefined;
}

export const payerJobs = (jobs: Jobs, deps: PayerDeps): Jobs =>
  jobs.on(queue, {
    attemptsMax,
    backoff,
    handle: ({ payload }) => forgetPayer(deps, Due.parse(payload).tenant),
  });
