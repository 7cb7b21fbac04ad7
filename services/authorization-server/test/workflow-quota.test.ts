import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, read } from "./client.ts";
import { agentIn } from "./fleet.ts";
import { Github } from "./github.ts";
import { Management } from "./management.ts";
import { type Running, startServer } from "./running.ts";

const ours = { name: "octo-org/octo-repo", id: 1_296_269, owner: 583_231 };
// More than the calls here take of the administrator's own.
const tokens = 20;

let running: Running;
let github: Github;
let agent: string;

beforeAll(async () => {
  github = new Github();
  await github.listen();
  github.repositories.set(ours.name, ours);
  running = await startServer({
    outboundAllow: [github.host],
    githubIssuer: github.origin,
    githubApi: github.origin,
    quotas: { tokens },
  });
  agent = await agentIn(running, { scopes: ["agents:read"] });
  const management = new Management(running);
  await management.call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
  const policy = { provider: "github", repository: ours.name, branch: "main" };
  for (const body of [policy, { ...policy, agentId: agent }])
    expect((await management.call("POST", "/api/v1/oidc/trust-policies", body)).status).toBe(201);
  github.runIn(ours);
});
afterAll(async () => {
  await running.close();
  await github.close();
});

const workflowToken = (): string => github.sign({ aud: running.issuer });

const exchange = async (body: object): Promise<Answer> =>
  read(
    await fetch(`${running.issuer}/api/v1/oidc/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

test.each(["an agent", "one to register agents"])(
  "A13 a workflow's tokens count as at the token endpoint, those for %s too; nobody uses them up by a name alone",
  async (which) => {
    const whom = which === "an agent" ? { agentId: agent } : { organizationId: running.tenant };
    for (let i = 0; i <= tokens; i++)
      expect((await exchange({ token: "e30.e30.x", ...whom })).body["code"]).toBe("invalid_grant");
    for (let i = 0; i < tokens; i++)
      expect((await exchange({ token: workflowToken(), ...whom })).status).toBe(200);
    const refused = await exchange({ token: workflowToken(), ...whom });
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(refused.headers.get("ratelimit")).toContain('"client";r=0;t=');
  },
);
