import { type Id, type Instant, invariant } from "@remit/kernel";
import type { TenantSql } from "@remit/platform/sql";
import { type AgentStatus, standingsOfAgents } from "../agents/index.ts";
import { brakeOf, type KnownAgent, listKnownAgents } from "../freezes/index.ts";
import { roomOfAgents } from "../mandates/index.ts";

/** An agent as its principal sees it, with what is left of all that it was given. */
export type SeenAgent = KnownAgent & {
  readonly status: AgentStatus;
  /** Neither revoked nor expired. */
  readonly mandates: number;
  readonly remaining: readonly { readonly currency: string; readonly remaining_minor: number }[];
};

type Page = {
  readonly after: Id<"agent"> | undefined;
  readonly limit: number;
  /** Only these. */
  readonly among?: readonly Id<"agent">[] | undefined;
  readonly now: Instant;
};

export const readAgents = (
  tenant: TenantSql,
  page: Page,
): Promise<{ readonly agents: readonly SeenAgent[]; readonly allFrozenAt: Instant | undefined }> =>
  tenant.transaction(async (tx) => {
    const known = await listKnownAgents(tx, page);
    const ids = known.map(({ id }) => id);
    const standings = await standingsOfAgents(tx, ids);
    const rooms = await roomOfAgents(tx, ids, page.now);
    const agents = known.map((agent) => {
      const status = standings.get(agent.id)?.status;
      invariant(status !== undefined, "an agent that has a mandate has a standing");
      return { ...agent, status, ...(rooms.get(agent.id) ?? { mandates: 0, remaining: [] }) };
    });
    return { agents, allFrozenAt: await brakeOf(tx, { agent: undefined }) };
  });
