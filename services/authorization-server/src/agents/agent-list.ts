import type { Id } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import type { AgentType, DeploymentEnv } from "@remit/protocol/contracts";
import * as rows from "./agent-list.sql.ts";
import type { Agent, AgentStatus } from "./agents.ts";

/** Which agents a list is of. */
export type AgentFilter = {
  readonly owner?: string | undefined;
  readonly agentType?: AgentType | undefined;
  readonly status?: AgentStatus | undefined;
  readonly deploymentEnv?: DeploymentEnv | undefined;
  readonly capability?: string | undefined;
  /** How the name or the e-mail address begins, in whatever case. */
  readonly text?: string | undefined;
};

/** Which of them: by the id before the page, or by how many come before it. */
export type AgentWindow = {
  readonly limit: number;
  readonly before: Id<"agent"> | undefined;
  readonly offset: number;
};

/** The tenant's agents, newest first. */
export const agentsOf = (tx: TenantTx, filter: AgentFilter, window: AgentWindow): Promise<Agent[]> =>
  rows.listAgents(tx, filter, window);

/** How many there are; the time it takes grows with them. */
export const countAgents = (tx: TenantTx, filter: AgentFilter): Promise<number> =>
  rows.countAgents(tx, filter);
