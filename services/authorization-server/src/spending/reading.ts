import type { Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
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

/** What was counted before keeps the day it was counted on; from now on the days are those of the new zone. */
export async function changeZone(
  tx: TenantTx,
  zone: string,
  { actor, now }: { readonly actor: Actor; readonly now: Instant },
): Promise<WalletSettings> {
  if (!(await rows.knowsZone(tx, zone)))
    throw new Problem("invalid_request", { detail: `The zone ${zone} is unknown.` });
  await rows.saveZone(tx, zone, now);
  const facts = { tenant: tx.tenant, actor, subject: tx.tenant, payload: { zone } };
  await tx.record(newEvent("wallet.settings_changed", facts, now));
  return { zone };
}
