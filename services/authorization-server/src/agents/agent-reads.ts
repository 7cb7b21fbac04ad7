import type { Id } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import type { Database } from "@remit/platform/sql";
import * as rows from "./agents.sql.ts";
import type { Agent } from "./agents.ts";

/** Reads of one agent outside of any transaction: those that come at once share a round trip. */
export type AgentReads = {
  /** The agent of this tenant; undefined when it is another's or none. */
  readonly agentOf: (tenant: Id<"tenant">, id: Id<"agent">) => Promise<Agent | undefined>;
};

export function createAgentReads(db: Database): AgentReads {
  const { add } = createBatches({
    commit: async (wanted: readonly rows.Wanted[]) => {
      const found = new Map<string, Agent>();
      for (const agent of await rows.readAgents(db.single, wanted)) found.set(keyOf(agent), agent);
      return wanted.map((one) => found.get(keyOf(one)));
    },
  });
  return { agentOf: (tenant, id) => add({ tenant, id }) };
}

// Two tenants may ask for the same id in one batch: one of them has it.
const keyOf = ({ tenant, id }: rows.Wanted): string => `${tenant} ${id}`;
