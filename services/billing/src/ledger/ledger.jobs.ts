import { hourMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { type Check, check } from "./ledger.ts";

const everyMs = 6 * hourMs;

export type LedgerJobDeps = { readonly db: Database; readonly log: Log; readonly metrics: Metrics };

/** What the ledger asserts as it posts is read from the other side as well: every balance is the sum of its postings. */
export function ledgerJobs(jobs: Pick<Jobs, "every">, deps: LedgerJobDeps): void {
  const wrong = deps.metrics.gauge(
    "ledger_out_of_balance",
    "1 while the ledger's balances are not the sums of their postings, as of the last look.",
  );
  jobs.every("ledger.check", everyMs, async () => {
    const { balanced } = await watchBooks(deps);
    wrong.set(balanced ? 0 : 1);
  });
}

/** Reads the books of every tenant, and says so when they are not right. */
export async function watchBooks({ db, log }: Pick<LedgerJobDeps, "db" | "log">): Promise<Check> {
  const books = await check(db);
  if (!books.balanced)
    log.error(
      { assets: books.assets.map(({ asset, imbalance }) => ({ asset, imbalance: String(imbalance) })) },
      "the ledger is not the sum of its postings: somebody must look",
    );
  return books;
}
