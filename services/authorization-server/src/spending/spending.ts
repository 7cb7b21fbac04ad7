import { type Asset, assetOf, type Id, type Instant, invariant, toRfc3339 } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { BurnDown, SpendingForecast } from "@remit/protocol/contracts";
import type { z } from "zod";
import {
  addDays,
  daysBetween,
  emptyOn,
  firstOfMonth,
  lastOfMonth,
  lookBackDays,
  perDay,
} from "./forecast.ts";
import * as rows from "./spending.sql.ts";

/** As much as is shown at a time, and as a file holds. */
export const shownMax = 200;
export const exportedMax = 50_000;
const daysMax = 366;
const usualDays = 30;

export type Asked = Partial<rows.Days> & Omit<rows.SpendingFilter, "since" | "until">;

/** The days that are meant, in the principal's zone: the last 30 unless told, and at most a year of them. */
export async function filterFor(
  tx: TenantTx,
  asked: Asked,
): Promise<{ readonly zone: string; readonly filter: rows.SpendingFilter }> {
  const { zone, today } = await rows.today(tx);
  const until = asked.until ?? today;
  const since = asked.since ?? addDays(until, 1 - usualDays);
  const days = daysBetween(since, until);
  if (days < 0 || days > daysMax)
    throw new Problem("invalid_request", { detail: `Ask for 1 to ${daysMax} days.` });
  return { zone, filter: { ...asked, since, until } };
}

/** Of a currency that a mandate has. */
export function assetIn(currency: string): Asset {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a mandate's currency is one we know");
  return asset;
}

export type Budgeted = {
  readonly id: Id<"mandate">;
  readonly currency: string;
  readonly cap: bigint;
  readonly remaining: bigint;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
};

type Minor = (asset: Asset, units: bigint) => number;

/** What may be spent in each currency under all mandates together, in budget units. */
export type RoomBy = (tx: TenantTx, now: Instant) => Promise<ReadonlyMap<string, bigint>>;

/**
 * What a mandate spent on each of its last days, with all that was spent below it, and when nothing will be left if it goes
 * on as in the last 28 days, or since it was given.
 */
export async function burnDownOf(
  tx: TenantTx,
  mandate: Budgeted,
  minorOf: Minor,
): Promise<z.input<typeof BurnDown>> {
  const { zone, today } = await rows.today(tx);
  const asset = assetIn(mandate.currency);
  const given = toRfc3339(mandate.issuedAt).slice(0, 10);
  const since = [addDays(today, -daysMax), given].toSorted().at(-1) ?? given;
  const none = { agent: undefined, merchant: undefined, category: undefined };
  const filter = { since, until: [today, since].toSorted().at(-1) ?? today, mandate: mandate.id, ...none };
  const sums = await rows.sumsBy(tx, "day", { filter, limit: daysMax + 1 });
  const days = Math.min(lookBackDays, Math.max(1, daysBetween(given, today) + 1));
  const from = addDays(today, 1 - days);
  const lately = sums
    .filter(({ key }) => key >= from)
    .reduce((sum, one) => sum + one.spent - one.refunded, 0n);
  const rate = perDay(lately, days);
  const until = toRfc3339(mandate.expiresAt).slice(0, 10);
  return {
    mandate_id: mandate.id,
    zone,
    currency: mandate.currency,
    cap_minor: minorOf(asset, mandate.cap),
    remaining_minor: minorOf(asset, mandate.remaining),
    days: sums.map(({ key, spent, refunded, charges }) => ({
      day: key,
      spent_minor: minorOf(asset, spent),
      refunded_minor: minorOf(asset, refunded),
      charges,
    })),
    forecast: {
      looks_back_days: days,
      per_day_minor: minorOf(asset, rate),
      empty_on: emptyOn(mandate.remaining, rate, { today, until }) ?? null,
    },
  };
}

/** This month so far in each currency, and at its end if it goes on as in the last 28 days. */
export async function forecastOf(
  tx: TenantTx,
  now: Instant,
  { minorOf, roomBy }: { readonly minorOf: Minor; readonly roomBy: RoomBy },
): Promise<z.input<typeof SpendingForecast>> {
  const { zone, today } = await rows.today(tx);
  const everything = { mandate: undefined, agent: undefined, merchant: undefined, category: undefined };
  const sumsSince = async (since: string): Promise<Map<string, bigint>> => {
    const asked = { filter: { since, until: today, ...everything }, limit: 40_000 };
    const totals = new Map<string, bigint>();
    for (const { currency, spent, refunded } of await rows.sumsBy(tx, "day", asked))
      totals.set(currency, (totals.get(currency) ?? 0n) + spent - refunded);
    return totals;
  };
  const month = await sumsSince(firstOfMonth(today));
  const lately = await sumsSince(addDays(today, 1 - lookBackDays));
  const remaining = await roomBy(tx, now);
  const left = BigInt(daysBetween(today, lastOfMonth(today)));
  const currencies = [...new Set([...month.keys(), ...lately.keys(), ...remaining.keys()])].toSorted();
  const data = currencies.map((currency) => {
    const asset = assetIn(currency);
    const soFar = month.get(currency) ?? 0n;
    const more = perDay(lately.get(currency) ?? 0n, lookBackDays) * left;
    const room = remaining.get(currency) ?? 0n;
    // More than is allowed cannot be spent, however it has gone on.
    const expected = soFar + (more < room ? more : room);
    return {
      currency,
      spent_minor: signedMinor(minorOf, asset, soFar),
      expected_minor: signedMinor(minorOf, asset, expected),
      remaining_minor: minorOf(asset, room),
    };
  });
  return { zone, month: today.slice(0, 7), today, data };
}

/** A month that gave back more than it spent is below nothing. */
const signedMinor = (minorOf: Minor, asset: Asset, units: bigint): number =>
  units < 0n ? -minorOf(asset, -units) : minorOf(asset, units);
