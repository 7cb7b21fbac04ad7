import { newId } from "@remit/kernel";
import { type Answer, callAsAdmin } from "./client.ts";
import type { Running } from "./running.ts";

/** A registration that is in order. */
export const agentBody = (more: object = {}): Record<string, unknown> => ({
  email: `${newId("request")}@agents.example`,
  agentType: "screener",
  version: "1.4.0",
  capabilities: ["resume:read", "email:send"],
  owner: "talent-team",
  deploymentEnv: "production",
  ...more,
});

type At = Running & { readonly adminSecret?: string };

export const createAgent = (running: At, more: object = {}): Promise<Answer> =>
  callAsAdmin(running, { method: "POST", path: "/api/v1/agents", body: agentBody(more) });

/** The id of a new agent. */
export async function agentIn(running: At, more: object = {}): Promise<string> {
  const answer = await createAgent(running, more);
  if (answer.status !== 201) throw new Error(`not registered: ${JSON.stringify(answer.body)}`);
  return String(answer.body["agentId"]);
}

const otherSecret = "another-admin-secret-of-many-random-bits-012345";

/** Another tenant of the same server, with its management client. */
export async function anotherTenant(running: Running): Promise<At & { readonly adminSecret: string }> {
  const other = await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: { email: "eve@example.com", name: "Eve", password: "another correct horse" },
    admin: { clientSecret: otherSecret },
  });
  return { ...running, tenant: other.tenant, adminId: other.admin.clientId, adminSecret: otherSecret };
}
