import { instantOf, newId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { describe, expect, test } from "vitest";
import { actorsOf, decideForAll } from "./acting.ts";
import type { PolicyEngine, PolicyRequest } from "./port.ts";

const [agent, other] = [newId("agent"), newId("agent")];

/** Forbids one agent everything, and everybody else nothing. */
const forbids = (id: string): PolicyEngine => ({
  looksAt: { agent: false },
  decide: async ({ principal }) =>
    principal.type === "agent" && principal.id === id
      ? { decision: "deny", determining: ["no-agent"], errors: [] }
      : { decision: "allow", determining: [], errors: [] },
});

const ofPerson = (more: Partial<PolicyRequest>): PolicyRequest => ({
  tenant: newId("tenant"),
  principal: {
    type: "account",
    id: newId("account"),
    scopes: ["agents:read"],
    bound: true,
    acr: "urn:remit:aal2",
  },
  client: "wallet",
  actors: [],
  action: "GET:/api/v1/agents",
  resource: { type: "Organization", id: "org_1", within: [] },
  ip: "127.0.0.1",
  at: instantOf(0),
  ...more,
});

// No engine here looks at an agent's facts, so nothing is read.
const db = {} as Database;
const decided = async (more: Partial<PolicyRequest>): Promise<string> =>
  (await decideForAll(db, [forbids(agent)], ofPerson(more))).decision;

describe("G05 an agent that acts with a person's token is under the policies itself", () => {
  test.each([
    ["the token is the agent's own of the person's grant", { client: agent }],
    ["the token says that it acts", { client: agent, actors: [agent] }],
    ["it handed the token on to another", { client: other, actors: [other, agent] }],
    [
      "it has it from a chain that it stands deep in",
      { client: other, actors: actorsOf({ sub: other, act: { sub: other, act: { sub: agent } } }) },
    ],
  ])("G05 it may not what it is forbidden where %s", async (_, more) => {
    expect(await decided(more)).toBe("deny");
  });

  test.each([
    ["the person acts by the wallet", {}],
    ["another agent acts", { client: other, actors: [other] }],
  ])("and only it: not where %s", async (_, more) => {
    expect(await decided(more)).toBe("allow");
  });
});
