import type { AgentBody } from "@remit/protocol/contracts";
import type { Mark } from "#lib/names.ts";

export const standings = ["active", "suspended", "decommissioned"] as const;
export const kinds = [
  "screener",
  "classifier",
  "orchestrator",
  "extractor",
  "summarizer",
  "router",
  "monitor",
  "custom",
] as const satisfies readonly AgentBody["agentType"][];
export const environments = ["development", "staging", "production"] as const;

export const markOfAgent = {
  active: "live",
  suspended: "stopped",
  decommissioned: "over",
} as const satisfies Record<AgentBody["status"], Mark>;
