import { type Id, minuteMs } from "@remit/kernel";
import { actorOf, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { endTokensOfClient } from "./client-grants.ts";

type Deps = {
  readonly db: Database;
  readonly clientOf: (id: string) => Promise<{ readonly tenant: Id<"tenant"> } | undefined>;
};

const ClientPath = z.strictObject({ id: z.string().min(1).max(255) });
const Ended = z.object({ client_id: z.string(), grants: z.int() });

/** The operator's way to take back at once all that one of its clients holds. */
export const grantRoutes = ({ db, clientOf }: Deps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/clients/:id/revoke-tokens",
    summary: "End every token and grant that a client has; what it is given afterwards counts",
    needs: { scope: "agents:write", bearer: true },
    criticality: "critical",
    params: ClientPath,
    answers: { 200: Ended, 404: "not_found" },
    limit: { count: 60, windowMs: minuteMs },
    handle: async ({ caller, now }, { params: { id } }) => {
      const { tenant } = caller;
      if ((await clientOf(id))?.tenant !== tenant)
        throw new Problem("not_found", { detail: "There is no such client." });
      const actor = actorOf(caller);
      const grants = await endTokensOfClient(db, { client: id, tenant, actor, now });
      return { status: 200, body: { client_id: id, grants } };
    },
  }),
];
