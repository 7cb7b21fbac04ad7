import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { Browser } from "./browser.ts";
import { callAsAdmin, challengeOf, newClient, OAuthClient, read } from "./client.ts";
import {
  approve,
  authorizeUrl,
  exchange,
  newAsking,
  obtainCode,
  openConsent,
  pushedForm,
} from "./consent.ts";
import { adminSecret, type Running, startServer } from "./running.ts";

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
    expect((await change(agent, "suspend")).body).toMatchObject({ agentId: agent.id, status: "suspended" });
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

  test("A11 all that a client holds, at its operator's word, and nothing that it gets later", async () => {
    const [agent, other] = [await newClient(running, "agent"), await newClient(running, "agent")];
    const tokens = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    const held = [String(tokens.body["access_token"]), await ownToken(agent)];
    const spared = await ownToken(other);
    const path = `/api/v1/clients/${agent.id}/revoke-tokens`;
    const answer = await callAsAdmin(running, { method: "POST", path });
    expect(answer).toMatchObject({ status: 200, body: { client_id: agent.id, grants: 1 } });
    for (const token of held) expect(await statusWith(agent, token)).toBe(401);
    const refresh = { grant_type: "refresh_token", refresh_token: String(tokens.body["refresh_token"]) };
    expect((await agent.post("/oauth/token", refresh)).body["error"]).toBe("invalid_grant");
    expect(await statusWith(other, spared)).toBe(200);
    // What is issued in the very second of the revocation falls under it.
    await running.database.asAdmin(
      "update token_revocations set issued_until = issued_until - interval '2 s' where key = $1",
      [`client:${agent.id}`],
    );
    expect(await statusWith(agent, await ownToken(agent))).toBe(200);
    // The families' tokens are refused by their grants, whenever they were issued.
    await running.database.asAdmin(
      "update token_revocations set issued_until = issued_until - interval '1 h' where key = $1",
      [`client:${agent.id}`],
    );
    expect(await Promise.all(held.map((token) => statusWith(agent, token)))).toEqual([401, 200]);
    for (const id of ["wallet", "directory", "cli_01h00000000000000000000000", "x"]) {
      const wrong = await callAsAdmin(running, {
        method: "POST",
        path: `/api/v1/clients/${id}/revoke-tokens`,
      });
      expect(wrong).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
  });

  test("A11 whoever may only read about tokens ends none of its organization's; whoever manages agents does", async () => {
    const agent = await newClient(running, "agent");
    const family = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    const tokens = [await ownToken(agent), String(family.body["refresh_token"])];
    const revokeWith = async (scope: string) => {
      const basic = Buffer.from(`${running.adminId}:${adminSecret}`).toString("base64");
      const form = new URLSearchParams({ grant_type: "client_credentials", scope });
      const headers = { authorization: `Basic ${basic}` };
      const { body } = await read(
        await fetch(`${running.issuer}/oauth/token`, { method: "POST", headers, body: form }),
      );
      for (const token of tokens) {
        const authorization = `Bearer ${String(body["access_token"])}`;
        const sent = { method: "POST", headers: { authorization }, body: new URLSearchParams({ token }) };
        expect((await fetch(`${running.issuer}/api/v1/token/revoke`, sent)).status).toBe(200);
      }
      const last = String(family.body["access_token"]);
      return [await statusWith(agent, tokens[0] ?? ""), await statusWith(agent, last)];
    };
    expect(await revokeWith("tokens:read")).toEqual([200, 200]);
    expect(await revokeWith("agents:write")).toEqual([401, 401]);
  });

  test("A11 another client's revocation changes nothing, and says nothing", async () => {
    const [agent, other] = [await newClient(running, "agent"), await newClient(running, "agent")];
    const token = await ownToken(agent);
    expect((await other.post("/oauth/revoke", { token })).status).toBe(200);
    expect((await other.post("/oauth/revoke", { token: "nonsense" })).status).toBe(200);
    expect(await statusWith(agent, token)).toBe(200);
  });
});

describe("A11 a principal who takes a mandate back leaves its agent no token", () => {
  const grantedTo = async (agent: OAuthClient) => {
    const { body } = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    return {
      mandate: String(body["mandate_id"]),
      token: String(body["access_token"]),
      refresh_token: String(body["refresh_token"]),
    };
  };
  const refreshed = async (agent: OAuthClient, refresh_token: string) =>
    (await agent.post("/oauth/token", { grant_type: "refresh_token", refresh_token })).body;
  /** The wallet's token for its principal, by the way that every person goes. */
  const changeMandate = async (id: string, change: "revoke" | "suspend" | "resume"): Promise<void> => {
    const wallet = new OAuthClient(running, "wallet", running.wallet);
    const { authorization_details: _, ...form } = pushedForm(newAsking());
    const asking = newAsking();
    const pushed = await wallet.post("/oauth/par", {
      ...form,
      scope: "openid wallet:write",
      resource: running.issuer,
      code_challenge: challengeOf(asking.verifier),
    });
    const browser = new Browser();
    const page = await openConsent(browser, authorizeUrl(running, wallet.id, pushed.body["request_uri"]));
    const answer = await approve(browser, page);
    const code = answer.searchParams.get("code") ?? "";
    const { body } = await exchange(wallet, { asking, code, answer });
    const path = `/api/v1/mandates/${id}/${change}`;
    const call = {
      token: String(body["access_token"]),
      key: wallet.keys.dpop,
      method: "POST",
      path,
    } as const;
    expect(await callApi(running, call)).toMatchObject({ status: 200 });
  };

  test("A11 its refresh and access tokens end with the mandate, and no other grant's do", async () => {
    const agent = await newClient(running, "agent");
    const [ended, kept] = [await grantedTo(agent), await grantedTo(agent)];
    expect(await statusWith(agent, ended.token)).toBe(200);
    await changeMandate(ended.mandate, "revoke");
    expect((await refreshed(agent, ended.refresh_token))["error"]).toBe("invalid_grant");
    expect(await statusWith(agent, ended.token)).toBe(401);
    expect((await refreshed(agent, kept.refresh_token))["access_token"]).toBeDefined();
    expect(await statusWith(agent, kept.token)).toBe(200);
    const events = await running.database.asAdmin<{ event: string; subject: string }>(
      `select event, subject from audit_rows join oauth_grants on grant_digest = subject where mandate_id = $1`,
      [ended.mandate],
    );
    expect(events).toMatchObject([{ event: "token.revoked" }]);
  });

  test("A11 a code that was not redeemed yet ends with it too", async () => {
    const agent = await newClient(running, "agent");
    const consented = await obtainCode(running, agent);
    const [given] = await running.database.asAdmin<{ id: string }>(
      "select id from mandates where agent_id = $1",
      [agent.id],
    );
    await changeMandate(given?.id ?? "", "revoke");
    expect((await exchange(agent, consented)).body["error"]).toBe("invalid_grant");
  });

  test("A11 a suspension keeps the grant, since it may be resumed", async () => {
    const agent = await newClient(running, "agent");
    const { mandate, token, refresh_token } = await grantedTo(agent);
    await changeMandate(mandate, "suspend");
    expect(await statusWith(agent, token)).toBe(200);
    expect((await refreshed(agent, refresh_token))["access_token"]).toBeDefined();
  });

  test("A11 an agent that gives its mandate up has no use for its tokens either", async () => {
    const agent = await newClient(running, "agent");
    const { mandate, token, refresh_token } = await grantedTo(agent);
    const path = `/api/v1/mandates/${mandate}/revoke`;
    const given = await callApi(running, { token, key: agent.keys.dpop, method: "POST", path });
    expect(given).toMatchObject({ status: 200, body: { status: "revoked" } });
    expect((await refreshed(agent, refresh_token))["error"]).toBe("invalid_grant");
    expect(await statusWith(agent, token)).toBe(401);
  });
});

describe("agents of a tenant", () => {
  test("are listed, read, and stopped; a stranger's id answers as a made-up one", async () => {
    const agent = await newClient(running, "agent");
    const found = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${agent.id}` });
    expect(found.body).toMatchObject({ agentId: agent.id, name: "Test agent", status: "active" });
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
      expect(body["verificationMethod"]).toHaveLength(3); // the first by its former name too
    }
    expect((await fetch(`${running.issuer}/.well-known/did.json`)).status).toBe(200);
    expect(await (await fetch(`${running.issuer}/.well-known/security.txt`)).text()).toContain("Contact:");
  });
});
