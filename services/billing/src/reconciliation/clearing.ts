import { dayMs, hourMs, type Instant, newId } from "@remit/kernel";
import { newEvent } from "@remit/protocol";
import { type ClearingAccount, clearingOf } from "../ledger/index.ts";
import * as rows from "./reconciliation.sql.ts";
import type { ReconciliationDeps } from "./reconciliation.ts";

/** How long money may be on its way before somebody must look. */
const limitsMs: Readonly<Record<string, number>> = {
  card_clearing: hourMs,
  dispute_reserve: hourMs,
  payout_clearing: 7 * dayMs,
  transfer_clearing: hourMs,
  x402_clearing: hourMs,
};

/** How far back charges are looked at one by one: whatever stands in an account beyond them is older. */
const lookBackMs = 8 * dayMs;

/** Whether money waits here for longer than it may: a charge that can be named, or what is older than we look. */
export function isLate(
  { code, balance, recent, waitsSince }: Pick<ClearingAccount, "code" | "balance" | "recent" | "waitsSince">,
  now: Instant,
): boolean {
  const limitMs = limitsMs[code] ?? hourMs;
  return balance !== recent || (waitsSince !== null && now - waitsSince > limitMs);
}

/**
 * Looks at every clearing account. A case is opened where money waits for longer than it may, stays as long as it does, and closes
 * itself once it has cleared; should it wait again, it is opened again. Answers the accounts, and which of them are late.
 */
export async function watchClearing(
  deps: Pick<ReconciliationDeps, "db" | "clock" | "log">,
): Promise<(ClearingAccount & { readonly late: boolean })[]> {
  const now = deps.clock.now();
  const accounts = await clearingOf(deps.db, { now, lookBackMs });
  const seen = accounts.map((account) => ({ ...account, late: isLate(account, now) }));
  for (const account of seen) await note(deps, account, now);
  return seen;
}

const note = (
  { db, log }: Pick<ReconciliationDeps, "db" | "log">,
  { code, asset, balance, waiting, late }: ClearingAccount & { readonly late: boolean },
  now: Instant,
): Promise<void> =>
  db.of("platform").transaction(async (tx) => {
    const object = `${code}:${asset}`;
    const changed = late
      ? await rows.openWaiting(tx, { id: newId("case"), object, asset, ours: balance, now })
      : await rows.closeWaiting(tx, object, now);
    if (changed === undefined) return;
    const facts = { tenant: "platform", actor: { type: "system", id: "billing" }, subject: changed } as const;
    const type = late ? "reconciliation.opened" : "reconciliation.resolved";
    await tx.record(newEvent(type, { ...facts, payload: { kind: "waits", object } }, now));
    if (late)
      log.error(
        { account: code, asset, balance: String(balance), charges: waiting },
        "money waits in a clearing account: somebody must look",
      );
  });
