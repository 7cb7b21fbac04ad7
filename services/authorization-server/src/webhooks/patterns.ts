import { eventAliases, eventTypeNames } from "@remit/protocol";

/** The AgentIdP API's name of a type of ours that has another there. */
export const aliasOf = (type: string): string | undefined =>
  Object.entries(eventAliases).find(([, ours]) => ours === type)?.[0];

/** Whether a pattern (`agent.created`, `agent.*`, `*`) takes events of a type. */
export function takes(pattern: string, type: string): boolean {
  if (pattern === "*" || pattern === type || eventAliases[pattern] === type) return true;
  return pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1));
}

export const takesAny = (patterns: readonly string[], type: string): boolean =>
  patterns.some((pattern) => takes(pattern, type));

/** The first pattern that no event will ever match. */
export const emptyPattern = (patterns: readonly string[]): string | undefined =>
  patterns.find((pattern) => !eventTypeNames.some((type) => takes(pattern, type)));
