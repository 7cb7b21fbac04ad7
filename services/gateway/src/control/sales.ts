import { type Id, toRfc3339 } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { OfferSales } from "@remit/protocol/contracts";
import { latestSales, salesOf } from "./offers.sql.ts";
import { readOffer } from "./offers.ts";
import type { Shelf } from "./shelf.ts";
import type { Seen, Traffic } from "./traffic.ts";

type Deps = { readonly db: Database; readonly shelf: Shelf; readonly traffic: Traffic };
type Sales = Omit<OfferSales, "requests"> & { readonly requests: Seen };

const latestMax = 10;

/** What became of an offer: requests as this process saw them, payments as all of them did. */
export async function salesOfOffer(
  { db, shelf, traffic }: Deps,
  tenant: Id<"tenant">,
  id: Id<"offer">,
): Promise<Sales> {
  await readOffer({ db }, tenant, id);
  const routes = shelf.shown(id)?.routes ?? [];
  const byId = new Map(routes.map((route) => [route.id, route]));
  const ids = [...byId.keys()];
  const { paid, latest } = await db.of(tenant).transaction(async (tx) => ({
    paid: await salesOf(tx, ids),
    latest: await latestSales(tx, ids, latestMax),
  }));
  return {
    requests: traffic.of(ids),
    paid: paid.map(({ currency, payments, amount_minor, refunded_minor }) => ({
      currency,
      payments: Number(payments),
      amount_minor: Number(amount_minor),
      refunded_minor: Number(refunded_minor),
    })),
    latest: latest.map((sale) => ({
      at: toRfc3339(sale.updated_at),
      method: byId.get(sale.route_id)?.method ?? "",
      path: `/${byId.get(sale.route_id)?.pattern.join("/") ?? ""}`,
      amount_minor: Number(sale.amount_minor),
      refunded_minor: Number(sale.refunded_minor),
      currency: sale.currency,
      payer: sale.payer,
      payment: sale.id,
    })),
  };
}
