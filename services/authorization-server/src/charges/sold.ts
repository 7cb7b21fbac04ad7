import type { Id, Instant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type Actor, Problem } from "@remit/protocol";
import type { Charges } from "./charges.operations.ts";
import type { RefundOrder } from "./refund-charge.ts";
import { type Sold, type SoldDay, type SoldFilter, soldCharge, soldCharges, soldDays } from "./sold.sql.ts";

export type { Sold } from "./sold.sql.ts";

export type SoldDeps = { readonly db: Database; readonly charges: Pick<Charges, "refund"> };
type Of = { readonly tenant: Id<"tenant">; readonly id: Id<"charge"> };

export const soldOf = ({ db }: SoldDeps, tenant: Id<"tenant">, filter: SoldFilter): Promise<Sold[]> =>
  db.of(tenant).transaction((tx) => soldCharges(tx, filter));

export const daysOf = ({ db }: SoldDeps, tenant: Id<"tenant">, from: Instant): Promise<SoldDay[]> =>
  db.of(tenant).transaction((tx) => soldDays(tx, from));

export async function oneSold({ db }: SoldDeps, { tenant, id }: Of): Promise<Sold> {
  const found = await db.of(tenant).transaction((tx) => soldCharge(tx, id));
  if (found === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
  return found;
}

/** Which client of the tenant charged it; undefined when none did. */
export const clientOfSold = async (
  { db }: Pick<SoldDeps, "db">,
  { tenant, id }: Of,
): Promise<string | undefined> => (await db.of(tenant).transaction((tx) => soldCharge(tx, id)))?.client_id;

type Wish = RefundOrder & { readonly by: Actor };

/** In the name of a person of the organization. The row of the refund settles repeats; in no client's own key is a space. */
export async function refundSold(deps: SoldDeps, of: Of, { key, ...wish }: Wish): Promise<Sold> {
  const { client_id: client } = await oneSold(deps, of);
  await deps.charges.refund({ ...of, client }, { key: `sold ${key}`, ...wish });
  return oneSold(deps, of);
}
