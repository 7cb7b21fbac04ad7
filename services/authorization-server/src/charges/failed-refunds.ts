import {
  after,
  type Id,
  type Instant,
  invariant,
  money,
  parseId,
  secondMs,
  toBudgetUnits,
} from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Tenant, TenantTx } from "@remit/platform/sql";
import type { RemitEvent } from "@remit/protocol";
import { unrefundHold } from "../mandates/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import * as rows from "./charges.sql.ts";
import type { Charge, Seen } from "./charges.ts";
import { cross } from "./crossing.ts";
import { billableOf } from "./settle-tab.ts";
import { findTab } from "./tabs.sql.ts";
import { chargeNow, transitWithin } from "./transitions.ts";

/** Queue of the refunds that billing says have come back, by their ids. */
export const failedRefundsQueue = "charges.failed_refunds";

/** What billing reports of a refund is a hint, put down with its entry in the log: a job asks billing how it stands. */
export async function hearFailedRefund(
  tx: TenantTx<Tenant>,
  { type, tenant, payload }: RemitEvent,
): Promise<void> {
  const refund = type === "payment.refund_failed" ? parseId("refund", payload["refund"]) : undefined;
  if (refund !== undefined)
    await enqueue(tx, { queue: failedRefundsQueue, key: refund, payload: { tenant, refund } });
}

export type FailedRefund = { readonly tenant: Id<"tenant">; readonly refund: Id<"refund"> };

const againMs = 5 * secondMs;

/** Asks billing about a refund that was made and may have come back. When to look again, or undefined when it is over. */
export async function lookAtFailedRefund(
  deps: ChargesDeps,
  { tenant, refund }: FailedRefund,
): Promise<Instant | undefined> {
  const asked = () => deps.db.of(tenant).transaction((tx) => rows.refundById(tx, refund));
  const of = (await asked())?.charge;
  if (of === undefined) return undefined;
  const charge = await chargeNow(deps, { payer: tenant, id: of });
  const again = after(deps.clock.now(), againMs);
  // Whoever drives it may have an answer from before it failed.
  if (charge.refunding?.id === refund) return again;
  // Asked after the charge, which does not make it any more: it has come to its end, and not only since.
  if ((await asked())?.isDone !== true) return undefined;
  const seen = await readOf(deps, charge);
  if (seen.kind === "unknown") return again;
  const isFailed =
    seen.kind === "payment" &&
    seen.payment.refunds?.some(({ id, state }) => id === refund && state === "failed") === true;
  if (!isFailed) return undefined;
  return (await takeBack(deps, charge, refund)) === "later" ? again : undefined;
}

/** Of a purchase on a tab, what moved and was given back is the tab's payment. */
async function readOf({ db, billing }: ChargesDeps, charge: Charge): Promise<Seen> {
  const { tab: id, payer } = charge;
  if (id === undefined) return billing.read(charge);
  const tab = await db.of(payer).transaction((tx) => findTab(tx, id));
  invariant(tab !== undefined, "a tab never disappears");
  return billing.read(billableOf(tab));
}

/**
 * What the refund had changed is changed back, once: the charge is captured again, the request that made it is one that was refused, the
 * budget is spent again, and both sides' logs say so. Later while another refund runs, which counts on what was refunded before it.
 */
const takeBack = (deps: ChargesDeps, { payer, payee, id }: Charge, refund: Id<"refund">) =>
  cross(deps.db, { payer, payee }, async (crossing): Promise<"done" | "later"> => {
    const tx = await crossing.payer();
    const charge = await rows.findCharge(tx, id, "update");
    const asked = await rows.refundById(tx, refund);
    invariant(charge !== undefined && asked !== undefined, "neither charges nor refunds disappear");
    if (charge.state === "refunding") return "later";
    if (!(await rows.failRefund(tx, refund))) return "done";
    const refundedMinor = charge.refunded.units - asked.minor;
    invariant(refundedMinor >= 0n, "what comes back was refunded");
    const amount = money(charge.amount.asset, asked.minor);
    const whole = toBudgetUnits(amount);
    const spent = await unrefundHold(tx, id, whole);
    if (spent < whole)
      deps.log.warn({ charge: id, refund }, "a refund came back that was spent since: its budget is full");
    await transitWithin(deps, crossing, {
      from: charge,
      step: {
        event: "charge.refund_failed",
        change: { to: "captured", refundedMinor },
        payload: {
          refund,
          amount_minor: Number(asked.minor),
          refunded_minor: Number(refundedMinor),
          budget_minor: Number((asked.minor * spent) / whole),
        },
      },
    });
    return "done";
  });
