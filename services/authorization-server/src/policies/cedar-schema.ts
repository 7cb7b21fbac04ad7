import type { Actions } from "./actions.ts";

/** Names in policies: `Remit::Agent::"agt_…"`, `Remit::Action::"DELETE:/api/v1/agents/:id"`. */
export const namespace = "Remit";

/** The Cedar schema of our calls: policies are validated against it when they are saved. */
export function cedarSchema(actions: Actions): string {
  const managed = [...actions.values()].filter((action) => action.managed);
  const groups = [...new Set(managed.flatMap((action) => action.groups))];
  const others = [...new Set(managed.map(({ resourceType }) => resourceType))].filter(
    (type) => !known.has(type),
  );
  const around = ["Agent", "Client", "Organization", ...others].join(", ");
  const declared = managed.map(
    ({ name, groups: of, resourceType }) =>
      `  action ${quote(name)} in [${of.map(quote).join(", ")}] appliesTo {
    principal: [Agent, Client, Account, Service], resource: [${resourceType}], context: Circumstances };`,
  );
  return [
    `namespace ${namespace} {`,
    "  type Circumstances = { method: String, ip: __cedar::ipaddr, time: __cedar::datetime };",
    "  entity Organization in [Organization];",
    `  entity Agent in [Organization] { scopes?: Set<String>, bound?: Bool, agentType?: String, deploymentEnv?: String,
    owner?: String, status?: String, isPublic?: Bool, capabilities?: Set<String> };`,
    "  entity Client, Service in [Organization] { scopes?: Set<String>, bound?: Bool };",
    "  entity Account in [Organization] { scopes?: Set<String>, bound?: Bool, acr?: String };",
    ...others.map((type) => `  entity ${type} in [${around}];`),
    ...groups.map((group) => `  action ${quote(group)};`),
    ...declared,
    "}",
  ].join("\n");
}

const known = new Set(["Organization", "Agent", "Client", "Service", "Account"]);

const quote = (text: string): string => JSON.stringify(text);
