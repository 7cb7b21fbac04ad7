import type { SoldBody } from "@remit/protocol/contracts";
import { decimalOf } from "#lib/console/amounts.ts";
import { soldStatuses } from "#lib/console/charges.ts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import { csvOf } from "../../../../../../../src/showing/index.ts";
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

/** All charges that the filter finds, exact to the minor unit. */
export const GET: RequestHandler = (event) => {
  const api = organizationApi(event);
  const filter = {
    status: oneOf(event.url, "status", soldStatuses),
    merchant: wordIn(event.url, "merchant"),
  };
  return csvOf(columns, "remit-charges.csv", async (cursor) => {
    const { data, next_cursor } = await must(event, api.sold({ query: { ...filter, limit: "100", cursor } }));
    return { rows: data.map(rowOf), next: next_cursor };
  });
};

function rowOf(one: SoldBody): readonly string[] {
  const amounts = [one.amount_minor, one.captured_minor, one.refunded_minor].map((minor) =>
    decimalOf(minor, one.currency),
  );
  const of = [one.id, one.created_at, one.status, one.merchant_id, one.agent_id];
  return [...of, ...amounts, one.currency, one.rail, one.payment_reference ?? ""];
}
