import { newId } from "@remit/kernel";
import { ApiKeyPage, IssuedApiKey, RequestPage, RequestWithEntries } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sweepRequests, trim } from "../src/requests/requests.sql.ts";
import { callApi } from "./api.ts";
import { agentBody, anotherTenant } from "./fleet.ts";
import { openWallet } from "./in-wallet.ts";
import { Management } from "./management.ts";
import { adminSecret, freePort, type Running, startServer } from "./running.ts";

const scopes = "agents:read agents:write audit:read admin:orgs";
const keys = "/api/v1/api-keys";
const requests = "/api/v1/requests";

let running: Running;
let metricsPort: number;
let ada: Management;
let eve: Management;

beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  const other = await anotherTenant(running);
  ada = new Management(running, adminSecret, scopes);
  eve = new Management(other, other.adminSecret, scopes);
});
afterAll(() => running.close());

const made = async (by = ada, more: object = {}): Promise<IssuedApiKey> => {
  const { status, body } = await by.call("POST", keys, { name: "ci", scopes: ["agents:read"], ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return IssuedApiKey.parse(body);
};
type IssuedApiKey = ReturnType<typeof IssuedApiKey.parse>;

/** A program that has a key. */
const holding = ({ id, client_secret }: IssuedApiKey, scope = "agents:read"): Management =>
  new Management({ issuer: running.issuer, adminId: id }, client_secret, scope);

/** The one request with this id in the log, once it is written. */
const logged = (id: string | null, by = ada): Promise<ReturnType<typeof RequestWithEntries.parse>> =>
  eventually(async () => RequestWithEntries.parse((await by.call("GET", `${requests}/${id}`)).body));

const listed = async (query: Record<string, string>, by = ada) => {
  const { status, body } = await by.call("GET", `${requests}?${new URLSearchParams(query)}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return RequestPage.parse(body).data;
};

describe("an API key", () => {
  test("opens what its scopes say and nothing else, and its secret is shown once", async () => {
    const key = await made();
    expect(key.client_secret).toMatch(/^rms_/);
    expect(key.ends_with).toBe(key.client_secret.slice(-4));
    expect((await holding(key).call("GET", "/api/v1/agents")).status).toBe(200);
    await expect(holding(key, "agents:write").call("GET", "/api/v1/agents")).rejects.toThrow("invalid_scope");
    const list = await ada.call("GET", keys);
    expect(JSON.stringify(list.body)).not.toContain(key.client_secret);
    expect(ApiKeyPage.parse(list.body).data.find(({ id }) => id === key.id)).toMatchObject({
      name: "ci",
      status: "active",
      created_by: running.adminId,
    });
    const text = JSON.stringify(await running.database.asAdmin("select * from authorization_server.clients"));
    expect(text).not.toContain(key.client_secret);
  });

  test("that was given another secret no longer opens anything by the former, nor by what that was given", async () => {
    const key = await made();
    const program = holding(key);
    expect((await program.call("GET", "/api/v1/agents")).status).toBe(200);
    const rotated = await ada.call("POST", `${keys}/${key.id}/rotate`, {});
    expect(rotated.status).toBe(200);
    const next = IssuedApiKey.parse(rotated.body);
    expect((await program.call("GET", "/api/v1/agents")).body).toMatchObject({ code: "token_revoked" });
    await expect(holding(key).call("GET", "/api/v1/agents")).rejects.toThrow("invalid_client");
    // What was issued within the second of the rotation falls under it: the next second's does not.
    await eventually(async () =>
      expect((await holding(next).call("GET", "/api/v1/agents")).status).toBe(200),
    );
  });

  test("that was revoked opens nothing, is told of in the log, and cannot be brought back", async () => {
    const key = await made();
    const program = holding(key);
    expect((await program.call("GET", "/api/v1/agents")).status).toBe(200);
    expect((await ada.call("DELETE", `${keys}/${key.id}`)).status).toBe(204);
    expect((await program.call("GET", "/api/v1/agents")).body).toMatchObject({ code: "token_revoked" });
    await expect(holding(key).call("GET", "/api/v1/agents")).rejects.toThrow("invalid_client");
    expect((await ada.call("DELETE", `${keys}/${key.id}`)).status).toBe(204);
    expect((await ada.call("POST", `${keys}/${key.id}/rotate`, {})).body).toMatchObject({
      code: "credential_ended",
    });
    const rows = await running.database.asAdmin<{ event: string; body: string }>(
      "select event, body from authorization_server.audit_rows where subject = $1 and event like 'client.%' order by event_id",
      [key.id],
    );
    const told = rows.map(({ event, body }) => [
      event,
      (JSON.parse(body) as { actor: { id: string } }).actor.id, // as every entry has it
    ]);
    expect(told).toEqual([
      ["client.registered", running.adminId],
      ["client.removed", running.adminId],
    ]);
  });

  test("T01 of another tenant is not there", async () => {
    const key = await made();
    for (const [method, path] of [
      ["POST", `${keys}/${key.id}/rotate`],
      ["DELETE", `${keys}/${key.id}`],
    ] as const)
      expect((await eve.call(method, path, method === "POST" ? {} : undefined)).status).toBe(404);
    expect(JSON.stringify((await eve.call("GET", keys)).body)).not.toContain(key.id);
    expect((await holding(key).call("GET", "/api/v1/agents")).status).toBe(200);
  });

  test("needs somebody who may manage the organization, and a fresh proof", async () => {
    const reader = new Management(running, adminSecret, "agents:read agents:write");
    expect((await reader.call("POST", keys, { name: "x", scopes: ["agents:read"] })).body).toMatchObject({
      code: "insufficient_scope",
    });
    // Ada signed in by a password alone.
    const wallet = await openWallet(running);
    const exchanged = await wallet.wallet.post("/oauth/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: wallet.access,
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      organization_id: running.tenant,
    });
    const token = String(exchanged.body["access_token"]);
    const call = { token, key: wallet.wallet.keys.dpop, method: "POST", path: keys } as const;
    const answer = await callApi(running, { ...call, body: { name: "x", scopes: ["agents:read"] } });
    expect(answer.body).toMatchObject({ code: "insufficient_user_authentication" });
  });

  test.each([
    ["no scope", { scopes: [] }],
    ["a scope twice", { scopes: ["agents:read", "agents:read"] }],
    ["a scope that pays", { scopes: ["oid4ac:payment"] }],
    ["a scope of a merchant", { scopes: ["charges:write"] }],
    ["no name", { name: "" }],
  ])("is not made with %s", async (_what, more) => {
    const { status } = await ada.call("POST", keys, { name: "x", scopes: ["agents:read"], ...more });
    expect(status).toBe(400);
  });

  test("is one of fifty at most, however many are asked for at once", async () => {
    const asked = await Promise.all(
      Array.from({ length: 55 }, () => eve.call("POST", keys, { name: "many", scopes: ["agents:read"] })),
    );
    // The one by which they were asked for counts too.
    expect(asked.filter(({ status }) => status === 201)).toHaveLength(49);
    expect(asked.filter(({ status }) => status === 400)).toHaveLength(6);
  });
});

describe("the request log", () => {
  test("says of a request who asked what, how it ended and how long it took, and leads to its audit entries", async () => {
    const answer = await ada.call("POST", "/api/v1/agents", agentBody());
    const agent = String(answer.body["agentId"]);
    const request = await logged(answer.headers.get("x-request-id"));
    expect(request).toMatchObject({
      client_id: running.adminId,
      actor: { type: "client", id: running.adminId },
      method: "POST",
      route: "/api/v1/agents",
      path: "/api/v1/agents",
      status: 201,
      problem: null,
      entries: [{ event: "agent.registered", subject: agent }],
    });
    expect(request.latency_ms).toBeGreaterThan(0);
    const suspended = await ada.call("POST", `/api/v1/agents/${agent}/suspend`, {});
    const second = await logged(suspended.headers.get("x-request-id"));
    expect(second).toMatchObject({ path: `/api/v1/agents/${agent}/suspend`, status: 200 });
    expect(second.entries.map(({ event }) => event)).toContain("agent.suspended");
  });

  test("says of what was registered together which entry came of which request", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ada.call("POST", "/api/v1/agents", agentBody())),
    );
    expect(answers.map(({ status, body }) => [status, body["code"]])).toEqual(
      answers.map(() => [201, undefined]),
    );
    for (const { headers, body } of answers) {
      const { entries } = await logged(headers.get("x-request-id"));
      expect(entries.map(({ subject }) => subject)).toEqual([body["agentId"]]);
    }
  });

  test("has refusals with their code, a token that may too little among them, and no entry of what was rolled back", async () => {
    const taken = agentBody();
    await ada.call("POST", "/api/v1/agents", taken);
    const twice = await ada.call("POST", "/api/v1/agents", taken);
    expect(await logged(twice.headers.get("x-request-id"))).toMatchObject({
      status: 409,
      problem: "agent_exists",
      entries: [],
    });
    const little = new Management(running, adminSecret, "agents:read");
    const refused = await little.call("POST", "/api/v1/agents", agentBody());
    expect(await logged(refused.headers.get("x-request-id"))).toMatchObject({
      client_id: running.adminId,
      status: 403,
      problem: "insufficient_scope",
    });
    const wrong = await ada.call("GET", `/api/v1/agents?limit=many`);
    expect(await logged(wrong.headers.get("x-request-id"))).toMatchObject({ problem: "invalid_request" });
  });

  test("keeps neither queries nor bodies, nor what stands in the place of an id and is none", async () => {
    const secret = "hunter2-in-a-path";
    const gone = await ada.call("GET", `/api/v1/agents/${secret}?token=${secret}`);
    await logged(gone.headers.get("x-request-id"));
    await ada.call("POST", "/api/v1/agents", { owner: secret });
    const rows = await running.database.asAdmin("select * from authorization_server.api_requests");
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(await logged(gone.headers.get("x-request-id"))).toMatchObject({ path: "/api/v1/agents/:id" });
  });

  test("T01 shows nobody another tenant's requests, and finds none by their ids", async () => {
    const answer = await ada.call("GET", "/api/v1/agents");
    const id = answer.headers.get("x-request-id");
    await logged(id);
    expect((await eve.call("GET", `${requests}/${id}`)).status).toBe(404);
    expect((await eve.call("GET", `${requests}/${newId("request")}`)).status).toBe(404);
    expect(JSON.stringify(await listed({ actor: running.adminId }, eve))).not.toContain(String(id));
  });

  test("is found by status, actor, problem, method and time, and page by page", async () => {
    const key = await made();
    const program = holding(key);
    const first = await program.call("GET", "/api/v1/agents");
    const missing = await program.call("GET", `/api/v1/agents/${newId("agent")}`);
    await logged(missing.headers.get("x-request-id"));
    const [one, other] = [first, missing].map(({ headers }) => headers.get("x-request-id"));
    const actor = key.id;
    const ids = async (query: Record<string, string>) =>
      (await listed({ actor, ...query })).map(({ id }) => id);
    expect(await ids({})).toEqual([other, one]);
    expect(await ids({ status: "4xx" })).toEqual([other]);
    expect(await ids({ status: "404" })).toEqual([other]);
    expect(await ids({ status: "2xx" })).toEqual([one]);
    expect(await ids({ problem: "not_found" })).toEqual([other]);
    expect(await ids({ method: "POST" })).toEqual([]);
    expect(await ids({ limit: "1" })).toEqual([other]);
    expect(await ids({ cursor: String(other) })).toEqual([one]);
    const [newest] = await listed({ actor });
    expect(await ids({ before: String(newest?.at), status: "404" })).toEqual([]);
    expect(await ids({ from: String(newest?.at), status: "404" })).toEqual([other]);
    const used = ApiKeyPage.parse((await ada.call("GET", keys)).body).data.find(({ id }) => id === key.id);
    expect(used?.last_used_at).toBe(newest?.at);
    for (const wrong of ["status=999", "problem=nothing", "method=HEAD", "unknown=1", "limit=500"])
      expect((await ada.call("GET", `${requests}?${wrong}`)).status, wrong).toBe(400);
  });

  test("has what people change in the portal and not what they look at there", async () => {
    const wallet = await openWallet(running);
    const read = await wallet.call("GET", "/api/v1/wallet/agents");
    const changed = await wallet.call("POST", "/api/v1/wallet/freeze", {});
    await wallet.call("POST", "/api/v1/wallet/unfreeze", {});
    const kept = await logged(changed.headers.get("x-request-id"));
    expect(kept).toMatchObject({ actor: { type: "account", id: running.account }, client_id: "wallet" });
    expect((await ada.call("GET", `${requests}/${read.headers.get("x-request-id")}`)).status).toBe(404);
    expect((await listed({ via: "portal" })).every(({ client_id }) => client_id === "wallet")).toBe(true);
    expect((await listed({ via: "api" })).every(({ client_id }) => client_id !== "wallet")).toBe(true);
  });
});

describe("the request log is bounded and holds nobody up", () => {
  const table = "authorization_server.api_requests";

  test("a log that cannot be written fails no request, and what it lacks is counted", async () => {
    await running.database.asAdmin(`alter table ${table} rename to api_requests_away`);
    try {
      const agents = await Promise.all(Array.from({ length: 5 }, () => ada.call("GET", "/api/v1/agents")));
      expect(agents.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      await eventually(async () => {
        const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
        const lost = /^api_requests_unlogged_total(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1];
        expect(Number(lost)).toBeGreaterThanOrEqual(5);
      });
    } finally {
      await running.database.asAdmin(
        `alter table authorization_server.api_requests_away rename to api_requests`,
      );
    }
    const after = await ada.call("GET", "/api/v1/agents");
    await logged(after.headers.get("x-request-id"));
  });

  test("a request is forgotten after 30 days, by the sweeper, which sees no younger one", async () => {
    await running.database.asAdmin(`update ${table} set at = now() - interval '31 days'
      where id = (select min(id) from ${table})`);
    const swept = await running.database.open().relay.transaction((tx) => sweepRequests(tx, 10));
    expect(swept).toBe(1);
  });

  test("an organization's rows beyond the most that are kept go, the oldest first, and no other's", async () => {
    const count = async (): Promise<number[]> => {
      const rows = await running.database.asAdmin<{ n: number }>(`select count(*)::int as n from ${table}
        group by tenant_id = '${running.tenant}' order by tenant_id = '${running.tenant}'`);
      return rows.map(({ n }) => n);
    };
    const [others] = await count();
    const newest = (await listed({ limit: "3" })).map(({ id }) => id);
    const own = running.database.open().of(running.tenant as never); // an id, as text
    await own.transaction((tx) => trim(tx, 3));
    expect((await listed({ limit: "200" })).map(({ id }) => id).slice(-3)).toEqual(newest);
    const [still, kept] = await count();
    expect(kept).toBeLessThan(8);
    expect(still).toBeGreaterThanOrEqual(others ?? 0);
  });
});
