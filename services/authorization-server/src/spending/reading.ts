import type { Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { WalletSettings } from "@remit/protocol/contracts";
import type { Grouping } from "./groupings.ts";
import * as rows from "./spending.sql.ts";

type Asked = { readonly filter: rows.SpendingFilter; readonly limit: number };

export const sumsOf = (tx: TenantTx, by: Grouping, asked: Asked): Promise<rows.Sum[]> =>
  rows.sumsBy(tx, by, asked);

export const exportLines = (tx: TenantTx, asked: Asked): Promise<rows.DayLine[]> => rows.dayLines(tx, asked);

export const settingsOf = async (tx: TenantTx): Promise<WalletSettings> => ({
  zone: (await rows.today(tx)).zone,
});

/** A day that has begun keeps the zone it began in. */
export async function changeZone(tx: TenantTx, zone: string, now: Instant): Promise<WalletSettings> {
  if (!(await rows.knowsZone(tx, zone)))
    throw new Problem("invalid_request", { detail: `The zone ${zone} is unknown.` });
  await rows.saveZone(tx, zone, now);
  return { zone };
}
