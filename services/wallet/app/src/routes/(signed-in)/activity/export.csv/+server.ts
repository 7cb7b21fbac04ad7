import type { WalletCharge } from "@remit/protocol/contracts";
import { decimalOf } from "#lib/console/amounts.ts";
import { apiOf, must } from "#lib/server-side.ts";
import { csvOf, momentsOf } from "../../../../../../src/showing/index.ts";
import type { RequestHandler } from "./$types.ts";

const columns = [
  "id",
  "created_at",
  "status",
  "merchant_origin",
  "agent_id",
  "mandate_id",
  "amount",
  "captured",
  "refunded",
  "currency",
  "rail",
  "receipt_id",
] as const;

/** All purchases that the filter shows, exact to the minor unit. */
export const GET: RequestHandler = (event) => {
  const api = apiOf(event);
  const given = (name: string): string | undefined => event.url.searchParams.get(name) || undefined;
  const filter = {
    status: given("status"),
    agent_id: given("agent"),
    mandate_id: given("mandate"),
    merchant_id: given("merchant"),
    category: given("category"),
    q: given("q"),
    ...momentsOf({ since: given("since"), until: given("until") }),
  };
  return csvOf(columns, "remit-activity.csv", async (cursor) => {
    const { data, next_cursor } = await must(
      event,
      api.charges({ query: { ...filter, limit: "100", cursor } }),
    );
    return { rows: data.map(rowOf), next: next_cursor };
  });
};

function rowOf(charge: WalletCharge): readonly string[] {
  const { id, created_at, status, merchant_origin, agent_id, mandate_id, currency, rail, receipt_id } =
    charge;
  const amounts = [charge.amount_minor, charge.captured_minor, charge.refunded_minor].map((minor) =>
    decimalOf(minor, currency),
  );
  return [
    id,
    created_at,
    status,
    merchant_origin,
    agent_id,
    mandate_id,
    ...amounts,
    currency,
    rail,
    receipt_id ?? "",
  ];
}
