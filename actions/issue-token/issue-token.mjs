import { input, issueToken, optional, origin, output, run } from "../workflow.mjs";

await run(async () => {
  const scope = optional("REMIT_SCOPE");
  const wish = { agentId: input("REMIT_AGENT_ID"), ...(scope === undefined ? {} : { scope }) };
  const issued = await issueToken(origin(), wish);
  await output("access-token", issued.access_token);
  await output("expires-at", issued.expires_at);
});
