import { hourMs, type Id } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { budgetsBeyond } from "./budget.sql.ts";

const everyMs = 6 * hourMs;

export type BudgetJobDeps = { readonly db: Database; readonly log: Log; readonly metrics: Metrics };

/** What every hold asserts as it is written is read from the other side as well: budgets are the sums of their holds (I2). */
export function budgetJobs(jobs: Jobs, deps: BudgetJobDeps): Jobs {
  const drifted = deps.metrics.gauge(
    "mandate_budgets_drifted",
    "Mandates whose budget is not the sum of their holds, as of the last look.",
  );
  return jobs.every("budgets.check", everyMs, async () => drifted.set((await checkBudgets(deps)).length));
}

/** Reads every budget of every tenant, a page at a time. Answers those that are not what their holds say. */
export async function checkBudgets({
  db,
  log,
}: Pick<BudgetJobDeps, "db" | "log">): Promise<readonly Id<"mandate">[]> {
  const wrong: Id<"mandate">[] = [];
  for (let beyond = { tenant: "", mandate: "" }; ; ) {
    const page = await budgetsBeyond(db.single, beyond);
    for (const { tenant, mandate, drifted } of page) {
      if (!drifted) continue;
      wrong.push(mandate);
      log.error({ tenant, mandate }, "a mandate's budget is not the sum of its holds: somebody must look");
    }
    const last = page.at(-1);
    if (last === undefined) return wrong;
    beyond = last;
  }
}
