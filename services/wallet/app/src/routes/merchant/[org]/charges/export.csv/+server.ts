import { decimalOf } from "#lib/console/amounts.ts";
import { soldStatuses } from "#lib/console/charges.ts";
import { csvOf } from "#lib/console/csv.ts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const columns = [
  "id",
  "created_at",
  "status",
  "merchant",
  "agent",
  "amount",
  "captured",
  "refunded",
  "currency",
  "rail",
  "reference",
];
const pagesMax = 100;

/** All charges that the filter finds, exact to the minor unit; at most 10,000. */
export const GET: RequestHandler = async (event) => {
  const api = organizationApi(event);
  const filter = {
    status: oneOf(event.url, "status", soldStatuses),
    merchant: wordIn(event.url, "merchant"),
  };
  const rows: string[][] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const { data, next_cursor: next } = await must(
      event,
      api.sold({ query: { ...filter, limit: "100", cursor } }),
    );
    for (const one of data) {
      const amounts = [one.amount_minor, one.captured_minor, one.refunded_minor].map((minor) =>
        decimalOf(minor, one.currency),
      );
      const of = [one.id, one.created_at, one.status, one.merchant_id, one.agent_id];
      rows.push([...of, ...amounts, one.currency, one.rail, one.payment_reference ?? ""]);
    }
    if (next === null) break;
    cursor = next;
  }
  return csvOf(columns, rows, "remit-charges.csv");
};
