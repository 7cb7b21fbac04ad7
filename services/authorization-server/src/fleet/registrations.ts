import type { Id, Instant } from "@remit/kernel";
import { type Batches, createBatches } from "@remit/platform/batches";
import type { Database, TenantTx } from "@remit/platform/sql";
import { noteMade } from "@remit/platform/trail";
import { Problem } from "@remit/protocol";
import type { Agent } from "../agents/index.ts";
import { registerAgentsFor } from "../clients/index.ts";
import { byOf, type Managing, type NewAgent } from "./fleet.ts";

/** Registrations by operators. Those of one organization that come at once share a transaction. */
export type Registrations = {
  /** The agent, once it is committed. Refuses with `agent_exists`, `agent_limit_reached` or `key_in_use`. */
  readonly add: (agent: NewAgent, managing: Managing) => Promise<Agent>;
};

export type RegistrationsDeps = {
  readonly db: Database;
  /** Called when an agent is registered, for the metric. */
  readonly registered: () => void;
  /** In the transaction of a registration, by whom it was. */
  readonly registeredBy: (
    tx: TenantTx,
    registration: { readonly agent: Id<"agent">; readonly by: string; readonly now: Instant },
  ) => Promise<void>;
};

type Asked = { readonly agent: NewAgent; readonly managing: Managing };
type Outcome = { readonly agent: Agent } | { readonly refusal: Problem };

/** As long as a lock is waited for, twice: what is late has been refused, and may be there all the same. */
const waitMsMax = 10_000;
const sizeMax = 64;

export function createRegistrations(deps: RegistrationsDeps): Registrations {
  const open = new Map<Id<"tenant">, { readonly batches: Batches<Asked, Outcome>; waiting: number }>();
  const openFor = (tenant: Id<"tenant">) => {
    const commit = (asked: readonly Asked[]): Promise<Outcome[]> => registerAll(deps, tenant, asked);
    const found = open.get(tenant) ?? {
      batches: createBatches({ commit, waitMsMax, sizeMax }),
      waiting: 0,
    };
    open.set(tenant, found);
    return found;
  };
  return {
    async add(agent, managing) {
      const { tenant } = managing.caller;
      const queue = openFor(tenant);
      queue.waiting += 1;
      try {
        const outcome = await queue.batches.add({ agent, managing });
        if ("refusal" in outcome) throw outcome.refusal;
        deps.registered();
        noteMade(outcome.agent.id);
        return outcome.agent;
      } finally {
        queue.waiting -= 1;
        if (queue.waiting === 0) open.delete(tenant);
      }
    },
  };
}

/** All in one transaction; when one of them is refused, each in its own, so that nobody is refused for another. */
async function registerAll(
  deps: RegistrationsDeps,
  tenant: Id<"tenant">,
  asked: readonly Asked[],
): Promise<Outcome[]> {
  try {
    const agents = await deps.db.of(tenant).transaction((tx) => register(deps, tx, asked));
    return agents.map((agent) => ({ agent }));
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    if (asked.length === 1) return [{ refusal: error }];
    const outcomes: Outcome[] = [];
    for (const one of asked) outcomes.push(...(await registerAll(deps, tenant, [one])));
    return outcomes;
  }
}

async function register(
  { registeredBy }: RegistrationsDeps,
  tx: TenantTx,
  asked: readonly Asked[],
): Promise<Agent[]> {
  const wanted = asked.map(({ agent, managing }) => ({ ...agent, ...byOf(managing) }));
  const agents = await registerAgentsFor(tx, wanted);
  for (const [index, { id }] of agents.entries()) {
    const managing = asked[index]?.managing;
    if (managing !== undefined)
      await registeredBy(tx, { agent: id, by: managing.caller.client, now: managing.now });
  }
  return agents;
}
