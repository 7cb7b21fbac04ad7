import { toRfc3339 } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import type { Agent } from "../agents/index.ts";
import { didOfAgent, type PublishedAgent } from "../dids/index.ts";
import { type AgentCard, cardSchemaVersion, descriptionOf, publicNameOf } from "./card.ts";

/** The version of the Open Agentic Schema Framework whose records and names of skills these are. */
const schemaVersion = "1.1.0";

/** What OASF calls what the types of the AgentIdP API do. For `custom` it has no word. */
const skillOf: Readonly<Record<Agent["agentType"], string | undefined>> = {
  screener: "governance_compliance/content_moderation",
  classifier: "language_processing/text_classification",
  orchestrator: "ai_ml_engineering/agent_orchestration/multi_agent_coordination",
  extractor: "language_processing/language_understanding/entity_recognition",
  summarizer: "language_processing/language_generation/summarization",
  router: "language_processing/text_classification/intent_classification",
  monitor: "devops_cloud_infra/observability/monitoring_alerting",
  custom: undefined,
};

export type RecordFacts = PublishedAgent & {
  readonly issuer: string;
  /** Its signed card. */
  readonly card: AgentCard;
  /** Whether it is for the agent's own organization: then its e-mail address and owner stand in it too. */
  readonly forItsOwn: boolean;
};

/** The AGNTCY record of an agent (OASF 1.1 `record`), with what the AgentIdP API says of one as annotations. */
export function recordOf({ agent, provider, issuer, card, forItsOwn }: RecordFacts): JsonObject {
  const about = `${issuer}/agents/${agent.id}`;
  const skill = skillOf[agent.agentType];
  const name = forItsOwn ? agent.name : publicNameOf(agent);
  return {
    schema_version: schemaVersion,
    name,
    version: agent.version,
    description: descriptionOf(agent),
    authors: [provider ?? new URL(issuer).host],
    created_at: toRfc3339(agent.createdAt),
    skills: skill === undefined ? [] : [{ name: skill }],
    locators: [{ type: "url", urls: [`${about}/agent-card.json`, `${about}/did.json`] }],
    modules: [{ name: "integration/a2a", data: { card_data: card, card_schema_version: cardSchemaVersion } }],
    annotations: {
      did: didOfAgent(issuer, agent.id),
      name: forItsOwn ? (agent.email ?? agent.name) : name,
      agentType: agent.agentType,
      capabilities: agent.capabilities.join(" "),
      ...(forItsOwn && agent.owner !== undefined ? { owner: agent.owner } : {}),
      version: agent.version,
      deploymentEnv: agent.deploymentEnv,
      identityProvider: issuer,
      issuedAt: toRfc3339(agent.createdAt),
    },
  };
}
