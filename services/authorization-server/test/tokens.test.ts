import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminToken, newClient, type OAuthClient } from "./client.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

const decode = (token: unknown, part: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[part] ?? "", "base64url").toString("utf8"));

describe("client credentials", () => {
  test("an agent gets a token for one merchant, bound to its registered key", async () => {
    const answer = await agent.credentials({ scope: "oid4ac:payment", resource: "https://shop.example" });
    expect(answer.body).toMatchObject({ token_type: "DPoP", expires_in: 900 });
    expect(decode(answer.body["access_token"], 0)).toMatchObject({ typ: "at+jwt", alg: "ES256" });
    expect(decode(answer.body["access_token"], 1)).toMatchObject({
      iss: running.issuer,
      aud: "https://shop.example",
      client_id: agent.id,
      scope: "oid4ac:payment",
      organization_id: running.tenant,
      livemode: false,
    });
  });

  test("the management client authenticates with its secret and gets a bearer token", async () => {
    const answer = await adminToken(running);
    expect(answer.body).toMatchObject({ token_type: "Bearer", scope: "agents:read agents:write" });
  });
});
