import { instantOf, newId } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import {
  actionsOf,
  bundled,
  createCedar,
  type PolicyRequest,
} from "../services/authorization-server/src/policies/index.ts";
import { measure } from "./measure.ts";

const action = "DELETE:/api/v1/agents/:id";

const remove: Route = route({
  method: "DELETE",
  path: "/api/v1/agents/:id",
  summary: "",
  needs: { scope: "agents:write" },
  answers: { 204: nothing },
  handle: () => ({ status: 204 }),
});

/** What a decision costs beside the call: under 2 statements and under 33, each anew, and one that was given before. */
export async function benchPolicies(seconds: number) {
  const cedar = createCedar(actionsOf([remove]));
  const engineOf = (count: number) =>
    cedar.engine([
      ...bundled,
      ...Array.from({ length: count - 1 }, (_, i) => ({
        id: `p${i}`,
        text: `forbid (principal, action in Remit::Action::"write", resource is Remit::Agent)
          when { resource has owner && resource.owner == "team-${i}" };`,
      })),
    ]);
  const tenant = newId("tenant");
  let turn = 0;
  const asking = (id: string): PolicyRequest => ({
    tenant,
    principal: { type: "client", id: "cli_1", scopes: ["agents:read", "agents:write"], bound: true },
    client: "cli_1",
    actors: [],
    action,
    resource: { type: "Agent", id, within: [{ type: "Organization", id: tenant }] },
    ip: "203.0.113.7",
    at: instantOf(0),
  });
  const [few, many] = [engineOf(2), engineOf(33)];
  return {
    of_2_statements: await measure(() => few.decide(asking(`agt_${turn++}`)), { seconds }),
    of_33_statements: await measure(() => many.decide(asking(`agt_${turn++}`)), { seconds }),
    given_before: await measure(() => many.decide(asking("agt_same")), { seconds }),
  };
}
