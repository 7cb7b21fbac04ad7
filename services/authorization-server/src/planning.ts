import { type Clock, secondMs } from "@remit/kernel";
import type { Authenticate } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import type { RemitEvent } from "@remit/protocol";
import type { AuthorizationServerConfig } from "./config.ts";
import { applyPlan, createAllowances, meteredCalls, meteredQuotas, ruleByPlans } from "./plans/index.ts";
import type { Quotas } from "./quotas/index.ts";

/** What organizations' plans allow, where it is counted. */
export type Planning = {
  readonly quotas: (quotas: Quotas) => Quotas;
  readonly calls: (authenticate: Authenticate) => Authenticate;
  /** Before anything is counted. */
  begin(): Promise<void>;
  mount(jobs: Jobs): void;
  /** Gives back what this process holds. */
  close(): Promise<void>;
};

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
};

export function createPlanning({ config, db, clock, log }: Grounds): Planning {
  const enforced = config.tierEnforcement === true;
  const allowances = createAllowances({ db, clock, log });
  return {
    quotas: (quotas) => (enforced ? meteredQuotas(quotas, allowances) : quotas),
    calls: (authenticate) => (enforced ? meteredCalls(authenticate, allowances) : authenticate),
    begin: () => ruleByPlans(db.single, enforced),
    mount: (jobs) => {
      if (enforced) jobs.everywhere("plans.give-back", 2 * secondMs, () => allowances.giveBack());
    },
    close: () =>
      allowances.giveBack(true).catch((err: unknown) => log.warn({ err }, "slices were not given back")),
  };
}

/** Takes in what a peer reports: into its tenant's log, and for a plan into what is enforced, both or neither. */
export const takeReported =
  (db: Database) =>
  (event: RemitEvent): Promise<void> =>
    db.of(event.tenant).transaction(async (tx) => {
      await tx.record(event);
      await applyPlan(tx, event);
    });
