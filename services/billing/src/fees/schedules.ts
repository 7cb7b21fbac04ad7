import { type Asset, type Id, type Instant, invariant, minuteMs, newId, type Rounding } from "@remit/kernel";
import type { Database, Tenant, Tx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { Collection, TermsInForce } from "./fees.ts";
import * as rows from "./schedules.sql.ts";

export type Tier = {
  /** From which volume of the month before this tier holds, in minor units. */
  readonly from: bigint;
  readonly basisPoints: number;
  readonly fixed: bigint;
  readonly minimum: bigint;
};

/** Whose captures it is about: one merchant's, or everybody's who has no schedule of its own. */
export type Subject = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };

/** What captures on a rail cost from one moment on. Never changed: a newer one takes over from its own day. */
export type FeeSchedule = {
  readonly id: Id<"schedule">;
  readonly rail: string;
  readonly subject: Subject | null;
  /** Null: any currency. */
  readonly currency: string | null;
  readonly collection: Collection;
  readonly rounding: Rounding;
  readonly effectiveFrom: Instant;
  readonly effectiveUntil: Instant | null;
  readonly tiers: readonly Tier[];
  readonly setBy: string;
  readonly setAt: Instant;
};

export type NewSchedule = Omit<FeeSchedule, "id" | "setBy" | "setAt">;

/** How far behind our clock a caller's may be. */
const skewMsMax = 5 * minuteMs;

/** The terms that hold for a capture at a moment: one question to the database. */
export async function termsOf(
  tx: Tx,
  of: { rail: string; subject: Subject; asset: Asset; at: Instant },
): Promise<TermsInForce> {
  const found = await rows.termsInForce(tx, of);
  invariant(found !== undefined, "every rail has a fee schedule for all merchants");
  return found;
}

/**
 * Sets what captures cost from a moment on. It begins now or later, so that nothing captured before could be meant; one
 * that was to begin "now" begins at the moment at which it is written.
 */
export async function setSchedule(
  db: Database,
  wanted: NewSchedule,
  by: { actor: Actor; now: Instant },
): Promise<FeeSchedule> {
  const fault = faultOf(wanted, by.now);
  if (fault !== undefined) throw new Problem("fee_schedule_refused", { detail: fault });
  const tenant: Tenant = wanted.subject?.tenant ?? "platform";
  const effectiveFrom = wanted.effectiveFrom > by.now ? wanted.effectiveFrom : by.now;
  const id = newId("schedule");
  const schedule: FeeSchedule = { ...wanted, id, effectiveFrom, setBy: by.actor.id, setAt: by.now };
  return db.of<Tenant>(tenant).transaction(async (tx) => {
    await rows.insertSchedule(tx, schedule, tenant);
    const payload = {
      merchant: wanted.subject?.merchant ?? null,
      rail: wanted.rail,
      currency: wanted.currency,
      collection: wanted.collection,
      effective_from: effectiveFrom,
      tiers: wanted.tiers.map((tier) => ({
        from_minor: Number(tier.from),
        basis_points: tier.basisPoints,
        fixed_minor: Number(tier.fixed),
        minimum_minor: Number(tier.minimum),
      })),
    };
    await tx.record(newEvent("fee_schedule.set", { tenant, actor: by.actor, subject: id, payload }, by.now));
    return schedule;
  });
}

/** Why a schedule cannot be; undefined when it can. */
export function faultOf(wanted: NewSchedule, now: Instant): string | undefined {
  const { tiers, currency, effectiveFrom, effectiveUntil } = wanted;
  if (effectiveFrom < now - skewMsMax)
    return "It would begin in the past: what was captured keeps its terms.";
  if (effectiveUntil !== null && effectiveUntil <= Math.max(effectiveFrom, now))
    return "It would end before it begins.";
  if (tiers[0]?.from !== 0n) return "The first tier begins at nothing.";
  if (tiers.some(({ from }, index) => index > 0 && from <= (tiers[index - 1]?.from ?? 0n)))
    return "Tiers stand in the order of their volumes, each once.";
  const counts = tiers.length > 1 || tiers.some(({ fixed, minimum }) => fixed > 0n || minimum > 0n);
  if (currency === null && counts) return "Amounts and volumes need a currency: name it.";
  return undefined;
}

/** A tenant's own schedules and those of everybody, or those of a tenant for the operator; the latest to begin first. */
export const schedulesOf = async (
  db: Database,
  tenant: Id<"tenant"> | "platform",
): Promise<FeeSchedule[]> => {
  const general = await db.of("platform").transaction((tx) => rows.schedules(tx));
  if (tenant === "platform") return general;
  return [...(await db.of(tenant).transaction((tx) => rows.schedules(tx))), ...general];
};
