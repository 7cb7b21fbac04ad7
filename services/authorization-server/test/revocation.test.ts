import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { callAsAdmin, newClient, type OAuthClient, read } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await startServer();
});
afterAll(() => running.close());

const ownToken = async (agent: OAuthClient): Promise<string> =>
  String(
    (await agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" })).body["access_token"],
  );

const statusWith = async (agent: OAuthClient, token: string): Promise<number> =>
  (await callApi(running, { token, key: agent.keys.dpop })).status;

const change = (agent: OAuthClient, path: string) =>
  callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/${path}` });

describe("A11 what was taken back is refused at once, from the database", () => {
  test("A11 a suspended agent's tokens, assertions and refreshes; reactivated, they count again", async () => {
    const agent = await newClient(running, "agent");
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const token = await ownToken(agent);
    expect(await statusWith(agent, token)).toBe(200);
    expect((await change(agent, "suspend")).body).toMatchObject({ id: agent.id, status: "suspended" });
    expect(await statusWith(agent, token)).toBe(401);
    expect((await agent.credentials({ resource: running.issuer })).body["error"]).toBe("invalid_client");
    const refresh = { grant_type: "refresh_token", refresh_token: String(tokens.body["refresh_token"]) };
    expect((await agent.post("/oauth/token", refresh)).body["error"]).toBe("invalid_client");
    expect((await change(agent, "reactivate")).body).toMatchObject({ status: "active" });
    expect(await statusWith(agent, token)).toBe(200);
  });

  test("A11 an access token that its client revoked", async () => {
    const agent = await newClient(running, "agent");
    const [token, other] = [await ownToken(agent), await ownToken(agent)];
    expect((await agent.post("/oauth/revoke", { token })).status).toBe(200);
    expect(await statusWith(agent, token)).toBe(401);
    expect(await statusWith(agent, other)).toBe(200);
  });

  test("A11 a revoked refresh token takes its family along", async () => {
    const agent = await newClient(running, "agent");
    const tokens = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    const token = String(tokens.body["access_token"]);
    expect(await statusWith(agent, token)).toBe(200);
    const revoked = await agent.post("/oauth/revoke", { token: String(tokens.body["refresh_token"]) });
    expect(revoked.status).toBe(200);
    expect(await statusWith(agent, token)).toBe(401);
  });

  test("A11 another client's revocation changes nothing, and says nothing", async () => {
    const [agent, other] = [await newClient(running, "agent"), await newClient(running, "agent")];
    const token = await ownToken(agent);
    expect((await other.post("/oauth/revoke", { token })).status).toBe(200);
    expect((await other.post("/oauth/revoke", { token: "nonsense" })).status).toBe(200);
    expect(await statusWith(agent, token)).toBe(200);
  });
});

describe("agents of a tenant", () => {
  test("are listed, read, and stopped; a stranger's id answers as a made-up one", async () => {
    const agent = await newClient(running, "agent");
    const found = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${agent.id}` });
    expect(found.body).toMatchObject({ id: agent.id, name: "Test agent", status: "active" });
    const unknown = "agt_01h00000000000000000000000";
    const missing = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${unknown}` });
    expect(missing).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(
      (await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${unknown}/suspend` })).status,
    ).toBe(404);
  });

  test("have a DID document with their two keys", async () => {
    const agent = await newClient(running, "agent");
    for (const name of ["did.json", "did"]) {
      const { body } = await read(await fetch(`${running.issuer}/agents/${agent.id}/${name}`));
      expect(body["id"]).toBe(
        `did:web:${new URL(running.issuer).host.replace(":", "%3A")}:agents:${agent.id}`,
      );
      expect(body["verificationMethod"]).toHaveLength(2);
    }
    expect((await fetch(`${running.issuer}/.well-known/did.json`)).status).toBe(200);
    expect(await (await fetch(`${running.issuer}/.well-known/security.txt`)).text()).toContain("Contact:");
  });
});
