import { type Clock, toRfc3339 } from "@remit/kernel";
import type { OfferBody } from "@remit/protocol/contracts";
import type { z } from "zod";
import type { SaleRoute } from "../offers/index.ts";
import type { OfferRow } from "./offers.sql.ts";
import type { Shelf, Shown } from "./shelf.ts";

type Body = z.input<typeof OfferBody>;

/** An offer as the API shows it: what is written of it, and what became of that in this process. */
export function bodyOf(
  { shelf, clock }: { readonly shelf: Pick<Shelf, "shown">; readonly clock: Clock },
  row: OfferRow,
): Body {
  const shown = shelf.shown(row.id);
  const status = statusOf(row, shown, clock);
  const notes = status === "conflict" ? (shown?.faults ?? []) : (shown?.warnings ?? []);
  return {
    id: row.id,
    organization_id: row.tenant_id,
    name: row.name,
    merchant: row.merchant_id,
    source: row.source,
    status,
    because: notes.length === 0 ? null : notes.join("; "),
    origin: shown?.merchant?.origin ?? null,
    ...row.spec,
    sold: (shown?.routes ?? []).map(soldOf),
    drained_at: row.drained_at === null ? null : toRfc3339(row.drained_at),
    created_at: toRfc3339(row.created_at),
    updated_at: toRfc3339(row.updated_at),
  };
}

function statusOf(row: OfferRow, shown: Shown | undefined, clock: Clock): Body["status"] {
  if (row.drained_at !== null && row.drained_at <= clock.now()) return "drained";
  if (shown?.isSold !== true) return "conflict";
  return row.drained_at === null ? "live" : "draining";
}

const soldOf = (route: SaleRoute): Body["sold"][number] => ({
  id: route.id,
  // Of the five that a route table may name.
  method: route.method as Body["sold"][number]["method"],
  path: `/${route.pattern.join("/")}`,
  ...(route.tool !== undefined && { tool: route.tool }),
  gate: route.gate,
  pays_with: route.gate === "paid" ? route.ways.map(({ rail }) => rail) : [],
  not_sold_with: route.gate === "paid" ? [...route.dropped] : [],
});
