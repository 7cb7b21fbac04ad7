import { eventTypeNames } from "@remit/protocol";

/** What a pattern is called in the AgentIdP API, where ours has another name. */
const alsoKnownAs: Readonly<Record<string, string>> = {
  "agent.created": "agent.registered",
  "agent.reactivated": "agent.resumed",
  "agent.updated": "agent.changed",
  "credential.generated": "credential.created",
};

/** The AgentIdP API's name of a type of ours that has another there. */
export const aliasOf = (type: string): string | undefined =>
  Object.entries(alsoKnownAs).find(([, ours]) => ours === type)?.[0];

/** Whether a pattern (`agent.created`, `agent.*`, `*`) takes events of a type. */
export function takes(pattern: string, type: string): boolean {
  if (pattern === "*" || pattern === type || alsoKnownAs[pattern] === type) return true;
  return pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1));
}

export const takesAny = (patterns: readonly string[], type: string): boolean =>
  patterns.some((pattern) => takes(pattern, type));

/** The first pattern that no event will ever match. */
export const emptyPattern = (patterns: readonly string[]): string | undefined =>
  patterns.find((pattern) => !eventTypeNames.some((type) => takes(pattern, type)));
