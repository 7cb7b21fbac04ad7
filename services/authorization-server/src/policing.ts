import { type Clock, invariant } from "@remit/kernel";
import { createCursors } from "@remit/platform/cursors";
import type { Decide, Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import type { AuthorizationServerConfig } from "./config.ts";
import type { Outbounds } from "./outbounds.ts";
import {
  actionsOf,
  createCedar,
  createDecide,
  createDecisionLog,
  createPoliciesInForce,
  type Language,
  type Operated,
  policyJobs,
  policyRoutes,
  readOperated,
} from "./policies/index.ts";

type Grounds = Outbounds & {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly db: Database;
  readonly log: Log;
  readonly metrics: Metrics;
};

export type Policing = {
  /** The hook of every protected route. */
  readonly decide: Decide;
  mount(given: { readonly http: Http; readonly jobs: Jobs; readonly keyring: Keyring }): void;
  /** Once every route is declared: what can be decided is known. Refuses to start with operator's policies that are not valid. */
  begin(http: Http): Promise<void>;
  /** Reads the operator's policies again; those that are not valid change nothing, and are logged. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

/** What decides on management calls after their scopes. The hook is made before the routes that it must know. */
export function createPolicing({
  config,
  clock,
  db,
  log,
  metrics,
  outbound,
  tenantOutbound,
}: Grounds): Policing {
  let known: Language | undefined;
  let operated: Operated = { statements: [], engines: [] };
  const language = (): Language => {
    invariant(known !== undefined, "policies are asked once every route is declared");
    return known;
  };
  const counter = metrics.counter("policy_decisions_total", "Decisions of policies on calls.", ["decision"]);
  const lost = metrics.counter("policy_decisions_unlogged_total", "Decisions that the decision log lacks.");
  const inForce = createPoliciesInForce({ db, clock, outbound: tenantOutbound, language });
  const decisions = createDecisionLog({ db, clock, log, lost: (count) => lost.inc(count) });
  const source = { directory: config.policyDir, opaUrl: config.policyOpaUrl, outbound };
  const read = async (): Promise<void> => {
    operated = await readOperated(source, language());
    inForce.operate(operated);
  };
  return {
    decide: createDecide({
      db,
      inForce,
      log: decisions,
      actions: () => language().actions,
      decided: (decision) => counter.inc({ decision }),
    }),
    mount({ http, jobs, keyring }) {
      const cursors = createCursors(keyring.derive("list-cursors"));
      const checkUrl = (url: string): Promise<void> => tenantOutbound.check(url);
      http.add(
        ...policyRoutes({
          db,
          cursors,
          language,
          checkUrl,
          outbound: tenantOutbound,
          operated: () => operated,
        }),
      );
      policyJobs(jobs, { db, log: decisions });
    },
    begin: async (http) => {
      const actions = actionsOf(http.protectedRoutes());
      known = { actions, cedar: createCedar(actions) };
      await read();
    },
    reload: () =>
      read().then(
        () => log.info({}, "the operator's policies were read again"),
        (error: unknown) => log.error({ error }, "the operator's policies are not valid; those before stay"),
      ),
    close: () => decisions.flush(),
  };
}
