import { minuteMs } from "@remit/kernel";
import { onlyOperator, type Route, route } from "@remit/platform/http";
import { enqueue } from "@remit/platform/jobs";
import { AuditRemovals } from "@remit/protocol/contracts";
import type { AuditDeps } from "./audit.ts";
import { removalsQueue } from "./removals.ts";

/** What the operator of the installation does about bodies that were kept as long as they had to be. */
export const removalsRoute = ({ db }: Pick<AuditDeps, "db">, removes: boolean): Route =>
  route({
    method: "POST",
    path: "/api/v1/audit/removals",
    summary:
      "Have each log say, signed, which of its bodies have expired; and have them removed, where we own the database",
    needs: { scope: "admin:orgs" },
    limit: { count: 60, windowMs: minuteMs, by: "client" },
    answers: { 202: AuditRemovals, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      // Over all logs, and so of any length: a job's work. However often it is asked for meanwhile, it is done once more.
      const job = { queue: removalsQueue, key: "all", payload: { by: caller.client } };
      await db.global.transaction((tx) => enqueue(tx, job));
      return { status: 202, body: { queued: true as const, removes } };
    },
  });
