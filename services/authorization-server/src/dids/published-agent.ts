import type { Id } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { type Agent, agentById, tenantOfAgent, unknownAgent } from "../agents/index.ts";
import { publisherOf } from "../tenants/index.ts";

/** An agent as strangers may hear of it. */
export type PublishedAgent = {
  readonly agent: Agent;
  /** Whether it may act: neither it nor its organization is suspended, and the organization is not deleted either. */
  readonly active: boolean;
  /** Who is named as its provider: a company by its name, a person never. */
  readonly provider: string | undefined;
};

/**
 * The agent of an id, for anybody: `not_found` for none, `document_gone` once it is gone for good.
 * Private agents too: what is told of each is decided by whoever tells it.
 */
export async function publishedAgent(db: Database, id: Id<"agent">): Promise<PublishedAgent> {
  const tenant = await tenantOfAgent(db.single, id);
  if (tenant === undefined) throw unknownAgent();
  const found = await db.of(tenant).transaction(async (tx) => {
    const agent = await agentById(tx, id);
    return agent && { agent, publisher: await publisherOf(tx) };
  });
  if (found === undefined) throw unknownAgent();
  const { agent, publisher } = found;
  if (agent.status === "decommissioned") throw new Problem("document_gone");
  return {
    agent,
    active: agent.status === "active" && publisher.status === "active",
    provider: publisher.name,
  };
}
