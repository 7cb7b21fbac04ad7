import { type Clock, type Id, newId } from "@remit/kernel";
import type { Call } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import * as rows from "./policies.sql.ts";
import type { PolicyAnswer, PolicyRequest } from "./port.ts";

export type DecisionLog = {
  /** A denial, and what went past policies, is written before it is answered; what was allowed within a second, many at once. */
  note(
    request: PolicyRequest,
    of: {
      readonly call: Pick<Call, "requestId">;
      readonly answer: PolicyAnswer;
      readonly because: rows.DecisionRow["because"];
    },
  ): Promise<void>;
  /** Writes what waits. */
  flush(): Promise<void>;
};

export type DecisionLogDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of decisions that could not be kept. */
  readonly lost: (count: number) => void;
};

const waitingMax = 10_000;
const atOnce = 500;

/** Who wanted what, what was decided, and by which policies. Not the audit log: what a call changed stands there. */
export function createDecisionLog({ db, clock, log, lost }: DecisionLogDeps): DecisionLog {
  let waiting: { readonly tenant: Id<"tenant">; readonly row: rows.DecisionRow }[] = [];
  const write = async (tenant: Id<"tenant">, found: readonly rows.DecisionRow[]): Promise<void> => {
    try {
      for (let at = 0; at < found.length; at += atOnce)
        await db.of(tenant).transaction((tx) => rows.insertDecisions(tx, found.slice(at, at + atOnce)));
    } catch (error) {
      lost(found.length);
      log.warn({ error, tenant, count: found.length }, "decisions of policies were not kept");
    }
  };
  const flush = async (): Promise<void> => {
    const byTenant = Map.groupBy(waiting, ({ tenant }) => tenant);
    waiting = [];
    for (const [tenant, found] of byTenant)
      await write(
        tenant,
        found.map(({ row }) => row),
      );
  };
  return {
    flush,
    async note(request, { call, answer, because }) {
      const { tenant, principal, client, action, resource } = request;
      const row: rows.DecisionRow = {
        id: newId("decision"),
        at: clock.now(),
        request_id: call.requestId,
        principal: `${principal.type}:${principal.id}`,
        client,
        action,
        resource: `${resource.type}:${resource.id}`,
        decision: answer.decision,
        because,
        determining: [...answer.determining],
        errors: answer.errors.map((error) => error.slice(0, 500)),
      };
      if (answer.decision === "deny" || because === "break_glass") return write(tenant, [row]);
      if (waiting.length >= waitingMax) return lost(1);
      waiting.push({ tenant, row });
    },
  };
}
