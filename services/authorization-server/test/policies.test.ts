import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { newId } from "@remit/kernel";
import { DecisionPage, EndpointPermissions, PolicyExplanation } from "@remit/protocol/contracts";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sweepDecisions } from "../src/policies/policies.sql.ts";
import { callApi } from "./api.ts";
import { newClient, type OAuthClient } from "./client.ts";
import { agentBody, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, freePort, type Running, startServer } from "./running.ts";

const scopes = "agents:read agents:write audit:read admin:orgs webhooks:read";

let running: Running;
let ada: Management;
let eve: Management;
let folder: string;
let opa: Server;
let opaAt: string;
/** What the OPA answers; undefined: nothing at all. */
let opaSays: ((input: { method: string; principal: { id: string } }) => unknown) | undefined;
let production: string;
let staging: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "remit-policies-"));
  const port = await freePort();
  opaAt = `127.0.0.1:${port}`;
  opa = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      if (opaSays === undefined) return void res.destroy();
      const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: never };
      res
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ result: opaSays(input) }));
    });
  });
  await new Promise<void>((resolve) => opa.listen(port, "127.0.0.1", resolve));
  running = await startServer({ policyDir: folder, tenantOutboundAllow: [opaAt] });
  const other = await anotherTenant(running);
  ada = new Management(running, adminSecret, scopes);
  eve = new Management(other, other.adminSecret, scopes);
  const made = async (deploymentEnv: string): Promise<string> => {
    const { body, status } = await ada.call("POST", "/api/v1/agents", agentBody({ deploymentEnv }));
    expect(status).toBe(201);
    return String(body["agentId"]);
  };
  production = await made("production");
  staging = await made("staging");
});
afterAll(async () => {
  await running.close();
  opa.close();
  await rm(folder, { recursive: true, force: true });
});

const policies = "/api/v1/policies";
const keepProduction = `@id("production agents stay")
  forbid (principal, action == Remit::Action::"DELETE:/api/v1/agents/:id", resource)
  when { resource has deploymentEnv && resource.deploymentEnv == "production" };`;

let named = 0;
const saved = async (content: string, kind = "cedar", by = ada): Promise<string> => {
  named += 1;
  const { status, body } = await by.call("POST", policies, { name: `policy ${named}`, kind, content });
  expect(status, JSON.stringify(body)).toBe(201);
  return String(body["id"]);
};
const activated = async (content: string, kind = "cedar"): Promise<string> => {
  const id = await saved(content, kind);
  expect(await ada.call("POST", `${policies}/${id}/activate`, {})).toMatchObject({ status: 200 });
  return id;
};

/** A change is told by a notification, which may come after the answer to it. */
const comes = (status: number, at: string, method: "GET" | "DELETE" = "GET"): Promise<void> =>
  expect.poll(async () => (await ada.call(method, at)).status, { timeout: 60_000 }).toBe(status);

afterEach(async () => {
  const { body } = await ada.call("GET", policies);
  for (const { id } of body["data"] as { id: string }[]) {
    expect(await ada.call("POST", `${policies}/${id}/deactivate`)).toMatchObject({ status: 200 });
    expect(await ada.call("DELETE", `${policies}/${id}`)).toMatchObject({ status: 204 });
  }
});

test("the scope map is what the routes ask for: it and OpenAPI say the same of every call", async () => {
  const { body } = await ada.call("GET", `${policies}/endpoint-permissions`);
  const { endpoint_permissions: map } = EndpointPermissions.parse(body);
  const openApi = (await (await fetch(`${running.issuer}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { security: Record<string, string[]>[] }>>;
  };
  const asked = Object.entries(openApi.paths).flatMap(([at, methods]) =>
    Object.entries(methods).flatMap(([method, { security }]) => {
      const needed = [...new Set(security.flatMap((way) => Object.values(way).flat()))];
      return needed.length === 0
        ? []
        : [[`${method.toUpperCase()}:${at.replace(/\{(\w+)\}/g, ":$1")}`, needed] as const];
    }),
  );
  expect(map).toEqual(Object.fromEntries(asked));
  expect(map["GET:/api/v1/agents/:id"]).toEqual(["agents:read"]);
});

describe("a policy of an organization", () => {
  test("decides nothing when it is saved, denies what it forbids when it is activated, and is undone as fast", async () => {
    const id = await saved(keepProduction);
    const { body: agent } = await ada.call("POST", "/api/v1/agents", agentBody());
    expect((await ada.call("DELETE", `/api/v1/agents/${String(agent["agentId"])}`)).status).toBe(204);
    await ada.call("POST", `${policies}/${id}/activate`, {});
    const another = async () =>
      (await ada.call("POST", "/api/v1/agents", agentBody({ deploymentEnv: "production" }))).body["agentId"];
    await expect
      .poll(async () => (await ada.call("DELETE", `/api/v1/agents/${String(await another())}`)).status, {
        timeout: 60_000,
      })
      .toBe(403);
    expect(await ada.call("DELETE", `/api/v1/agents/${production}`)).toMatchObject({
      status: 403,
      body: { code: "policy_denied" },
    });
    expect((await ada.call("GET", `/api/v1/agents/${production}`)).body).toMatchObject({ status: "active" });
    expect((await ada.call("DELETE", `/api/v1/agents/${staging}`)).status).toBe(204);
    await ada.call("POST", `${policies}/${id}/deactivate`);
    await comes(204, `/api/v1/agents/${String(await another())}`, "DELETE");
  });

  test("has versions: what decides goes on deciding while the next is written", async () => {
    const id = await activated(
      'forbid (principal, action == Remit::Action::"GET:/api/v1/webhooks", resource);',
    );
    expect((await ada.call("GET", "/api/v1/webhooks")).status).toBe(403);
    const next = { content: "permit (principal, action, resource);" };
    expect((await ada.call("PUT", `${policies}/${id}`, next)).body).toMatchObject({
      version: 2,
      active_version: 1,
    });
    expect((await ada.call("GET", "/api/v1/webhooks")).status).toBe(403);
    await ada.call("POST", `${policies}/${id}/activate`, {});
    await comes(200, "/api/v1/webhooks");
    await ada.call("POST", `${policies}/${id}/activate`, { version: 1 });
    await comes(403, "/api/v1/webhooks");
    expect((await ada.call("GET", `${policies}/${id}?version=2`)).body).toMatchObject(next);
  });

  test("cannot lock everybody out: whoever manages the organization mends it", async () => {
    const id = await activated("forbid (principal, action, resource);");
    for (const at of ["/api/v1/agents", "/api/v1/audit", "/api/v1/organizations"])
      expect(await ada.call("GET", at), at).toMatchObject({ status: 403, body: { code: "policy_denied" } });
    expect((await ada.call("GET", policies)).status).toBe(200);
    const path = `${policies}/:id/deactivate`;
    const asked = {
      principal: { type: "client", id: running.adminId, scopes: ["admin:orgs"] },
      action: `POST:${path}`,
      params: { id },
    };
    const told = async (principal: object): Promise<unknown> => {
      const body = { ...asked, principal: { ...asked.principal, ...principal } };
      return (await ada.call("POST", `${policies}/explain`, body)).body;
    };
    expect(await told({})).toMatchObject({ decision: "deny", because: "policy" });
    expect(await told({ proven: true, bound: false })).toMatchObject({ decision: "deny" });
    expect(await told({ proven: true })).toMatchObject({ decision: "allow", because: "break_glass" });
    expect((await ada.call("POST", `${policies}/${id}/deactivate`)).status).toBe(200);
    await comes(200, "/api/v1/agents");
    // That somebody went past the policies is in the log before they are answered.
    const { body } = await ada.call("GET", `${policies}/decisions?decision=allow`);
    const passed = DecisionPage.parse(body).data.filter(({ because }) => because === "break_glass");
    expect(passed).toContainEqual(
      expect.objectContaining({ action: `POST:${path}`, principal: `client:${running.adminId}` }),
    );
  });

  test("decides on calls about the organization itself, which is not within itself", async () => {
    const id = await activated("permit (principal, action, resource);");
    const { body } = await ada.call("GET", "/api/v1/organizations");
    const [own] = body["data"] as { organizationId: string }[];
    const at = `/api/v1/organizations/${own?.organizationId}`;
    for (const url of [at, `${at}/members`]) expect((await ada.call("GET", url)).status, url).toBe(200);
    expect((await ada.call("POST", `${policies}/${id}/deactivate`)).status).toBe(200);
  });

  test("T07 T10 is another organization's business in nothing: not to see, to change, nor to be judged by", async () => {
    const id = await activated("forbid (principal, action, resource);");
    expect((await eve.call("GET", "/api/v1/agents")).status).toBe(200);
    expect((await eve.call("GET", policies)).body).toEqual({ data: [] });
    for (const [method, at, body] of [
      ["GET", "", undefined],
      ["PUT", "", { content: "permit (principal, action, resource);" }],
      ["DELETE", "", undefined],
      ["POST", "/activate", {}],
      ["POST", "/deactivate", undefined],
    ] as const)
      expect((await eve.call(method, `${policies}/${id}${at}`, body)).status, `${method} ${at}`).toBe(404);
    const { body } = await eve.call("GET", `${policies}/decisions`);
    expect(body).toMatchObject({ data: [] });
    const { body: explained } = await eve.call("POST", `${policies}/explain`, {
      principal: { type: "agent", id: production, scopes: ["agents:read"] },
      action: "GET:/api/v1/agents/:id",
      params: { id: production },
      draft: {
        content:
          "forbid (principal, action, resource) when { resource is Remit::Agent && resource has deploymentEnv };",
      },
    });
    // Nothing is known there of an agent of ours.
    expect(explained).toMatchObject({ decision: "allow", because: "policy" });
  });

  test.each([
    ["no Cedar", "cedar", "allow me"],
    ["an unknown attribute", "cedar", "permit (principal, action, resource) when { resource.colour == 1 };"],
    ["data for calls that there are not", "opa_data", '{"endpoint_permissions": {"GET:/nowhere": []}}'],
    ["W01 an OPA inside our network", "opa_remote", '{"url": "http://169.254.169.254/v1/data/x"}'],
    ["W01 an OPA on this machine", "opa_remote", '{"url": "http://127.0.0.1:9/v1/data/x"}'],
  ])("%s is not saved, and the answer says why", async (_what, kind, content) => {
    const refused = await ada.call("POST", policies, { name: "wrong", kind, content });
    expect(refused).toMatchObject({ status: 400, body: { code: "policy_invalid" } });
    expect(String(refused.body["detail"]).length).toBeGreaterThan(5);
    expect(await ada.call("POST", `${policies}/validate`, { kind, content })).toMatchObject({
      body: { valid: false },
    });
  });

  test("has a name of its own, and is not removed while it decides", async () => {
    const id = await activated(keepProduction);
    const again = { name: `policy ${named}`, content: keepProduction };
    expect(await ada.call("POST", policies, again)).toMatchObject({
      status: 409,
      body: { code: "policy_name_taken" },
    });
    expect(await ada.call("DELETE", `${policies}/${id}`)).toMatchObject({
      status: 409,
      body: { code: "policy_active" },
    });
  });

  test("is managed with admin:orgs alone, by a token that is bound to a key", async () => {
    const other = new Management(running, adminSecret, "agents:write audit:read");
    for (const [method, at, body] of [
      ["POST", "", { name: "x", content: keepProduction }],
      ["GET", "", undefined],
      ["POST", "/explain", { principal: { type: "agent", id: "a" }, action: "GET:/api/v1/agents" }],
    ] as const)
      expect((await other.call(method, policies + at, body)).status).toBe(403);
  });
});

test("a decision is forgotten after 30 days, by the sweeper, which sees no younger one", async () => {
  const log = "authorization_server.policy_decisions";
  const { database } = running;
  await eventually(async () => expect(await database.asAdmin(`select 1 from ${log}`)).not.toEqual([]));
  await database.asAdmin(`update ${log} set at = now() - interval '31 days'
    where id = (select max(id) from ${log})`);
  const swept = await database.open().relay.transaction((tx) => sweepDecisions(tx, 10));
  expect(swept).toBe(1);
  expect(await database.asAdmin(`select 1 from ${log} where at < now() - interval '30 days'`)).toEqual([]);
});

test("the decision log says who wanted what, what was decided, and by which statement", async () => {
  const id = await activated(keepProduction);
  await ada.call("DELETE", `/api/v1/agents/${production}`);
  const { body } = await ada.call("GET", `${policies}/decisions?decision=deny&limit=1`);
  expect(DecisionPage.parse(body).data).toMatchObject([
    {
      principal: `client:${running.adminId}`,
      action: "DELETE:/api/v1/agents/:id",
      resource: `Agent:${production}`,
      decision: "deny",
      determining: [`${id}@1#1`],
      errors: [],
    },
  ]);
  await ada.call("GET", `/api/v1/agents/${production}`);
  await expect
    .poll(async () => {
      const allowed = await ada.call("GET", `${policies}/decisions?decision=allow`);
      return DecisionPage.parse(allowed.body).data.map(({ action }) => action);
    })
    .toContain("GET:/api/v1/agents/:id");
});

describe("a call by a token that another handed on", () => {
  const agentsMay = ["agents:read", "audit:read"];
  const newAgent = async (): Promise<OAuthClient> => {
    const client = await newClient(running, "agent");
    const { status } = await ada.call("PATCH", `/api/v1/agents/${client.id}`, { scopes: agentsMay });
    expect(status).toBe(200);
    return client;
  };
  const forbidden = (agent: string): string =>
    `forbid (principal == Remit::Agent::"${agent}", action == Remit::Action::"GET:/api/v1/agents", resource);`;

  test("G05 what an agent may not do it may not do with another's token either, and the log names it", async () => {
    const [ann, ben] = [await newAgent(), await newAgent()];
    const own = await ann.credentials({ resource: running.issuer, scope: agentsMay.join(" ") });
    const { body: link } = await callApi(running, {
      token: String(own.body["access_token"]),
      key: ann.keys.dpop,
      method: "POST",
      path: "/oauth2/token/delegate",
      body: { delegateeAgentId: ben.id, scopes: ["agents:read"], ttlSeconds: 600 },
    });
    const swapped = await ben.post("/oauth/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: String(link["delegationToken"]),
      subject_token_type: "urn:remit:token-type:delegation",
    });
    const token = String(swapped.body["access_token"]);
    const reads = () => callApi(running, { token, key: ben.keys.dpop, path: "/api/v1/agents" });
    await activated(forbidden(newId("agent")));
    expect((await reads()).status).toBe(200);
    for (const one of [ben, ann]) {
      const id = await activated(forbidden(one.id));
      await expect.poll(async () => (await reads()).body["code"], { timeout: 60_000 }).toBe("policy_denied");
      expect((await ada.call("POST", `${policies}/${id}/deactivate`)).status).toBe(200);
      const { body } = await ada.call("GET", `${policies}/decisions?decision=deny&limit=1`);
      expect(DecisionPage.parse(body).data).toMatchObject([
        { principal: `agent:${ann.id}`, client: ben.id, determining: [`${id}@1#1`] },
      ]);
    }
  });
});

describe("explain", () => {
  const explained = async (asked: object): Promise<PolicyExplanation> => {
    const { status, body } = await ada.call("POST", `${policies}/explain`, asked);
    expect(status, JSON.stringify(body)).toBe(200);
    return PolicyExplanation.parse(body);
  };
  const removing = (id: string, held = ["agents:write"]): object => ({
    principal: { type: "client", id: "cli_somebody", scopes: held },
    action: "DELETE:/api/v1/agents/:id",
    params: { id },
  });

  test("names the statement that would decide, in its words", async () => {
    const id = await activated(keepProduction);
    const denied = await explained(removing(production));
    expect(denied).toMatchObject({
      decision: "deny",
      because: "policy",
      resource: { type: "Agent", id: production },
    });
    expect(denied.determining).toMatchObject([{ policy: id, of: "tenant" }]);
    expect(denied.determining[0]?.text).toContain("production agents stay");
    const allowed = await explained(removing("agt_of_nobody"));
    expect(allowed.determining).toMatchObject([{ policy: "bundled:scopes", of: "bundled" }]);
  });

  test("says when it is the scope that is missing", async () => {
    expect(await explained(removing(production, ["agents:read"]))).toMatchObject({
      decision: "deny",
      because: "scope",
      scope: { needed: ["agents:write"], granted: false },
    });
  });

  test("tries a draft before it is saved, and changes nothing", async () => {
    const draft = { content: keepProduction };
    expect(await explained({ ...removing(production), draft })).toMatchObject({ decision: "deny" });
    expect(await explained(removing(production))).toMatchObject({ decision: "allow" });
    expect((await ada.call("GET", policies)).body).toEqual({ data: [] });
  });

  test("of a call that there is not is refused", async () => {
    const asked = { principal: { type: "agent", id: "agt_1" }, action: "GET:/nowhere" };
    expect((await ada.call("POST", `${policies}/explain`, asked)).status).toBe(400);
  });
});

test("an OPA is asked about each call, and nothing is allowed while it does not answer", async () => {
  opaSays = ({ method }) => method === "GET";
  await activated(JSON.stringify({ url: `http://${opaAt}/v1/data/remit/allow` }), "opa_remote");
  expect((await ada.call("GET", "/api/v1/agents")).status).toBe(200);
  expect((await ada.call("POST", "/api/v1/agents", agentBody())).body).toMatchObject({
    code: "policy_denied",
  });
  opaSays = undefined;
  expect(await ada.call("GET", "/api/v1/agents")).toMatchObject({
    status: 503,
    body: { code: "policy_unavailable" },
  });
});

test("the AgentIdP's data document decides by its own list", async () => {
  const data = { endpoint_permissions: { "GET:/api/v1/agents": ["agents:read"] } };
  await activated(JSON.stringify(data), "opa_data");
  expect((await ada.call("GET", "/api/v1/agents")).status).toBe(200);
  expect((await ada.call("GET", `/api/v1/agents/${production}`)).status).toBe(403);
});

test("the operator's policies hold for every organization, are read again on command, and not when they are wrong", async () => {
  const file = path.join(folder, "night.cedar");
  await writeFile(file, 'forbid (principal, action == Remit::Action::"GET:/api/v1/webhooks", resource);');
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(200);
  await running.service.reload();
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(403);
  await writeFile(file, "permit everything");
  await running.service.reload();
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(403);
  await rm(file);
  await mkdir(path.join(folder, "data"));
  await writeFile(
    path.join(folder, "data", "scopes.json"),
    '{"endpoint_permissions": {"GET:/api/v1/agents": ["agents:read"]}}',
  );
  await running.service.reload();
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(403);
  expect((await eve.call("GET", "/api/v1/agents")).status).toBe(200);
  // What cannot be read is not what is not there: the rules read before stay.
  await rm(path.join(folder, "data", "scopes.json"));
  await mkdir(path.join(folder, "data", "scopes.json"));
  await running.service.reload();
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(403);
  await rm(path.join(folder, "data"), { recursive: true });
  await running.service.reload();
  expect((await eve.call("GET", "/api/v1/webhooks")).status).toBe(200);
});
