import { minuteMs } from "@remit/kernel";
import { onlyOperator, type Route, route } from "@remit/platform/http";
import { AuditRemovals } from "@remit/protocol/contracts";
import type { AuditDeps } from "./audit.ts";
import { sayExpired } from "./removals.ts";

/** Removes what was said, as the owner of the database; absent where this service does not know the owner. */
export type RemoveExpired = () => Promise<void>;

/** What the operator of the installation does about bodies that were kept as long as they had to be. */
export const removalsRoute = (deps: AuditDeps, remove: RemoveExpired | undefined): Route =>
  route({
    method: "POST",
    path: "/api/v1/audit/removals",
    summary:
      "Say in each log, signed, which of its bodies have expired; and remove them, where we own the database",
    needs: { scope: "admin:orgs" },
    limit: { count: 60, windowMs: minuteMs, by: "client" },
    answers: { 200: AuditRemovals, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      const said = await sayExpired(deps, caller.client);
      await remove?.();
      return { status: 200, body: { ...said, removed: remove !== undefined } };
    },
  });
