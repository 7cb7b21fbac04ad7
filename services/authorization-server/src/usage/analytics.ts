import { dayMs, fromRfc3339, type Id, type Instant, instantOf, invariant, toRfc3339 } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import * as rows from "./analytics.sql.ts";
import { meterAll } from "./metering.ts";

/** What an organization used, in the days and hours of its own time zone. */
export type TokenTrend = {
  readonly zone: string;
  readonly days: readonly { readonly date: string; readonly count: number }[];
};

type Asking = { readonly tenant: Id<"tenant">; readonly now: Instant };

/** Everything that was issued is counted before anybody is told how much that was. */
async function counted<R>(
  db: Database,
  tenant: Id<"tenant">,
  work: (tx: TenantTx) => Promise<R>,
): Promise<R> {
  await meterAll(db);
  return db.of(tenant).transaction(work);
}

export const tokenTrend = (
  db: Database,
  { tenant, now, days }: Asking & { days: number },
): Promise<TokenTrend> =>
  counted(db, tenant, async (tx) => {
    const zone = await rows.findZone(tx);
    const found = await rows.daysUntil(tx, { zone, days, now });
    return { zone, days: found.map(({ date, tokens }) => ({ date, count: Number(tokens) })) };
  });

/** Tokens by hour of the week. */
export const agentActivity = (db: Database, { tenant, now, days }: Asking & { days: number }) =>
  counted(db, tenant, async (tx) => {
    const zone = await rows.findZone(tx);
    const found = await rows.hoursUntil(tx, { zone, days, now });
    return {
      zone,
      hours: found.map(({ day, hour, tokens }) => ({ dayOfWeek: day, hour, count: Number(tokens) })),
    };
  });

/** The agents that used most in a month; the running one unless told. */
export const agentSummary = (
  db: Database,
  { tenant, now, month, limit }: Asking & { readonly month: string | undefined; readonly limit: number },
) =>
  counted(db, tenant, async (tx) => {
    const zone = await rows.findZone(tx);
    const asked = month ?? (await rows.monthOf(tx, { zone, now }));
    return { zone, month: asked, agents: await rows.agentsIn(tx, { month: asked, limit }) };
  });

export const zoneOf = (db: Database, tenant: Id<"tenant">): Promise<string> =>
  db.of(tenant).transaction((tx) => rows.findZone(tx));

/** Days that are counted from now on are the zone's; what stands under an agent's former days stays there. */
export async function changeZone(db: Database, tenant: Id<"tenant">, zone: string): Promise<void> {
  if (!(await db.of(tenant).transaction((tx) => rows.saveZone(tx, zone))))
    throw new Problem("invalid_request", { detail: "timeZone is no name of the IANA time zone database." });
}

export type UsageNow = {
  readonly tokensToday: number;
  readonly tokensThisMonth: number;
  readonly callsToday: number;
};

const dayBegan = (now: Instant): Instant => instantOf(Math.floor(now / dayMs) * dayMs);

function monthBegan(now: Instant): Instant {
  const began = fromRfc3339(`${toRfc3339(now).slice(0, 7)}-01T00:00:00.000Z`);
  invariant(began !== undefined, "a month has a first day");
  return began;
}

/** What counts against a plan, in days and months of UTC. */
export const usageNow = (db: Database, { tenant, now }: Asking): Promise<UsageNow> =>
  counted(db, tenant, async (tx) => {
    const today = await rows.usedSince(tx, dayBegan(now));
    const month = await rows.usedSince(tx, monthBegan(now));
    return {
      tokensToday: Number(today.tokens),
      tokensThisMonth: Number(month.tokens),
      callsToday: Number(today.calls),
    };
  });

/** A month's use so far, day by day of UTC. */
export const usageOfMonth = (db: Database, { tenant, now }: Asking): Promise<readonly rows.Day[]> =>
  counted(db, tenant, (tx) => {
    const days = Math.round((dayBegan(now) - monthBegan(now)) / dayMs) + 1;
    return rows.daysUntil(tx, { zone: "UTC", days, now });
  });
