import { after, type Clock, type Id, type Instant, minuteMs, newId, toRfc3339 } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database, TenantSql } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  type CheckoutOrder,
  customerOf,
  endSubscription,
  expireCheckout,
  findCheckout,
  isUnsettled,
  openCheckout,
  readCheckout,
  readSubscription,
  resumeSubscription,
} from "../stripe/index.ts";
import * as rows from "./checkouts.sql.ts";
import { clearMark, lockPlan, nextRead, tenantOfCustomer } from "./plans.sql.ts";
import {
  type Agreement,
  agreeOn,
  isLive,
  isOver,
  nextLook,
  type Plan,
  planOf,
  takeSubscription,
} from "./plans.ts";
import { type ReturnUrls, returnUrlsOf } from "./return-urls.ts";

/** What can be bought without talking to anybody. */
export type SellableTier = "pro";
export type CheckoutState = "opening" | "open" | "completed" | "expired";

/** One visit to Stripe's Checkout. */
export type Checkout = {
  readonly id: Id<"checkout">;
  readonly tier: SellableTier;
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly state: CheckoutState;
  readonly session: string | undefined;
  readonly url: string | undefined;
  readonly createdAt: Instant;
};

export type CheckoutDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly stripe: Parameters<typeof openCheckout>[0];
  /** What a tier costs a month. */
  readonly prices: CheckoutOrder["prices"];
  /** Origins that a visit may return to; the first is where it returns unless told. */
  readonly returnOrigins: readonly string[];
};

export const checkoutQueue = "plans.checkout";

/** How often a visit of which no news came is looked at. */
const lookMs = 5 * minuteMs;
/** After this Stripe makes no session of a request any more, and nobody waits for its address. */
const openingMs = 60 * minuteMs;

export type Wanted = {
  readonly tenant: Id<"tenant">;
  readonly tier: SellableTier;
  readonly returnTo: ReturnUrls;
};

/**
 * Opens Stripe's Checkout for an organization and answers its address. One visit runs at a time: who asks again gets the
 * same one, and with other addresses to return to the former is ended first. Who has the plan, and let it end with its
 * period, goes on with it: there is nothing to pay, so the answer is where a visit would have returned to. Throws
 * `plan_change_refused`, `return_url_refused`, `unavailable`.
 */
export async function checkOut(deps: CheckoutDeps, wanted: Wanted): Promise<string> {
  const urls = returnUrlsOf(deps.returnOrigins, wanted.returnTo);
  const db = deps.db.of(wanted.tenant);
  if (await resumed(deps, wanted)) return urls.successUrl;
  for (;;) {
    const running = await begin(deps, wanted, urls);
    const isAsAsked =
      running.tier === wanted.tier &&
      running.successUrl === urls.successUrl &&
      running.cancelUrl === urls.cancelUrl;
    const open = await opened(deps, db, running);
    if (open === undefined) continue;
    if (isAsAsked) return open.url;
    await end(deps, db, open);
  }
}

/** The visit that runs, begun unless there is one. The plan stands still meanwhile: none begins beside what is held. */
const begin = (
  deps: CheckoutDeps,
  { tenant, tier }: Wanted,
  urls: Pick<Checkout, "successUrl" | "cancelUrl">,
): Promise<Checkout> =>
  deps.db.of(tenant).transaction(async (tx) => {
    refuseIfHeld(await lockPlan(tx, tenant), tier);
    const now = deps.clock.now();
    const id = newId("checkout");
    const empty = { state: "opening", session: undefined, url: undefined, createdAt: now } as const;
    const wanted: Checkout = { id, tier, ...urls, ...empty };
    const begun = await rows.beginCheckout(tx, { tenant, wanted, now });
    if (begun.id === id)
      await enqueue(tx, {
        queue: checkoutQueue,
        key: id,
        payload: { tenant, checkout: id },
        runAt: after(now, lookMs),
      });
    return begun;
  });

function refuseIfHeld(plan: Plan, tier: SellableTier): void {
  if (plan.source === "agreement")
    throw new Problem("plan_change_refused", { detail: "The plan of this organization is by agreement." });
  if (plan.tier === tier && isLive(plan.status))
    throw new Problem("plan_change_refused", { detail: `The organization has the plan ${tier}.` });
}

/** Whether a plan that was to end with its period goes on instead. */
async function resumed(deps: CheckoutDeps, { tenant, tier }: Wanted): Promise<boolean> {
  const held = await planOf(deps, tenant);
  const isEnding = held.source === "subscription" && held.endsWithPeriod && isLive(held.status);
  if (held.subscription === undefined || held.tier !== tier || !isEnding) return false;
  await deps.db.of(tenant).transaction(clearMark);
  await resumeSubscription(deps.stripe, held.subscription);
  await settleSubscription(deps, held.subscription);
  const now = await planOf(deps, tenant);
  return now.subscription === held.subscription && isLive(now.status) && !now.endsWithPeriod;
}

type Open = Checkout & { readonly session: string; readonly url: string };

/** The visit as Stripe has it now; undefined when it is over, and what came of it is written. */
async function opened(deps: CheckoutDeps, db: TenantSql, checkout: Checkout): Promise<Open | undefined> {
  const { session, url } = checkout;
  if (session !== undefined && url !== undefined) {
    const state = await settleCheckout(deps, { tenant: db.tenant, checkout: checkout.id });
    return state === "open" ? { ...checkout, session, url } : undefined;
  }
  const customer = await customerOf(deps.stripe, deps.db.of(db.tenant), () => toRfc3339(deps.clock.now()));
  const order = { ...checkout, tenant: db.tenant, customer, prices: deps.prices };
  const made = await openCheckout(deps.stripe, order).catch(async (error: unknown) => {
    // A lost answer: Stripe has the session or has not.
    const found = await findCheckout(deps.stripe, order);
    if (found !== undefined) return found;
    // One that another call is making now, or that is made later, is this visit's: a second would be paid beside it.
    if (!isUnsettled(error))
      await db.transaction((tx) => rows.abandonCheckout(tx, { id: checkout.id, now: deps.clock.now() }));
    throw error;
  });
  if (!(await db.transaction((tx) => rows.keepSession(tx, { id: checkout.id, ...made })))) {
    await expireCheckout(deps.stripe, made.session);
    throw new Problem("unavailable", { detail: "The visit was ended while it began: ask again." });
  }
  return { ...checkout, ...made };
}

/** Ends a visit that nobody is to pay any more. One that was paid meanwhile is no visit any more but a plan. */
async function end(deps: CheckoutDeps, db: TenantSql, { id, session }: Open): Promise<void> {
  await expireCheckout(deps.stripe, session);
  await settleCheckout(deps, { tenant: db.tenant, checkout: id });
}

/** Reads a visit at Stripe and writes what came of it. Answers how it stands. */
export async function settleCheckout(
  deps: CheckoutDeps,
  { tenant, checkout: id }: { readonly tenant: Id<"tenant">; readonly checkout: Id<"checkout"> },
): Promise<CheckoutState> {
  const db = deps.db.of(tenant);
  const found = await db.transaction((tx) => rows.findCheckout(tx, id));
  if (found === undefined) return "expired";
  if (found.session === undefined || found.state !== "open") return found.state;
  const seen = await readCheckout(deps.stripe, found.session);
  if (seen.state === "open") return "open";
  if (seen.subscription !== undefined) await settleSubscription(deps, seen.subscription);
  await db.transaction((tx) => rows.endCheckout(tx, { id, state: seen.state, now: deps.clock.now() }));
  return seen.state;
}

/** Reads a subscription at Stripe and writes what it means for the plan of whose customer it is. */
export async function settleSubscription(deps: CheckoutDeps, subscription: string): Promise<void> {
  for (let reads = 0; reads < readsMax; reads++) {
    const readNo = await nextRead(deps.db.single);
    const seen = await readSubscription(deps.stripe, subscription, deps.prices);
    if (seen === undefined) return;
    const tenant = await tenantOfCustomer(deps.db.single, seen.customer);
    if (tenant === null || (await takeSubscription(deps, { tenant, seen, readNo })) === "taken") return;
  }
  throw new Problem("unavailable", { detail: "The plan is being read by others: ask again." });
}

/** More than this overtake nobody but in a storm, and whoever asked asks again. */
const readsMax = 5;

/** Ends what an organization pays for, with the period that is paid or now; a visit that runs is over too. */
export async function endPlan(
  deps: CheckoutDeps,
  { tenant, when }: { readonly tenant: Id<"tenant">; readonly when: "period" | "now" },
): Promise<Plan> {
  const db = deps.db.of(tenant);
  await db.transaction(clearMark);
  return endWhatIsPaid(deps, { tenant, when });
}

export async function endWhatIsPaid(
  deps: CheckoutDeps,
  { tenant, when }: { readonly tenant: Id<"tenant">; readonly when: "period" | "now" },
): Promise<Plan> {
  await endVisit(deps, deps.db.of(tenant));
  const { subscription, status } = await planOf(deps, tenant);
  if (subscription !== undefined && !isOver(status)) {
    // What gives no plan has no period to wait for.
    await endSubscription(deps.stripe, subscription, isLive(status) ? when : "now");
    await settleSubscription(deps, subscription);
  }
  return planOf(deps, tenant);
}

/** Ends the visit that runs, if one does; one that has no session yet finds that out when it gets it. */
async function endVisit(deps: CheckoutDeps, db: TenantSql): Promise<void> {
  const running = await db.transaction((tx) => rows.findRunning(tx));
  if (running === undefined) return;
  const { id, session, url } = running;
  if (session !== undefined && url !== undefined) return end(deps, db, { ...running, session, url });
  const now = deps.clock.now();
  if (!(await db.transaction((tx) => rows.abandonCheckout(tx, { id, now })))) await endVisit(deps, db);
}

/** The operator has agreed on a plan: a visit that runs is over first, or it would be paid for nothing. */
export async function agreeInstead(deps: CheckoutDeps, agreed: Agreement): Promise<Plan> {
  await endVisit(deps, deps.db.of(agreed.tenant));
  return agreeOn(deps, agreed);
}

/** Asks Stripe for a plan that is paid for, whatever news came; answers when to ask again, undefined when it is over. */
export async function lookAtPlan(deps: CheckoutDeps, tenant: Id<"tenant">): Promise<Instant | undefined> {
  const { subscription } = await planOf(deps, tenant);
  if (subscription === undefined) return undefined;
  await settleSubscription(deps, subscription);
  const plan = await planOf(deps, tenant);
  return isOver(plan.status) ? undefined : nextLook(plan, deps.clock.now());
}

/** Looks at a visit of which no news came; answers when to look again, undefined when it is over. */
export async function lookAtCheckout(
  deps: CheckoutDeps,
  of: { readonly tenant: Id<"tenant">; readonly checkout: Id<"checkout"> },
): Promise<Instant | undefined> {
  const settled = await settleCheckout(deps, of);
  const state = settled === "opening" ? await settleOpening(deps, of) : settled;
  if (state === "open" || state === "opening") return after(deps.clock.now(), lookMs);
  return undefined;
}

/** A visit whose process died before it had a session: it has the one that Stripe made, or after a while it is over. */
async function settleOpening(
  deps: CheckoutDeps,
  { tenant, checkout: id }: { readonly tenant: Id<"tenant">; readonly checkout: Id<"checkout"> },
): Promise<CheckoutState> {
  const db = deps.db.of(tenant);
  const visit = await db.transaction((tx) => rows.findCheckout(tx, id));
  if (visit?.state !== "opening") return visit?.state ?? "expired";
  const customer = await customerOf(deps.stripe, db, () => toRfc3339(deps.clock.now()));
  const made = await findCheckout(deps.stripe, { id, customer });
  const now = deps.clock.now();
  if (made !== undefined && (await db.transaction((tx) => rows.keepSession(tx, { id, ...made }))))
    return "open";
  if (now < after(visit.createdAt, openingMs)) return "opening";
  return (await db.transaction((tx) => rows.abandonCheckout(tx, { id, now }))) ? "expired" : "open";
}

/** Whose visit a session is. */
export async function checkoutOfSession(
  deps: Pick<CheckoutDeps, "db">,
  session: string,
): Promise<{ tenant: Id<"tenant">; checkout: Id<"checkout"> } | undefined> {
  const tenant = await rows.tenantOfSession(deps.db.single, session);
  if (tenant === null) return undefined;
  const found = await deps.db.of(tenant).transaction((tx) => rows.findBySession(tx, session));
  return found === undefined ? undefined : { tenant, checkout: found.id };
}
