import { type Clock, dayMs, hourMs, type Id, type Instant, invariant, after as later } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database, TenantTx } from "@remit/platform/sql";
import {
  type Actor,
  newEvent,
  type PlanLimits,
  type PlanTier,
  Problem,
  planPayload,
  planSchedule,
} from "@remit/protocol";
import type { SubscriptionSeen } from "../stripe/index.ts";
import { findRunning } from "./checkouts.sql.ts";
import * as rows from "./plans.sql.ts";

/** What an organization has, and how it came to it. Version 0: nothing was ever said, and it has the free plan. */
export type Plan = {
  readonly tier: PlanTier;
  readonly version: number;
  /** Agreed with this organization, in place of its tier's. */
  readonly ownLimits: PlanLimits | undefined;
  readonly source: "subscription" | "agreement";
  readonly subscription: string | undefined;
  readonly status: string | undefined;
  readonly periodEnd: Instant | undefined;
  readonly endsWithPeriod: boolean;
  /** The place of the read that this was written from, in the order in which reads began. */
  readonly readNo: bigint;
};

export const limitsOf = ({ tier, ownLimits }: Pick<Plan, "tier" | "ownLimits">): PlanLimits =>
  ownLimits ?? planSchedule[tier];

/** While one of these is said of a subscription, the organization has what it pays for; `past_due` is Stripe still asking. */
const live: ReadonlySet<string> = new Set(["active", "trialing", "past_due"]);

export const isLive = (status: string | undefined): boolean => status !== undefined && live.has(status);

const over: ReadonlySet<string> = new Set(["canceled", "incomplete_expired"]);

/** What is over costs nothing any more. All else may yet be paid, also what gives no plan now (`unpaid`, `paused`). */
export const isOver = (status: string | undefined): boolean => status === undefined || over.has(status);

/** Looks at the plans that are paid for: news may be lost, and a plan must not be wrong for longer than a day. */
export const lookQueue = "plans.look";

/** Posts what a subscription was paid with. */
export const paymentsQueue = "plans.payments";

/** When to ask Stripe though no news came: within a day, at the end of the period, and until that has brought another. */
export function nextLook({ periodEnd }: Pick<Plan, "periodEnd">, now: Instant): Instant {
  if (periodEnd === undefined) return later(now, dayMs);
  if (periodEnd <= now) return later(now, hourMs);
  return periodEnd < later(now, dayMs) ? periodEnd : later(now, dayMs);
}

/**
 * The plan after what Stripe says of a subscription; undefined when that changes nothing: it is of another subscription
 * than the one that is paid, the operator has agreed on something else, or nobody knows what was bought. A subscription
 * that we have keeps its tier, whatever becomes of its price.
 */
export function planAfter(before: Plan, seen: SubscriptionSeen, readNo: bigint): Plan | undefined {
  if (before.source === "agreement") return undefined;
  const isOther = before.subscription !== undefined && before.subscription !== seen.subscription;
  if (isOther && (isLive(before.status) || !isLive(seen.status))) return undefined;
  const tier = seen.tier ?? (before.subscription === seen.subscription ? before.tier : undefined);
  if (tier === undefined) return undefined;
  return {
    tier: isLive(seen.status) ? tier : "free",
    version: before.version,
    ownLimits: undefined,
    source: "subscription",
    subscription: seen.subscription,
    status: seen.status,
    periodEnd: seen.periodEnd,
    endsWithPeriod: seen.endsWithPeriod,
    readNo,
  };
}

export type PlanDeps = { readonly db: Database; readonly clock: Clock };

/** The plan of a tenant, as it stands. */
export const planOf = ({ db }: Pick<PlanDeps, "db">, tenant: Id<"tenant">): Promise<Plan> =>
  db.of(tenant).transaction((tx) => rows.findPlan(tx));

/**
 * Writes what Stripe said of a subscription, and tells whoever enforces plans if it allows something else now. `overtaken`
 * when a read that began later has been written: of the two nobody knows which Stripe answered last, so it is read again.
 */
export const takeSubscription = (
  deps: PlanDeps,
  of: { readonly tenant: Id<"tenant">; readonly seen: SubscriptionSeen; readonly readNo: bigint },
): Promise<"taken" | "overtaken"> =>
  deps.db.of(of.tenant).transaction(async (tx) => {
    const before = await rows.lockPlan(tx, of.tenant);
    if (of.readNo < before.readNo) return "overtaken";
    const { tenant } = of;
    const { subscription } = of.seen;
    await enqueue(tx, { queue: paymentsQueue, key: subscription, payload: { tenant, subscription } });
    const after = planAfter(before, of.seen, of.readNo);
    if (after === undefined) return "taken";
    const now = deps.clock.now();
    await change(tx, { before, after, actor: stripe, now });
    if (isOver(after.status)) return "taken";
    await enqueue(tx, { queue: lookQueue, key: tenant, payload: { tenant }, runAt: nextLook(after, now) });
    return "taken";
  });

const stripe: Actor = { type: "system", id: "stripe" };

export type Agreement = {
  readonly tenant: Id<"tenant">;
  readonly tier: PlanTier;
  readonly limits: PlanLimits | undefined;
  readonly by: Actor;
};

/**
 * The operator has agreed on a plan with an organization; on `free`, the word is Stripe's again. Throws
 * `plan_change_refused` while something is or could come to be paid for.
 */
export const agreeOn = ({ db, clock }: PlanDeps, { tenant, tier, limits, by }: Agreement): Promise<Plan> =>
  db.of(tenant).transaction(async (tx) => {
    const before = await rows.lockPlan(tx, tenant);
    if (before.subscription !== undefined && !isOver(before.status))
      throw new Problem("plan_change_refused", {
        detail: "End the subscription first: it would go on to be paid.",
      });
    if ((await findRunning(tx)) !== undefined)
      throw new Problem("plan_change_refused", {
        detail: "A visit to Checkout has just begun: agree again.",
      });
    const now = clock.now();
    const source = tier === "free" && limits === undefined ? "subscription" : "agreement";
    const readNo = await rows.nextRead(tx);
    const after: Plan = { ...before, tier, ownLimits: limits, source, readNo };
    return change(tx, { before, after, actor: by, now });
  });

type Change = { readonly before: Plan; readonly after: Plan; readonly actor: Actor; readonly now: Instant };

/** Saves it; what is allowed is told once for each change, with a version of its own. */
async function change(tx: TenantTx, { before, after, actor, now }: Change): Promise<Plan> {
  const allowed = (plan: Plan): string => JSON.stringify([plan.tier, limitsOf(plan)]);
  const differs = allowed(before) !== allowed(after);
  const plan: Plan = {
    ...after,
    version: differs || before.version === 0 ? before.version + 1 : before.version,
  };
  await rows.savePlan(tx, { tenant: tx.tenant, plan, now });
  if (!differs) return plan;
  invariant(plan.version > before.version, "what a plan allows changes with its version");
  const payload = planPayload({ tier: plan.tier, version: plan.version, limits: limitsOf(plan) });
  await tx.record(newEvent("plan.changed", { tenant: tx.tenant, actor, subject: tx.tenant, payload }, now));
  return plan;
}
