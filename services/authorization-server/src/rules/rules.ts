import { assetOf, type Instant, invariant, money, toBudgetUnits } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { SetWalletRules } from "@remit/protocol/contracts";
import { lockGiving } from "../freezes/index.ts";
import { lockMandates, replaceLimits, type StandingLimit, samePlace } from "../mandates/index.ts";
import * as rows from "./rules.sql.ts";

/** As they are kept: amounts in minor units, since a currency's places never change. */
export type KeptLimit = SetWalletRules["limits"][number];
export type Threshold = SetWalletRules["step_up"][number];
export type KeptRules = {
  readonly version: number;
  readonly limits: readonly KeptLimit[];
  readonly stepUp: readonly Threshold[];
  /** Origins. */
  readonly blockedMerchants: readonly string[];
  readonly blockedCategories: readonly string[];
  readonly changedAt: Instant | undefined;
};

/** What a principal decided for all of its mandates, as a charge is judged by it. */
export type Rules = Omit<KeptRules, "limits"> & { readonly limits: readonly StandingLimit[] };

const none: KeptRules = {
  version: 0,
  limits: [],
  stepUp: [],
  blockedMerchants: [],
  blockedCategories: [],
  changedAt: undefined,
};

const unitsOf = (currency: string, minor: number): bigint => {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a rule's currency is one we know");
  return toBudgetUnits(money(asset, BigInt(minor)));
};

export const limitOf = ({
  agent_id,
  currency,
  period,
  zone,
  amount_minor,
  count,
}: KeptLimit): StandingLimit => ({
  agent: agent_id,
  currency,
  period,
  zone,
  amount: amount_minor === undefined ? undefined : unitsOf(currency, amount_minor),
  count,
});

/** The rules as they are. Whoever takes a hold by them has locked its mandate before, so that none change until it commits. */
export async function rulesOf(tx: TenantTx): Promise<Rules> {
  const { limits, ...rules } = await keptRules(tx);
  return { ...rules, limits: limits.map(limitOf) };
}

export const keptRules = async (tx: TenantTx): Promise<KeptRules> => (await rows.findRules(tx)) ?? none;

type Place = { readonly merchantOrigin: string; readonly categories: readonly string[] };

/** Refuses what the principal buys nowhere, whatever its mandates say. */
export function assertUnblocked(
  { blockedMerchants, blockedCategories }: Rules,
  { merchantOrigin, categories }: Place,
): void {
  if (blockedMerchants.includes(merchantOrigin)) throw new Problem("rule_merchant_blocked");
  if (categories.some((category) => blockedCategories.includes(category)))
    throw new Problem("rule_category_blocked");
}

/** Whether a purchase waits for the principal's yes by its rules; `amount` is in budget units. */
export const asksAbove = (
  { stepUp }: Rules,
  { amount, currency }: { readonly amount: bigint; readonly currency: string },
): boolean => stepUp.some((one) => one.currency === currency && amount > unitsOf(currency, one.above_minor));

export type Change = {
  /** The version that it is of. */
  readonly of: number;
  readonly to: SetWalletRules;
  readonly actor: Actor;
  readonly now: Instant;
  /** Called before anything is written, when something is let pass that was not: throws unless it may be. */
  readonly sure: () => Promise<void>;
};

/**
 * Puts rules in the place of those there are. Until it commits nobody takes a hold: each charge is judged by the old rules
 * and counted by the new, or judged by the new.
 */
export async function changeRules(tx: TenantTx, { of, to, actor, now, sure }: Change): Promise<void> {
  await assertSane(tx, to);
  await lockGiving(tx, now);
  await lockMandates(tx);
  const before = await keptRules(tx);
  if (before.version !== of) throw changed(before);
  const loosened = loosens(before, to);
  if (loosened) await sure();
  const after: KeptRules & { changedAt: Instant } = {
    version: of + 1,
    limits: to.limits,
    stepUp: to.step_up,
    blockedMerchants: to.blocked_merchants,
    blockedCategories: to.blocked_categories,
    changedAt: now,
  };
  if (!(await rows.saveRules(tx, after))) throw changed(await keptRules(tx));
  const [was, is] = [before.limits.map(limitOf), after.limits.map(limitOf)];
  await replaceLimits(tx, {
    added: is.filter((one) => !was.some((other) => samePlace(one, other))),
    gone: was.filter((one) => !is.some((other) => samePlace(one, other))),
  });
  const payload = { version: after.version, limits: is.length, loosened, rules: JSON.stringify(to) };
  await tx.record(
    newEvent("wallet.rules_changed", { tenant: tx.tenant, actor, subject: tx.tenant, payload }, now),
  );
}

const changed = ({ version }: KeptRules): Problem =>
  new Problem("precondition_failed", { extra: { version } });

async function assertSane(tx: TenantTx, { limits, step_up: stepUp }: SetWalletRules): Promise<void> {
  const places = limits.map(limitOf);
  if (places.some((one, at) => places.findIndex((other) => samePlace(one, other)) !== at))
    throw new Problem("invalid_request", {
      detail: "Two limits are for the same agent, currency, period and zone.",
    });
  if (new Set(stepUp.map(({ currency }) => currency)).size < stepUp.length)
    throw new Problem("invalid_request", { detail: "Two thresholds are for the same currency." });
  const [zone] = await rows.unknownZones(
    tx,
    places.map((one) => one.zone),
  );
  if (zone !== undefined) throw new Problem("invalid_request", { detail: `The zone ${zone} is unknown.` });
}

const exceeds = (to: number | undefined, from: number | undefined): boolean =>
  from !== undefined && (to === undefined || to > from);

/** Whether anything may pass that was stopped or asked about before. */
export function loosens(before: KeptRules, to: SetWalletRules): boolean {
  const placed = to.limits.map((limit) => ({ limit, place: limitOf(limit) }));
  const limitLoosened = before.limits.some((from) => {
    const place = limitOf(from);
    const found = placed.find((one) => samePlace(one.place, place))?.limit;
    return exceeds(found?.amount_minor, from.amount_minor) || exceeds(found?.count, from.count);
  });
  const thresholdLoosened = before.stepUp.some((from) =>
    exceeds(to.step_up.find(({ currency }) => currency === from.currency)?.above_minor, from.above_minor),
  );
  const unblocked = (from: readonly string[], now: readonly string[]): boolean =>
    from.some((one) => !now.includes(one));
  return (
    limitLoosened ||
    thresholdLoosened ||
    unblocked(before.blockedMerchants, to.blocked_merchants) ||
    unblocked(before.blockedCategories, to.blocked_categories)
  );
}
