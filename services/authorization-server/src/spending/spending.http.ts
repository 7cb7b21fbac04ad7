import type { Asset, Id } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { type Actor, Problem } from "@remit/protocol";
import { BurnDown, Day, idOf, Spending, SpendingForecast, WalletSettings } from "@remit/protocol/contracts";
import { z } from "zod";
import { csvOf } from "../csv/index.ts";
import { groupings } from "./groupings.ts";
import { changeZone, exportLines, settingsOf, sumsOf } from "./reading.ts";
import {
  assetIn,
  type Budgeted,
  burnDownOf,
  exportedMax,
  filterFor,
  forecastOf,
  type RoomBy,
  shownMax,
} from "./spending.ts";

const filters = {
  since: Day.optional(),
  until: Day.optional(),
  mandate_id: idOf("mandate").optional(),
  agent_id: idOf("agent").optional(),
  merchant_id: idOf("merchant").optional(),
  category: z.string().max(64).optional(),
};
const Filter = z.strictObject(filters);
const Grouped = z.strictObject({ ...filters, by: z.enum(groupings).default("day") });
const Path = z.strictObject({ id: idOf("mandate") });

/** Who does it, for the event. */
const actorOf = ({ actor }: Caller): Actor =>
  actor.type === "service" ? { type: "system", id: actor.id } : { type: actor.type, id: actor.id };

type Deps = {
  readonly db: Database;
  /** The mandate with its budget; undefined when it is not the tenant's. */
  readonly budgetOf: (tenant: Id<"tenant">, id: Id<"mandate">) => Promise<Budgeted | undefined>;
  /** Whole minor units, rounded down. */
  readonly minorOf: (asset: Asset, units: bigint) => number;
  readonly roomBy: RoomBy;
};

/** What a principal's agents spend, by sums that are kept as it is spent. */
export const spendingRoutes = (deps: Deps): Route[] => [
  spendingRoute(deps),
  exportRoute(deps),
  forecastRoute(deps),
  burnDownRoute(deps),
  settingsRoute(deps),
  changeSettingsRoute(deps),
];

const askedBy = (query: z.output<typeof Filter>) => ({
  ...(query.since === undefined ? {} : { since: query.since }),
  ...(query.until === undefined ? {} : { until: query.until }),
  mandate: query.mandate_id,
  agent: query.agent_id,
  merchant: query.merchant_id,
  category: query.category,
});

const spendingRoute = ({ db, minorOf }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/spending",
    summary: "What was spent in the last 30 days, or in others, by agent, merchant, category, day or mandate",
    needs: { scope: "wallet:read" },
    query: Grouped,
    answers: { 200: Spending },
    handle: ({ caller }, { query }) =>
      db.of(caller.tenant).transaction(async (tx) => {
        const { by } = query;
        const { zone, filter } = await filterFor(tx, askedBy(query));
        const found = await sumsOf(tx, by, { filter, limit: (by === "day" ? 40_000 : shownMax) + 1 });
        const shown = by === "day" ? found : found.slice(0, shownMax);
        const data = shown.map(({ key, currency, spent, refunded, charges }) => ({
          key,
          currency,
          spent_minor: minorOf(assetIn(currency), spent),
          refunded_minor: minorOf(assetIn(currency), refunded),
          charges,
        }));
        const { since, until } = filter;
        return { status: 200, body: { zone, since, until, by, data, more: found.length > shown.length } };
      }),
  });

const columns = [
  "day",
  "agent_id",
  "mandate_id",
  "merchant_id",
  "category",
  "currency",
  "spent_minor",
  "refunded_minor",
  "charges",
] as const;

const exportRoute = ({ db, minorOf }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/spending/export",
    summary: "The same as a CSV file, a line for each sum of a day",
    needs: { scope: "wallet:read" },
    query: Filter,
    answers: { 200: z.string(), 400: "invalid_request" },
    types: ["text/csv"],
    handle: ({ caller }, { query }) =>
      db.of(caller.tenant).transaction(async (tx) => {
        const { filter } = await filterFor(tx, askedBy(query));
        const lines = await exportLines(tx, { filter, limit: exportedMax + 1 });
        if (lines.length > exportedMax)
          throw new Problem("invalid_request", {
            detail: `At most ${exportedMax} lines: ask for fewer days.`,
          });
        const data = lines.map(({ spent, refunded, charges, ...line }) => ({
          ...line,
          spent_minor: String(minorOf(assetIn(line.currency), spent)),
          refunded_minor: String(minorOf(assetIn(line.currency), refunded)),
          charges: String(charges),
        }));
        const name = `spending-${filter.since}-${filter.until}.csv`;
        const headers = {
          "content-type": "text/csv; charset=utf-8; header=present",
          "content-disposition": `attachment; filename="${name}"`,
        };
        return { status: 200, headers, body: csvOf(columns, data) };
      }),
  });

const forecastRoute = ({ db, minorOf, roomBy }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/forecast",
    summary: "What this month will have cost, if it goes on as it does",
    needs: { scope: "wallet:read" },
    answers: { 200: SpendingForecast },
    handle: async ({ caller, now }) => ({
      status: 200,
      body: await db.of(caller.tenant).transaction((tx) => forecastOf(tx, now, { minorOf, roomBy })),
    }),
  });

const burnDownRoute = ({ db, budgetOf, minorOf }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/mandates/:id/burn-down",
    summary: "What a mandate spent day by day, and when nothing will be left",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: BurnDown, 404: "not_found" },
    handle: async ({ caller }, { params: { id } }) => {
      const mandate = await budgetOf(caller.tenant, id);
      if (mandate === undefined) throw new Problem("not_found", { detail: "There is no such mandate." });
      const body = await db.of(caller.tenant).transaction((tx) => burnDownOf(tx, mandate, minorOf));
      return { status: 200, body };
    },
  });

const settingsRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/settings",
    summary: "In which zone the principal's days begin",
    needs: { scope: "wallet:read" },
    answers: { 200: WalletSettings },
    handle: async ({ caller }) => ({
      status: 200,
      body: await db.of(caller.tenant).transaction(settingsOf),
    }),
  });

const changeSettingsRoute = ({ db }: Deps): Route =>
  route({
    method: "PUT",
    path: "/api/v1/wallet/settings",
    summary: "Let the principal's days begin in another zone, from now on",
    needs: { scope: "wallet:write" },
    body: WalletSettings,
    answers: { 200: WalletSettings, 400: "invalid_request" },
    handle: async ({ caller, now }, { body }) => ({
      status: 200,
      body: await db
        .of(caller.tenant)
        .transaction((tx) => changeZone(tx, body.zone, { actor: actorOf(caller), now })),
    }),
  });
