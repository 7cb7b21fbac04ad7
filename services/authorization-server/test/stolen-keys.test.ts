import { newId } from "@remit/kernel";
import { generateJwk, thumbprint } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { newClient, OAuthClient } from "./client.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running, startServer } from "./running.ts";
import { startWebhookReceiver, verified, type WebhookReceiver } from "./webhooks/receiver.ts";

let receiver: WebhookReceiver;
let running: Running;
let signingSecret: string;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  running = await startServer({ tenantOutboundAllow: [receiver.host] });
  const webhooks = new Management(running, adminSecret, "webhooks:read webhooks:write");
  const { status, body } = await webhooks.call("POST", "/api/v1/webhooks", {
    name: "Security",
    url: `${receiver.origin}/security`,
    events: ["security.*"],
  });
  expect(status).toBe(201);
  signingSecret = String(body["signingSecret"]);
});
afterAll(async () => {
  await running.close();
  await receiver.close();
});

const thief = generateJwk("ES256");

/** What the agent's operator is told of it, and reads in its log. */
async function toldOf(agent: OAuthClient): Promise<Record<string, unknown>> {
  const about = () =>
    receiver
      .at("/security")
      .map((heard) => verified(signingSecret, heard))
      .filter(({ subject }) => subject === agent.id);
  await eventually(() => expect(about()).toHaveLength(1));
  const [told] = about();
  const audit = new Management(running, adminSecret, "audit:read");
  await eventually(async () => {
    const query = new URLSearchParams({ action: "security.key_mismatch", subject: agent.id });
    const { body } = await audit.call("GET", `/api/v1/audit?${query}`);
    expect(body["data"]).toMatchObject([{ event: "security.key_mismatch", payload: told?.["data"] }]);
  });
  return Object(told);
}

const boundTo = (agent: OAuthClient, what: string) => ({
  type: "security.key_mismatch",
  data: { what, bound: thumbprint(agent.keys.dpop), presented: thumbprint(thief) },
});

describe("G09 what was taken from an agent's host is worth nothing without its key, and its operator hears of it", () => {
  test("G09 a token, used with another key", async () => {
    const agent = await newClient(running, "agent");
    const form = { resource: running.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(form)).body["access_token"]);
    const call = { token, key: agent.keys.dpop };
    expect((await callApi(running, call)).status).toBe(200);
    expect(await callApi(running, { ...call, proofKey: thief })).toMatchObject({
      status: 401,
      body: { code: "invalid_dpop_proof" },
    });
    expect(await toldOf(agent)).toMatchObject(boundTo(agent, "access_token"));
    // The token is its owner's still: whoever copies one cannot take it from the agent.
    expect((await callApi(running, call)).status).toBe(200);
  });

  test.each([
    ["/oauth/token", { grant_type: "client_credentials" }],
    ["/oauth/par", { response_type: "code" }],
  ])(
    "G09 the key that signs assertions, used at %s with another key than the agent's",
    async (path, form) => {
      const agent = await newClient(running, "agent");
      const copied = new OAuthClient(running, agent.id, { ...agent.keys, dpop: thief });
      const asked = path === "/oauth/par" ? { ...form, authorization_details: details } : form;
      const answer = await copied.post(path, asked);
      expect(answer).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
      expect(await toldOf(agent)).toMatchObject(boundTo(agent, "client_assertion"));
    },
  );

  test("G09 an agent that forgets its nonce, or signs for another address, raises no alarm", async () => {
    const agent = await newClient(running, "agent");
    const form = { resource: running.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(form)).body["access_token"]);
    const call = { token, key: agent.keys.dpop };
    await callApi(running, { ...call, proof: { htu: `${running.issuer}/elsewhere` } });
    await callApi(running, { ...call, proof: { nonce: newId("request") } });
    const noticed = await running.database.asAdmin(
      "select type from outbox where subject = $1 and type = $2",
      [agent.id, "security.key_mismatch"],
    );
    expect(noticed).toEqual([]);
  });
});

const details = JSON.stringify([{ type: "oid4ac_mandate", currency: "EUR", amount_minor: 1000 }]);
