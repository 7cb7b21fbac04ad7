import { fromRfc3339, type Instant, instantOf, invariant, parseId, toRfc3339 } from "@remit/kernel";
import { onlyOperator, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  Cursor,
  idOf,
  LedgerAccountShown,
  LedgerEntryShown,
  LedgerExport,
  Timestamp,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { accountNamed, entryNamed, exportedOf, type Place } from "./books.ts";

const needs = { scope: "billing:read" } as const;
const pageLength = 1_000;

/** The books of everybody: for the operator alone. */
export const booksRoutes = (db: Database): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/ledger/entries/:id",
    summary: "One entry with all its postings and where it comes from; for the operator.",
    needs,
    params: z.strictObject({ id: idOf("entry") }),
    answers: { 200: LedgerEntryShown, 403: "forbidden", 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      onlyOperator(caller);
      const { at, reversedBy, postings, ...entry } = await entryNamed(db, params.id);
      return {
        status: 200,
        body: {
          ...entry,
          posted_at: toRfc3339(at),
          reversed_by: reversedBy,
          postings: postings.map((one) => ({
            ...one,
            units: String(one.units),
            balance: String(one.balance),
          })),
        },
      };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/ledger/account",
    summary: "One account with its newest postings, whoever's it is; for the operator.",
    needs,
    query: z.strictObject({ id: z.string().min(1).max(200) }),
    answers: { 200: LedgerAccountShown, 403: "forbidden", 404: "not_found" },
    handle: async ({ caller }, { query }) => {
      onlyOperator(caller);
      const { code, openedAt, newest, ...account } = await accountNamed(db, query.id);
      return {
        status: 200,
        body: {
          ...account,
          name: code,
          balance: String(account.balance),
          postings: Number(account.postings),
          opened_at: toRfc3339(openedAt),
          newest: newest.map((one) => ({
            ...one,
            units: String(one.units),
            balance: String(one.balance),
          })),
        },
      };
    },
  }),
  exportRoute(db),
];

const exportRoute = (db: Database): Route =>
  route({
    method: "GET",
    path: "/api/v1/ledger/export",
    summary: "The entries of a period in their order, in pages of 1,000; for the operator.",
    needs,
    query: z.strictObject({ from: Timestamp, until: Timestamp, cursor: Cursor.optional() }),
    answers: { 200: LedgerExport, 400: "invalid_request", 403: "forbidden" },
    limit: { count: 6_000, windowMs: 60_000 },
    handle: async ({ caller }, { query }) => {
      onlyOperator(caller);
      const [from, until] = [timeOf(query.from), timeOf(query.until)];
      const beyond = query.cursor === undefined ? { at: from, id: "" } : placeOf(query.cursor);
      const found = await exportedOf(db, { from, until, beyond, most: pageLength });
      const last = found.length === pageLength ? found.at(-1) : undefined;
      const data = found.map(({ at, postings, ...entry }) => ({
        ...entry,
        posted_at: toRfc3339(at),
        postings: postings.map(({ tenant, ...one }) => ({ ...one, owner: tenant })),
      }));
      return {
        status: 200,
        body: { data, next_cursor: last === undefined ? null : `${last.at}.${last.id}` },
      };
    },
  });

function timeOf(text: string): Instant {
  const at = fromRfc3339(text);
  invariant(at !== undefined, "a query was parsed");
  return at;
}

function placeOf(cursor: string): Place {
  const [at = "", id = ""] = cursor.split(".");
  if (parseId("entry", id) === undefined || !/^\d{1,15}$/.test(at))
    throw new Problem("invalid_request", { detail: "The cursor is none that was given." });
  return { at: instantOf(Number(at)), id };
}
