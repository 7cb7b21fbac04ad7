import { type Clock, type Id, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Actor } from "@remit/protocol";
import { endCredentialsOf } from "../credentials/index.ts";
import { endTokensOfClient } from "../grants/index.ts";
import { type EndingCause, endingQueue } from "./fleet.ts";

type Deps = { readonly db: Database; readonly clock: Clock; readonly mandates: MandatePort };

/** What this room does with mandates of others: each in its principal's tenant. */
export type MandatePort = Readonly<
  Record<
    "revokeWithin" | "suspendWithin",
    (tx: TenantTx, id: Id<"mandate">, why: { because: string; actor: Actor }) => Promise<unknown>
  >
> & {
  heldBy(
    agent: string,
  ): Promise<readonly { readonly tenant: Id<"tenant">; readonly mandate: Id<"mandate"> }[]>;
};

// An ending comes however long the database was away: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoffMsMax = 60 * secondMs;

/**
 * What a change of an agent means for those who trusted it. The agent itself can do nothing any more from the change on;
 * here its families of tokens end, and its mandates say so, to their principals and in the status lists.
 */
export const fleetJobs = (jobs: Jobs, deps: Deps): Jobs =>
  jobs.on(endingQueue, {
    attemptsMax,
    backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), backoffMsMax),
    handle: async ({ payload }) => {
      const ending = endingOf(payload);
      if (ending !== undefined) await end(deps, ending);
    },
  });

type Ending = {
  readonly agent: Id<"agent">;
  readonly tenant: Id<"tenant">;
  readonly because: EndingCause;
  readonly actor: Actor;
};

async function end({ db, clock, mandates }: Deps, { agent, tenant, because, actor }: Ending): Promise<void> {
  const now = clock.now();
  const gone = because === "agent_decommissioned";
  if (gone) {
    await endTokensOfClient(db, { client: agent, tenant, actor, now });
    await db.of(tenant).transaction((tx) => endCredentialsOf(tx, agent, { actor, now }));
  }
  const change = gone ? mandates.revokeWithin : mandates.suspendWithin;
  for (const given of await mandates.heldBy(agent))
    await db.of(given.tenant).transaction((tx) => change(tx, given.mandate, { because, actor }));
}

/** What a job says; one that says nothing an agent can be found by is dropped. */
function endingOf(payload: unknown): Ending | undefined {
  const { agent: agentText, tenant: tenantText, because, by } = Object(payload);
  const agent = parseId("agent", agentText);
  const tenant = parseId("tenant", tenantText);
  const known = because === "agent_decommissioned" || because === "agent_key_changed";
  if (agent === undefined || tenant === undefined || !known) return undefined;
  return { agent, tenant, because, actor: { type: "client", id: String(by) } };
}
