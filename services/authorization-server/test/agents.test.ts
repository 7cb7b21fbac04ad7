import { newId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { publicJwkOf } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, callAsAdmin, newClient } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { agentBody, agentIn, anotherTenant, createAgent } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, newKeys, type Running, startServer } from "./running.ts";

let running: Running;
let eve: Awaited<ReturnType<typeof anotherTenant>>;
let operator: Management;

beforeAll(async () => {
  running = await startServer();
  eve = await anotherTenant(running);
  operator = new Management(running, adminSecret, "agents:read agents:write");
});
afterAll(() => running.close());

const get = (path: string, at = running): Promise<Answer> => callAsAdmin(at, { method: "GET", path });
const patch = (id: string, body: object): Promise<Answer> =>
  callAsAdmin(running, { method: "PATCH", path: `/api/v1/agents/${id}`, body });
const post = (path: string, body?: object): Promise<Answer> =>
  callAsAdmin(running, { method: "POST", path, ...(body === undefined ? {} : { body }) });
const idsOf = (answer: Answer): unknown[] =>
  (answer.body["data"] as { agentId: string }[]).map(({ agentId }) => agentId);
const keysFor = (keys: ReturnType<typeof newKeys>) => ({
  assertionJwk: publicJwkOf(keys.assertion),
  dpopJwk: publicJwkOf(keys.dpop),
});

describe("an agent is what its operator registered", () => {
  test("every member comes back, and the same row has what an agent registered itself with", async () => {
    const keys = newKeys();
    const body = agentBody({ name: "Screener", isPublic: true, ...keysFor(keys) });
    const created = await callAsAdmin(running, { method: "POST", path: "/api/v1/agents", body });
    expect(created.status).toBe(201);
    const { assertionJwk: _, dpopJwk: __, ...said } = body;
    const id = String(created.body["agentId"]);
    expect(created.headers.get("location")).toBe(`/api/v1/agents/${id}`);
    expect(created.body).toMatchObject({
      ...said,
      status: "active",
      organizationId: running.tenant,
      scopes: ["oid4ac:payment"],
      dpopThumbprint: thumbprint(keys.dpop),
      did: expect.stringContaining(`:agents:${id}`),
    });
    expect((await get(`/api/v1/agents/${id}`)).body).toEqual(created.body);
    const itself = await newClient(running, "agent");
    expect((await get(`/api/v1/agents/${itself.id}`)).body).toMatchObject({
      agentId: itself.id,
      name: "Test agent",
      email: null,
      owner: null,
      agentType: "custom",
      dpopThumbprint: thumbprint(itself.keys.dpop),
    });
  });

  test.each([
    ["an unknown member", { planTier: "enterprise" }],
    ["no version of semver", { version: "1.4" }],
    ["a capability without an action", { capabilities: ["resume"] }],
    ["no capability", { capabilities: [] }],
    ["one capability twice", { capabilities: ["a:b", "a:b"] }],
    ["a type that there is not", { agentType: "wizard" }],
    ["no e-mail address", { email: "screener" }],
    ["an owner too long", { owner: "o".repeat(129) }],
    ["an assertion key without a DPoP key", { assertionJwk: publicJwkOf(newKeys().assertion) }],
    ["a private key", { dpopJwk: newKeys().dpop }],
    ["a symmetric key", { dpopJwk: { kty: "oct", k: "AAAA" } }],
    ["an owner with a line break", { owner: "a\nb" }],
  ])("%s is refused", async (_, more) => {
    const answer = await createAgent(running, more);
    expect(answer.status).toBe(400);
    expect(answer.body["code"]).toBe("invalid_request");
  });

  test("A09 one key for both uses is refused", async () => {
    const key = publicJwkOf(newKeys().dpop);
    expect((await createAgent(running, { assertionJwk: key, dpopJwk: key })).status).toBe(400);
  });

  test.each([["charges:write"], ["admin:orgs"], ["audit:read"], ["nothing:known"]])(
    "nobody gives an agent a scope that it does not have itself, or that no agent has: %s",
    async (scope) => {
      const answer = await createAgent(running, { scopes: ["agents:read", scope] });
      expect(answer.body).toMatchObject({ status: 400, code: "invalid_scope" });
      const id = await agentIn(running);
      expect((await patch(id, { scopes: [scope] })).body["code"]).toBe("invalid_scope");
    },
  );

  test("of 20 registrations of one e-mail address at once, in whatever case, exactly one is there", async () => {
    const email = `${newId("request")}@agents.example`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        createAgent(running, { email: i % 2 === 0 ? email : email.toUpperCase() }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body["code"] === "agent_exists")).toHaveLength(19);
    expect((await get(`/api/v1/agents?text=${encodeURIComponent(email)}&page=1`)).body).toMatchObject({
      total: 1,
    });
  });

  test("registered at once, each stands or falls alone: with its rows, its event in the log and in the outbox, once", async () => {
    const taken = `${newId("request")}@agents.example`;
    await agentIn(running, { email: taken });
    const used = keysFor(newKeys());
    await agentIn(running, used);
    const wanted = Array.from({ length: 30 }, (_, i) =>
      i % 10 === 3 ? { email: taken } : i % 10 === 7 ? used : keysFor(newKeys()),
    );
    const answers = await Promise.all(wanted.map((one) => createAgent(running, one)));
    for (const [i, { status, body }] of answers.entries())
      if (i % 10 === 3) expect(body).toMatchObject({ status: 409, code: "agent_exists" });
      else if (i % 10 === 7) expect(body).toMatchObject({ status: 400, code: "key_in_use" });
      else expect(status).toBe(201);
    const ids = answers.flatMap(({ status, body }) => (status === 201 ? [String(body["agentId"])] : []));
    const [found] = await running.database.asAdmin<Record<string, string>>(
      `select (select count(*) from agents where id = any($1)) as agents,
        (select count(*) from agent_standings where agent_id = any($1) and status = 'active') as standings,
        (select count(*) from agent_capabilities where agent_id = any($1)) as capabilities,
        (select count(*) from clients where id = any($1) and kind = 'agent') as clients,
        (select count(*) from client_keys where client_id = any($1)) as keys,
        (select count(*) from audit_rows where subject = any($1) and event = 'agent.registered') as logged,
        (select count(*) from outbox where subject = any($1) and type = 'agent.registered') as told`,
      [ids],
    );
    const n = String(ids.length);
    expect(ids).toHaveLength(24);
    const of = Number(found?.["capabilities"]) / ids.length;
    expect(found).toMatchObject({ agents: n, standings: n, clients: n, keys: "48", logged: n, told: n });
    expect(of).toBe(2);
  });

  test("T07 another organization may have the same address, and learns nothing of it", async () => {
    const email = `${newId("request")}@agents.example`;
    await agentIn(running, { email });
    expect((await createAgent(eve, { email })).status).toBe(201);
  });

  test("C13 of N + 50 registrations at once, exactly the N that the organization may have", async () => {
    const most = 6;
    const db = running.database.open();
    const tenant = eve.tenant as ReturnType<typeof newId<"tenant">>; // what the bootstrap made
    const before = await get("/api/v1/agents?page=1", eve);
    const already = Number(before.body["total"]);
    const limit = (max: number | null): Promise<unknown> =>
      db.single.run(sql`update tenant_standings set max_agents = ${max},
        max_agents_by = ${max === null ? null : tenant} where tenant_id = ${tenant}`);
    await limit(already + most);
    const answers = await Promise.all(Array.from({ length: most + 50 }, () => createAgent(eve)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(most);
    expect(answers.filter(({ body }) => body["code"] === "agent_limit_reached")).toHaveLength(50);
    expect((await get("/api/v1/agents?page=1", eve)).body["total"]).toBe(already + most);
    // A retired one makes room for exactly one.
    const [gone] = idsOf(await get("/api/v1/agents?limit=1", eve));
    await callAsAdmin(eve, { method: "DELETE", path: `/api/v1/agents/${String(gone)}` });
    const next = await Promise.all([createAgent(eve), createAgent(eve)]);
    expect(next.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403]);
    await limit(null);
  });
});

describe("a list finds what is asked for, and nothing of another organization", () => {
  const owner = `owner ${newId("request")}`;
  let made: string[];
  beforeAll(async () => {
    made = [];
    for (const more of [
      { agentType: "router", deploymentEnv: "staging", name: "Alpha One" },
      { agentType: "monitor", capabilities: ["queue:watch"], name: "alpha two" },
      { agentType: "monitor", deploymentEnv: "development", name: "100%_beta" },
    ])
      made.push(await agentIn(running, { owner, ...more }));
    await agentIn(eve, { owner, name: "Alpha of Eve" });
    await post(`/api/v1/agents/${made[2]}/suspend`);
  });
  const found = async (query: Record<string, string>): Promise<unknown[]> =>
    idsOf(await get(`/api/v1/agents?${new URLSearchParams({ owner, ...query })}`));

  test("by each filter, newest first", async () => {
    expect(await found({})).toEqual([...made].reverse());
    expect(await found({ agentType: "monitor" })).toEqual([made[2], made[1]]);
    expect(await found({ agentType: "monitor", status: "active" })).toEqual([made[1]]);
    expect(await found({ status: "suspended" })).toEqual([made[2]]);
    expect(await found({ deploymentEnv: "staging" })).toEqual([made[0]]);
    expect(await found({ capability: "queue:watch" })).toEqual([made[1]]);
    expect(await found({ text: "ALPHA" })).toEqual([made[1], made[0]]);
    expect(await found({ text: "alpha one" })).toEqual([made[0]]);
  });

  test("V06 a text that is a pattern to somebody is text", async () => {
    expect(await found({ text: "100%_" })).toEqual([made[2]]);
    expect(await found({ text: "%" })).toEqual([]);
    expect(await found({ text: "a' or ''='" })).toEqual([]);
  });

  test("by cursors and by pages alike, each agent once", async () => {
    const first = await get(`/api/v1/agents?${new URLSearchParams({ owner, limit: "2" })}`);
    const cursor = String(first.body["nextCursor"]);
    const rest = await get(`/api/v1/agents?${new URLSearchParams({ owner, limit: "2", cursor })}`);
    expect([...idsOf(first), ...idsOf(rest)]).toEqual([...made].reverse());
    expect(rest.body["nextCursor"]).toBeNull();
    const paged = await get(`/api/v1/agents?${new URLSearchParams({ owner, limit: "2", page: "2" })}`);
    expect(paged.body).toMatchObject({ page: 2, limit: 2, total: 3 });
    expect(idsOf(paged)).toEqual([made[0]]);
  });

  test("V07 a cursor that is changed, of another organization or of another filter is refused", async () => {
    const first = await get(`/api/v1/agents?${new URLSearchParams({ owner, limit: "1" })}`);
    const cursor = String(first.body["nextCursor"]);
    const other = `${String(made[0])}.${cursor.split(".")[1]}`;
    const trials: [string, Running][] = [
      [`owner=${encodeURIComponent(owner)}&limit=1&cursor=${other}`, running],
      [`owner=${encodeURIComponent(owner)}&limit=1&cursor=${cursor}`, eve],
      [`owner=other&limit=1&cursor=${cursor}`, running],
      [`owner=${encodeURIComponent(owner)}&cursor=none`, running],
    ];
    for (const [query, at] of trials)
      expect((await get(`/api/v1/agents?${query}`, at)).body).toMatchObject({
        status: 400,
        code: "cursor_invalid",
      });
  });

  test.each(["limit=0", "limit=101", "page=0", "page=1&cursor=a", "status=gone", "tenant_id=org_x"])(
    "%s is refused",
    async (query) => expect((await get(`/api/v1/agents?${query}`)).status).toBe(400),
  );
});

describe("what is said of an agent changes, and its log says that it did", () => {
  test("member by member; what is not named stays", async () => {
    const id = await agentIn(running);
    const before = (await get(`/api/v1/agents/${id}`)).body;
    const changed = await patch(id, { version: "2.0.0-rc.1", capabilities: ["billing:read"] });
    expect(changed.body).toEqual({
      ...before,
      version: "2.0.0-rc.1",
      capabilities: ["billing:read"],
      updatedAt: changed.body["updatedAt"],
    });
    expect(idsOf(await get("/api/v1/agents?capability=billing:read"))).toContain(id);
    expect(idsOf(await get("/api/v1/agents?capability=email:send&limit=100"))).not.toContain(id);
    const rows = await running.database.asAdmin<{ body: string }>(
      `select body from audit_rows where subject = $1 and event = 'agent.changed'`,
      [id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.body).not.toContain("billing");
  });

  test("an address that another has is refused, and nothing of the change is done", async () => {
    const [taken, id] = [`${newId("request")}@agents.example`, await agentIn(running)];
    await agentIn(running, { email: taken });
    const answer = await patch(id, { version: "9.9.9", email: taken });
    expect(answer.body).toMatchObject({ status: 409, code: "agent_exists" });
    expect((await get(`/api/v1/agents/${id}`)).body["version"]).toBe("1.4.0");
  });

  test.each([
    [{}],
    [{ agentId: "agt_x" }],
    [{ status: "gone" }],
    [{ organizationId: "org_x" }],
    [{ email: null }],
  ])("%j is refused", async (body) => expect((await patch(await agentIn(running), body)).status).toBe(400));

  test("T01 another organization neither changes nor ends it", async () => {
    const id = await agentIn(running);
    for (const [method, path, body] of [
      ["PATCH", "", { owner: "eve" }],
      ["DELETE", "", undefined],
      ["POST", "/decommission", undefined],
    ] as const) {
      const answer = await callAsAdmin(eve, {
        method,
        path: `/api/v1/agents/${id}${path}`,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status, method).toBe(404);
    }
    expect((await get(`/api/v1/agents/${id}`)).body).toMatchObject({
      status: "active",
      owner: "talent-team",
    });
  });
});

describe("an end is final and counts at once", () => {
  test("A11 a decommissioned agent's token is refused by the next call, its mandate is revoked, and nothing brings it back", async () => {
    const agent = await newClient(running, "agent");
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const mandate = String(tokens.body["mandate_id"]);
    const own = await agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    const token = String(own.body["access_token"]);
    const key = agent.keys.dpop;
    expect((await callApi(running, { token, key })).status).toBe(200);
    expect(
      (await callAsAdmin(running, { method: "DELETE", path: `/api/v1/agents/${agent.id}` })).status,
    ).toBe(204);
    expect((await callApi(running, { token, key })).body["code"]).toBe("token_revoked");
    expect((await agent.credentials({ resource: running.issuer })).body["error"]).toBe("invalid_client");
    await eventually(async () => {
      const [row] = await running.database.asAdmin<{ state: string; because: string }>(
        "select state, because from mandates where id = $1",
        [mandate],
      );
      expect(row).toEqual({ state: "revoked", because: "agent_decommissioned" });
    });
    expect((await fetch(`${running.issuer}/agents/${agent.id}/did.json`)).status).toBe(410);
    for (const body of [{ status: "active" }, { owner: "somebody" }])
      expect((await patch(agent.id, body)).body).toMatchObject({ status: 409, code: "agent_decommissioned" });
    expect((await post(`/api/v1/agents/${agent.id}/reactivate`)).status).toBe(409);
    expect(
      (await callAsAdmin(running, { method: "DELETE", path: `/api/v1/agents/${agent.id}` })).status,
    ).toBe(204);
    expect((await get(`/api/v1/agents/${agent.id}`)).body["status"]).toBe("decommissioned");
  });

  test("A11 whichever of 20 token requests an end overtakes, none of their tokens counts after it", async () => {
    const agent = await newClient(running, "agent");
    await agent.learnNonce();
    const asked = Array.from({ length: 20 }, () =>
      agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" }),
    );
    const ended = callAsAdmin(running, { method: "DELETE", path: `/api/v1/agents/${agent.id}` });
    const answers = await Promise.all(asked);
    expect((await ended).status).toBe(204);
    const tokens = answers
      .filter(({ status }) => status === 200)
      .map(({ body }) => String(body["access_token"]));
    for (const token of tokens)
      expect((await callApi(running, { token, key: agent.keys.dpop })).status).toBe(401);
  });

  test("PATCH suspends and lets act again, as the AgentIdP API has it", async () => {
    const agent = await newClient(running, "agent");
    expect((await patch(agent.id, { status: "suspended", version: "3.0.0" })).body).toMatchObject({
      status: "suspended",
      version: "3.0.0",
    });
    expect((await agent.credentials({ resource: running.issuer })).body["error"]).toBe("invalid_client");
    expect((await patch(agent.id, { status: "active" })).body["status"]).toBe("active");
    expect((await agent.credentials({ resource: running.issuer })).status).toBe(200);
  });
});

describe("the two keys of an agent are replaced by its operator alone", () => {
  const put = (id: string, body: object): Promise<Answer> =>
    operator.call("PUT", `/api/v1/agents/${id}/keys`, body);

  test("another DPoP key ends the tokens of the former at once and suspends the mandates bound to it", async () => {
    const agent = await newClient(running, "agent");
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const own = await agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    const call = { token: String(own.body["access_token"]), key: agent.keys.dpop };
    expect((await callApi(running, call)).status).toBe(200);
    const keys = newKeys();
    const changed = await put(agent.id, keysFor(keys));
    expect(changed.body).toMatchObject({ dpopThumbprint: thumbprint(keys.dpop) });
    expect((await callApi(running, call)).status).toBe(401);
    expect((await agent.credentials({ resource: running.issuer })).status).toBe(401);
    await eventually(async () => {
      const [row] = await running.database.asAdmin<{ state: string; because: string }>(
        "select state, because from mandates where id = $1",
        [String(tokens.body["mandate_id"])],
      );
      expect(row).toEqual({ state: "suspended", because: "agent_key_changed" });
    });
  });

  test("a plain bearer token, the agent itself and another organization change no key", async () => {
    const agent = await newClient(running, "agent");
    const body = { dpopJwk: publicJwkOf(newKeys().dpop) };
    const path = `/api/v1/agents/${agent.id}/keys`;
    expect((await callAsAdmin(running, { method: "PUT", path, body })).status).toBe(401);
    const stranger = new Management(eve, eve.adminSecret, "agents:write");
    expect((await stranger.call("PUT", path, body)).status).toBe(404);
    expect((await get(`/api/v1/agents/${agent.id}`)).body["dpopThumbprint"]).toBe(
      thumbprint(agent.keys.dpop),
    );
  });

  test("the assertion key alone may change, and the DPoP key cannot be made the same", async () => {
    const agent = await newClient(running, "agent");
    const same = await put(agent.id, { assertionJwk: publicJwkOf(agent.keys.dpop) });
    expect(same.status).toBe(400);
    const next = newKeys();
    expect((await put(agent.id, { assertionJwk: publicJwkOf(next.assertion) })).body).toMatchObject({
      dpopThumbprint: thumbprint(agent.keys.dpop),
      assertionThumbprint: thumbprint(next.assertion),
    });
  });

  test("K09 another agent's key is refused in either place; the agent's own may be named again", async () => {
    const [agent, other] = [await newClient(running, "agent"), await newClient(running, "agent")];
    for (const key of [other.keys.assertion, other.keys.dpop])
      for (const body of [{ assertionJwk: publicJwkOf(key) }, { dpopJwk: publicJwkOf(key) }])
        expect(await put(agent.id, body)).toMatchObject({ status: 400, body: { code: "key_in_use" } });
    const swapped = {
      assertionJwk: publicJwkOf(agent.keys.dpop),
      dpopJwk: publicJwkOf(agent.keys.assertion),
    };
    expect((await put(agent.id, swapped)).body["code"]).toBe("key_in_use");
    const registered = await operator.call("POST", "/api/v1/agents", agentBody(keysFor(agent.keys)));
    expect(registered).toMatchObject({ status: 400, body: { code: "key_in_use" } });
    expect((await put(agent.id, keysFor(agent.keys))).status).toBe(200);
    expect((await get(`/api/v1/agents/${agent.id}`)).body["dpopThumbprint"]).toBe(
      thumbprint(agent.keys.dpop),
    );
  });

  test.each([[{}], [{ dpopJwk: { kty: "RSA", n: "AQAB", e: "AQAB" } }], [{ jwks: {} }]])(
    "%j is refused",
    async (body) => expect((await put(await agentIn(running), body)).status).toBe(400),
  );
});

describe("many agents are imported, each by itself", () => {
  const send = async (body: string): Promise<Answer> => operator.call("POST", "/api/v1/agents/import", body);
  const rowsOf = ({ body }: Answer) => body["rows"] as { status: string; agentId?: string; code?: string }[];

  test("rows in order and out of order: each says what became of it, and sent again nothing happens twice", async () => {
    const good = agentBody();
    const taken = `${newId("request")}@agents.example`;
    await agentIn(running, { email: taken, owner: "somebody else" });
    const lines = [
      JSON.stringify(good),
      "{ no json",
      JSON.stringify(agentBody({ version: "x" })),
      JSON.stringify(agentBody({ email: taken })),
      JSON.stringify(agentBody({ scopes: ["audit:read"] })),
      JSON.stringify(good),
    ].join("\n");
    const first = await send(lines);
    expect(first.body).toMatchObject({ created: 1, existing: 1, refused: 4 });
    const rows = rowsOf(first);
    expect(rows.map(({ code }) => code ?? "")).toEqual([
      "",
      "invalid_request",
      "invalid_request",
      "agent_exists",
      "invalid_scope",
      "",
    ]);
    expect(new Set([rows[0]?.status, rows[5]?.status])).toEqual(new Set(["created", "existing"]));
    const again = await send(JSON.stringify([good]));
    expect(rowsOf(again)).toEqual([{ row: 1, status: "existing", agentId: rows[0]?.agentId }]);
  });

  test.each([
    ["nothing", ""],
    ["an empty array", "[]"],
    ["a broken array", '[{"email":1}'],
    ["more rows than may be", "{}\n".repeat(1_001)],
  ])("%s is refused as a whole", async (_, body) => expect((await send(body)).status).toBe(400));
});
