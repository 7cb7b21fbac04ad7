import { input, issueToken, optional, origin, output, post, run } from "../workflow.mjs";

await run(async () => {
  const server = origin();
  const name = optional("REMIT_NAME");
  const agent = {
    ...(name === undefined ? {} : { name }),
    email: input("REMIT_EMAIL"),
    agentType: input("REMIT_AGENT_TYPE"),
    version: input("REMIT_VERSION"),
    capabilities: input("REMIT_CAPABILITIES")
      .split(",")
      .map((capability) => capability.trim())
      .filter(Boolean),
    owner: input("REMIT_OWNER"),
    deploymentEnv: input("REMIT_DEPLOYMENT_ENV"),
  };
  const issued = await issueToken(server, { organizationId: input("REMIT_ORGANIZATION_ID") });
  const headers = { authorization: `Bearer ${issued.access_token}` };
  const { agentId } = await post(`${server}/api/v1/agents`, agent, headers);
  await output("agent-id", agentId);
});
