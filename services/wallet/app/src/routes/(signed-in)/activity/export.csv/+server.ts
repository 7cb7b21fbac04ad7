import { assetOf, money, toDecimal } from "@remit/kernel";
import type { WalletCharge } from "@remit/protocol/contracts";
import { apiOf, must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const pagesMax = 50;
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

/** All purchases that the filter shows, exact to the minor unit; at most 5,000. */
export const GET: RequestHandler = async (event) => {
  const api = apiOf(event);
  const asked = event.url.searchParams;
  const lines = [columns.join(",")];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const query = {
      limit: "100",
      cursor,
      status: asked.get("status") || undefined,
      agent_id: asked.get("agent") || undefined,
      mandate_id: asked.get("mandate") || undefined,
      merchant_id: asked.get("merchant") || undefined,
      since: asked.get("since") ? `${asked.get("since")}T00:00:00Z` : undefined,
      until: asked.get("until") ? `${asked.get("until")}T23:59:59Z` : undefined,
    };
    const { data, next_cursor: next } = await must(event, api.charges({ query }));
    lines.push(...data.map(lineOf));
    if (next === null) break;
    cursor = next;
  }
  return new Response(`${lines.join("\r\n")}\r\n`, {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": 'attachment; filename="remit-activity.csv"',
    },
  });
};

function lineOf(charge: WalletCharge): string {
  const decimal = (minor: number): string => {
    const asset = assetOf(charge.currency);
    return asset === undefined ? String(minor) : toDecimal(money(asset, BigInt(minor)));
  };
  const { id, created_at, status, merchant_origin, agent_id, mandate_id, currency, rail, receipt_id } =
    charge;
  const amounts = [charge.amount_minor, charge.captured_minor, charge.refunded_minor].map(decimal);
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
  ]
    .map(cell)
    .join(",");
}

/** A spreadsheet would compute what begins like a formula (OWASP, CSV injection). */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
