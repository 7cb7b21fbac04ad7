import { Readable } from "node:stream";
import { csvLine, money, parseId, toDecimal, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  idOf,
  MerchantBalances,
  StatementBody,
  StatementPageQuery,
  StatementQuery,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { statementPdf } from "./pdf.ts";
import { grossOf, type Head, type Line } from "./statement.ts";
import {
  balancesOf,
  headOf,
  linesOf,
  type Place,
  pageOf,
  type StatementDeps,
  wantedOf,
} from "./statements.ts";

const needs = { scope: "billing:read" } as const;
const ofMerchant = z.strictObject({ merchant: idOf("merchant") });
const limit = { count: 120, windowMs: 60_000 } as const;
const pageLength = 500;

/** What moved what a merchant is owed: for its own organization, and no other. */
export const statementRoutes = (deps: StatementDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/merchant-balances",
    summary: "What the organization's merchants are owed, and owe.",
    needs,
    answers: { 200: MerchantBalances },
    handle: async ({ caller }) => {
      const data = (await balancesOf(deps, caller.tenant)).map(({ merchant, asset, owed, feesDue }) => ({
        merchant,
        currency: asset,
        owed_minor: Number(owed),
        fees_due_minor: Number(feesDue),
      }));
      return { status: 200, body: { data } };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/statements/:merchant",
    summary: "A merchant's statement of a period, in pages of 500 lines.",
    needs,
    params: ofMerchant,
    query: StatementPageQuery,
    answers: { 200: StatementBody, 400: "invalid_request" },
    limit,
    handle: async ({ caller }, { params, query: { cursor, ...query } }) => {
      const wanted = wantedOf(caller.tenant, { ...params, ...query });
      const place = cursor === undefined ? undefined : placeOf(cursor);
      const { head, lines, next } = await pageOf(deps, wanted, { place, most: pageLength });
      return { status: 200, body: { ...headBodyOf(head), lines: lines.map(lineBodyOf), next_cursor: next } };
    },
  }),
  ...paperRoutes(deps),
];

const paperRoutes = (deps: StatementDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/statements/:merchant/csv",
    summary: "The same as CSV, all lines of it; no cell of it is a formula.",
    needs,
    params: ofMerchant,
    query: StatementQuery,
    types: ["text/csv"],
    answers: { 200: z.unknown(), 400: "invalid_request" },
    limit,
    handle: async ({ caller }, { params, query }) => {
      const wanted = wantedOf(caller.tenant, { ...params, ...query });
      const head = await headOf(deps, wanted);
      const headers = {
        "content-type": "text/csv; charset=utf-8; header=present",
        "content-disposition": `attachment; filename="statement-${wanted.merchant}-${query.currency}.csv"`,
      };
      return { status: 200, headers, body: Readable.from(csvOf(head, linesOf(deps, wanted, head.opening))) };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/statements/:merchant/pdf",
    summary: "The same as a PDF: balances, totals, and as many lines as a person reads.",
    needs,
    params: ofMerchant,
    query: StatementQuery,
    types: ["application/pdf"],
    answers: { 200: z.unknown(), 400: "invalid_request" },
    limit: { count: 30, windowMs: 60_000 },
    handle: async ({ caller }, { params, query }) => {
      const wanted = wantedOf(caller.tenant, { ...params, ...query });
      const { head, lines, next } = await pageOf(deps, wanted, { place: undefined, most: pageLength });
      const headers = {
        "content-type": "application/pdf",
        "content-disposition": `inline; filename="statement-${wanted.merchant}-${query.currency}.pdf"`,
      };
      return { status: 200, headers, body: await statementPdf({ head, lines, cut: next !== null }) };
    },
  }),
];

const headBodyOf = ({ opening, closing, totals, ...head }: Head) => ({
  merchant: head.merchant,
  currency: head.asset.code,
  from: toRfc3339(head.from),
  until: toRfc3339(head.until),
  opening_minor: Number(opening),
  totals: totals.map((total) => ({
    kind: total.kind,
    count: total.count,
    gross_minor: Number(grossOf(total)),
    fee_minor: Number(total.fee),
    net_minor: Number(total.net),
  })),
  closing_minor: Number(closing),
});

const lineBodyOf = (line: Line): z.input<typeof StatementBody>["lines"][number] => ({
  entry: line.entry,
  kind: line.kind,
  object: line.object,
  transition: line.transition,
  charge: line.charge,
  posted_at: toRfc3339(line.at),
  gross_minor: Number(grossOf(line)),
  fee_minor: Number(line.fee),
  net_minor: Number(line.net),
  balance_minor: Number(line.balance),
});

const columns = "posted_at,kind,entry,object,transition,charge,gross,fee,net,balance\r\n";

async function* csvOf(
  { asset, opening, from, until }: Head,
  lines: AsyncIterable<Line>,
): AsyncGenerator<string> {
  const decimal = (units: bigint): string => toDecimal(money(asset, units));
  const standing = (at: Head["from"], kind: string, units: bigint): string =>
    csvLine([toRfc3339(at), kind, null, null, null, null, null, null, null, decimal(units)]);
  yield columns + standing(from, "opening", opening);
  let closing = opening;
  for await (const line of lines) {
    closing = line.balance;
    const { at, kind, entry, object, transition, charge } = line;
    const sums = [grossOf(line), line.fee, line.net, line.balance].map(decimal);
    yield csvLine([toRfc3339(at), kind, entry, object, transition, charge, ...sums]);
  }
  yield standing(until, "closing", closing);
}

function placeOf(cursor: string): Place {
  const [beyond = "", balance = ""] = cursor.split(".");
  if (parseId("entry", beyond) === undefined || !/^-?\d{1,30}$/.test(balance))
    throw new Problem("invalid_request", { detail: "The cursor is none that was given." });
  return { beyond, balance: BigInt(balance) };
}
