import { type Clock, secondMs } from "@remit/kernel";
import type { Authenticate, Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Peer } from "@remit/platform/peers";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import type { RemitEvent } from "@remit/protocol";
import { anyUnsettled, hearFailedRefund } from "./charges/index.ts";
import type { AuthorizationServerConfig } from "./config.ts";
import { hearDispute } from "./disputes/index.ts";
import { hearInstrument, type Mandates } from "./mandates/index.ts";
import {
  applyPlan,
  createAllowances,
  createBilled,
  meteredCalls,
  meteredQuotas,
  payerJobs,
  planRoutes,
  ruleByPlans,
  tellEnded,
} from "./plans/index.ts";
import type { Quotas } from "./quotas/index.ts";
import { analyticsRoutes, usageJobs } from "./usage/index.ts";

/** What organizations' plans allow, where it is counted. */
export type Planning = {
  readonly quotas: (quotas: Quotas) => Quotas;
  readonly calls: (authenticate: Authenticate) => Authenticate;
  /** Before anything is counted. */
  begin(): Promise<void>;
  mount(to: { readonly http: Http; readonly jobs: Jobs; readonly peer: Peer }): void;
  /** Gives back what this process holds. */
  close(): Promise<void>;
};

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** To billing. */
  readonly outbound: Outbound;
};

export function createPlanning({ config, db, clock, log, outbound }: Grounds): Planning {
  const enforced = config.tierEnforcement === true;
  const allowances = createAllowances({ db, clock, log });
  return {
    quotas: (quotas) => (enforced ? meteredQuotas(quotas, allowances) : quotas),
    calls: (authenticate) => (enforced ? meteredCalls(authenticate, allowances) : authenticate),
    begin: () => ruleByPlans(db.single, enforced),
    mount: ({ http, jobs, peer }) => {
      const billed = createBilled({ peer, outbound, origin: config.billing });
      http.add(...planRoutes({ db, billed, enforced }), ...analyticsRoutes({ db }));
      usageJobs(jobs, { db });
      payerJobs(jobs, { db, clock, billed, anyUnsettled });
      jobs.every("plans.ended", 5 * secondMs, () => tellEnded({ db, billed }));
      if (enforced) jobs.everywhere("plans.give-back", 2 * secondMs, () => allowances.giveBack());
    },
    close: () =>
      allowances.giveBack(true).catch((err: unknown) => log.warn({ err }, "slices were not given back")),
  };
}

/** Takes in what a peer reports: into its tenant's log, and with it what it sets off here, both or neither. */
export const takeReported =
  (db: Database, mandates: Pick<Mandates, "suspendWithin">) =>
  (event: RemitEvent): Promise<void> =>
    db.of(event.tenant).transaction(async (tx) => {
      await tx.record(event);
      await applyPlan(tx, event);
      await hearDispute(tx, event);
      await hearFailedRefund(tx, event);
      await hearInstrument(mandates, tx, event);
    });
