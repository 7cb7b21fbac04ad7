import type { Id } from "@remit/kernel";
import type { TenantSql } from "@remit/platform/sql";
import type { Receipts } from "../receipts/index.ts";
import { findCharge } from "./charges.sql.ts";
import type { Charge } from "./charges.ts";
import { type ChargeFilter, type SearchPage, searchCharges } from "./search.sql.ts";

/** What a tenant has paid or is paying, newest first. */
export const paidBy = (tenant: TenantSql, filter: ChargeFilter, page: SearchPage): Promise<Charge[]> =>
  tenant.transaction((tx) => searchCharges(tx, filter, page));

/** One of them, with its receipt once captured; undefined when it is not the tenant's. */
export const paidOne = (
  tenant: TenantSql,
  receipts: Pick<Receipts, "jwtOf">,
  id: Id<"charge">,
): Promise<{ readonly charge: Charge; readonly receipt: string | undefined } | undefined> =>
  tenant.transaction(async (tx) => {
    const charge = await findCharge(tx, id);
    const receipt = charge?.receipt && (await receipts.jwtOf(tx, charge.receipt));
    return charge && { charge, receipt };
  });
