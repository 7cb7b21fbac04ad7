import { after, dayMs, hourMs, toRfc3339 } from "@remit/kernel";
import { parseJwks, parseJws, publicJwkOf } from "@remit/protocol";
import { holds, thumbprint } from "@remit/protocol/node";
import { eventually, testClock } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, callAsAdmin, type Form, newClient, OAuthClient, read } from "./client.ts";
import { agentBody, agentIn, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { claimsOf } from "./relying-party.ts";
import { adminSecret, newKeys, type Running, startServer } from "./running.ts";

let running: Running;
let eve: Awaited<ReturnType<typeof anotherTenant>>;
let operator: Management;
let allowing: Management;

beforeAll(async () => {
  running = await startServer();
  eve = await anotherTenant(running);
  operator = new Management(running, adminSecret, "agents:read agents:write tokens:read");
  allowing = new Management(running);
  await allowBearer(true);
});
afterAll(() => running.close());

const allowBearer = (allowed: boolean): Promise<Answer> =>
  allowing.call("PUT", "/api/v1/organization/bearer-tokens", { allowed });

const path = (agent: string, more = ""): string => `/api/v1/agents/${agent}/credentials${more}`;

const make = (agent: string, body: object = {}): Promise<Answer> => operator.call("POST", path(agent), body);

type Made = { readonly id: string; readonly secret: string };
async function secretFor(agent: string, body: object = {}): Promise<Made> {
  const answer = await make(agent, body);
  if (answer.status !== 201) throw new Error(`no credential: ${JSON.stringify(answer.body)}`);
  return { id: String(answer.body["credentialId"]), secret: String(answer.body["clientSecret"]) };
}

type Asking = {
  readonly secret: string;
  readonly form?: Form;
  readonly at?: string;
  readonly post?: boolean;
};

/** A token by secret, as a client of the AgentIdP API asks for it. */
async function tokenBy(
  agent: string,
  { secret, form = {}, at = "/api/v1/token", post }: Asking,
): Promise<Answer> {
  const inForm = post === true ? { client_id: agent, client_secret: secret } : {};
  const basic = Buffer.from(`${agent}:${secret}`).toString("base64");
  return read(
    await fetch(running.issuer + at, {
      method: "POST",
      headers: post === true ? {} : { authorization: `Basic ${basic}` },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        scope: "agents:read",
        ...inForm,
        ...form,
      }),
    }),
  );
}

const callWith = async (
  token: unknown,
  method = "GET",
  at = "/api/v1/agents",
  body?: object,
): Promise<Answer> =>
  read(
    await fetch(running.issuer + at, {
      method,
      headers: { authorization: `Bearer ${String(token)}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

const reader = (more: object = {}): Promise<string> => agentIn(running, { scopes: ["agents:read"], ...more });

test("no secret is kept in a Vault that the installation does not have", async () => {
  const agent = await agentIn(running);
  const { status, body } = await make(agent, { store: "vault" });
  expect([status, body["code"]]).toEqual([400, "invalid_request"]);
  expect((await operator.call("GET", path(agent))).body["data"]).toEqual([]);
});

describe("an agent of the AgentIdP API: a secret, and a bearer token where the organization allows it", () => {
  test("the whole way, under every name of the token endpoint, by form and by Basic", async () => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    expect(secret).toMatch(/^rms_[\w-]{43}$/);
    for (const at of ["/api/v1/token", "/oauth2/token", "/oauth/token"])
      for (const post of [true, false]) {
        const answer = await tokenBy(agent, { secret, at, post });
        expect(answer.body).toMatchObject({ token_type: "Bearer", expires_in: 900, scope: "agents:read" });
        expect((await callWith(answer.body["access_token"])).status).toBe(200);
      }
  });

  test("what the core answers in other words is held to the same: no plain request either way", async () => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    // The query makes it one that is left to the core.
    const at = "/oauth/token?by=core";
    expect((await tokenBy(agent, { secret, at })).body).toMatchObject({ token_type: "Bearer" });
    expect((await tokenBy(agent, { secret: `${secret}x`, at })).body["error"]).toBe("invalid_client");
    expect((await tokenBy(agent, { secret: "none", at })).body["error"]).toBe("invalid_client");
  });

  test("with openid there is an ID token that says what the agent is, and /agent-info says the same", async () => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    const { body } = await tokenBy(agent, { secret, form: { scope: "agents:read openid" } });
    const jwks = parseJwks((await read(await fetch(`${running.issuer}/oauth/jwks.json`))).body) ?? [];
    const parsed = parseJws(String(body["id_token"]), {
      typ: ["JWT"],
      algs: ["ES256"],
      refuse: "invalid_token",
    });
    const { signingInput: data, signature } = parsed;
    const key = jwks.find(({ kid }) => kid === parsed.header.kid);
    expect(key && holds({ alg: "ES256", key, data, signature, refuse: "invalid_token" })).toBe(true);
    const payload = claimsOf(body["id_token"]);
    expect(payload).toMatchObject({ iss: running.issuer, aud: agent });
    const said = {
      sub: agent,
      agent_id: agent,
      agent_type: "screener",
      organization_id: running.tenant,
      capabilities: ["resume:read", "email:send"],
      deployment_env: "production",
      owner: "talent-team",
    };
    expect(payload).toMatchObject(said);
    expect((await callWith(body["access_token"], "GET", "/agent-info")).body).toEqual(said);
    expect(body["scope"]).toBe("agents:read");
    const without = await tokenBy(agent, { secret });
    expect(without.body["id_token"]).toBeUndefined();
    const admin = await callAsAdmin(running, { method: "GET", path: "/agent-info" });
    expect(admin.body["code"]).toBe("client_not_allowed");
  });

  test("introspection and revocation under the API's own names, by a bearer token", async () => {
    const made = await operator.call("POST", "/api/v1/agents", agentBody({ scopes: ["tokens:read"] }));
    const agent = String(made.body["agentId"]);
    const { secret } = await secretFor(agent);
    const form = { scope: "tokens:read" };
    const [mine, other] = [await tokenBy(agent, { secret, form }), await tokenBy(agent, { secret, form })];
    const send = (name: string, token: unknown): Promise<Response> =>
      fetch(`${running.issuer}/api/v1/token/${name}`, {
        method: "POST",
        headers: { authorization: `Bearer ${String(mine.body["access_token"])}` },
        body: new URLSearchParams({ token: String(token) }),
      });
    const token = other.body["access_token"];
    const seen = await read(await send("introspect", token));
    expect(seen.body).toMatchObject({ active: true, organization_id: running.tenant, client_id: agent });
    expect((await send("revoke", token)).status).toBe(200);
    expect((await read(await send("introspect", token))).body).toEqual({ active: false });
  });

  test.each([
    ["a wrong secret", { secret: "rms_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, "invalid_client"],
    ["no secret", { secret: "" }, "invalid_request"],
    ["a scope it was not given", { form: { scope: "agents:write" } }, "invalid_scope"],
    ["a scope that moves money", { form: { scope: "oid4ac:payment" } }, "invalid_scope"],
    ["a person's grant", { form: { grant_type: "refresh_token", refresh_token: "x" } }, "invalid_request"],
    ["another grant", { form: { grant_type: "password" } }, "unsupported_grant_type"],
  ])("%s is refused", async (_, more, error) => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    expect((await tokenBy(agent, { secret, ...(more as Partial<Asking>) })).body["error"]).toBe(error);
  });

  test("another agent's secret, one digit of it, and an agent without any prove nothing", async () => {
    const [one, two] = [await reader(), await reader()];
    const { secret } = await secretFor(one);
    expect((await tokenBy(two, { secret })).body["error"]).toBe("invalid_client");
    expect((await tokenBy(one, { secret: secret.slice(0, -1) })).body["error"]).toBe("invalid_client");
    await secretFor(two);
    expect((await tokenBy(two, { secret })).body["error"]).toBe("invalid_client");
  });

  test("A11 turned off, the organization's agents get no bearer token any more, from the next request on", async () => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    expect((await tokenBy(agent, { secret })).status).toBe(200);
    await allowBearer(false);
    try {
      expect((await tokenBy(agent, { secret })).body["error"]).toBe("invalid_dpop_proof");
    } finally {
      await allowBearer(true);
    }
    expect((await tokenBy(agent, { secret })).status).toBe(200);
  });

  test("a secret of an agent with keys gives a token bound to its DPoP key, and to no other key", async () => {
    const keys = newKeys();
    const agent = await agentIn(running, { dpopJwk: publicJwkOf(keys.dpop) });
    const { secret } = await secretFor(agent);
    const client = new OAuthClient(running, agent, keys);
    const ask = async (key = keys.dpop): Promise<Answer> => {
      const form = { grant_type: "client_credentials", client_id: agent, client_secret: secret };
      const send = (): Promise<Answer> =>
        client.raw(
          "/oauth/token",
          { ...form, scope: "oid4ac:payment" },
          { dpop: client.proof(client.url("/oauth/token"), { key }) },
        );
      const first = await send();
      return first.body["error"] === "use_dpop_nonce" ? send() : first;
    };
    const answer = await ask();
    expect(answer.body).toMatchObject({ token_type: "DPoP", scope: "oid4ac:payment" });
    const token = String(answer.body["access_token"]);
    expect((await callApi(running, { token, key: keys.dpop })).status).toBe(200);
    expect((await ask(newKeys().dpop)).body["error"]).toBe("invalid_dpop_proof");
  });
});

describe("credentials are shown once and end when they are told to", () => {
  test("a list has everything but the secrets, newest first, by cursors", async () => {
    const agent = await reader();
    const made = [await secretFor(agent, { name: "first" }), await secretFor(agent, { name: "second" })];
    const first = await operator.call("GET", path(agent, "?limit=1"));
    expect(first.body["data"]).toMatchObject([
      { credentialId: made[1]?.id, name: "second", status: "active", kind: "secret" },
    ]);
    const rest = await operator.call(
      "GET",
      path(agent, `?limit=1&cursor=${String(first.body["nextCursor"])}`),
    );
    expect(rest.body["data"]).toMatchObject([{ credentialId: made[0]?.id, clientId: agent }]);
    for (const { secret } of made)
      expect(JSON.stringify([first.body, rest.body])).not.toContain(secret.slice(4));
    const other = await agentIn(running);
    const stolen = path(other, `?limit=1&cursor=${String(first.body["nextCursor"])}`);
    expect((await operator.call("GET", stolen)).body["code"]).toBe("cursor_invalid");
    const [row] = await running.database.asAdmin<{ text: string }>(
      "select row_to_json(c)::text as text from credentials c where id = $1",
      [made[0]?.id ?? ""],
    );
    expect(row?.text).not.toContain(made[0]?.secret.slice(4));
  });

  test("A11 a revoked secret is refused at once, with every token that the agent had, and another goes on", async () => {
    const agent = await reader();
    const [one, two] = [await secretFor(agent), await secretFor(agent)];
    const token = (await tokenBy(agent, { secret: one.secret })).body["access_token"];
    expect((await callWith(token)).status).toBe(200);
    expect((await operator.call("DELETE", path(agent, `/${one.id}`))).status).toBe(204);
    expect((await tokenBy(agent, { secret: one.secret })).body["error"]).toBe("invalid_client");
    expect((await callWith(token)).body["code"]).toBe("token_revoked");
    expect((await tokenBy(agent, { secret: two.secret })).status).toBe(200);
    expect((await operator.call("DELETE", path(agent, `/${one.id}`))).status).toBe(204);
    expect((await operator.call("POST", path(agent, `/${one.id}/rotate`), {})).body["code"]).toBe(
      "credential_ended",
    );
  });

  test("rotated without an overlap the former secret counts no more; with one, both do", async () => {
    const agent = await reader();
    const { id, secret } = await secretFor(agent);
    const rotated = await operator.call("POST", path(agent, `/${id}/rotate`), { overlapSeconds: 60 });
    expect(rotated.body).toMatchObject({ credentialId: id, status: "active" });
    const second = String(rotated.body["clientSecret"]);
    expect((await tokenBy(agent, { secret })).status).toBe(200);
    expect((await tokenBy(agent, { secret: second })).status).toBe(200);
    const again = await operator.call("POST", path(agent, `/${id}/rotate`), {});
    expect((await tokenBy(agent, { secret })).body["error"]).toBe("invalid_client");
    expect((await tokenBy(agent, { secret: second })).body["error"]).toBe("invalid_client");
    expect((await tokenBy(agent, { secret: String(again.body["clientSecret"]) })).status).toBe(200);
  });

  test("of 10 rotations at once, whichever comes last, exactly one secret counts", async () => {
    const agent = await reader();
    const { id } = await secretFor(agent);
    await operator.call("GET", path(agent)); // the nonce of this server is known from here on
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        callAsAdmin(running, { method: "POST", path: path(agent, `/${id}/rotate`), body: {} }),
      ),
    );
    const tried = await Promise.all(
      answers.map(({ body }) => tokenBy(agent, { secret: String(body["clientSecret"]) })),
    );
    expect(tried.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("a key of the agent's own proves it like the key of its row, until it is revoked", async () => {
    const keys = newKeys();
    const agent = await newClient(running, "agent", keys);
    const extra = newKeys().assertion;
    const made = await make(agent.id, { publicJwk: publicJwkOf(extra) });
    expect(made.body).toMatchObject({ kind: "key", thumbprint: thumbprint(extra) });
    expect(made.body["clientSecret"]).toBeUndefined();
    const other = new OAuthClient(running, agent.id, { assertion: extra, dpop: keys.dpop });
    const asked = { resource: running.issuer, scope: "oid4ac:payment" };
    expect((await other.credentials(asked)).status).toBe(200);
    expect((await agent.credentials(asked)).status).toBe(200);
    // And where the core authenticates.
    expect((await other.post("/oauth/introspect", { token: "x" })).body).toEqual({ active: false });
    await operator.call("DELETE", path(agent.id, `/${String(made.body["credentialId"])}`));
    expect((await other.credentials(asked)).body["error"]).toBe("invalid_client");
    expect((await other.post("/oauth/introspect", { token: "x" })).body["error"]).toBe("invalid_client");
  });

  test.each([
    [{ expiresAt: "2001-01-01T00:00:00Z" }],
    [{ expiresAt: "tomorrow" }],
    [{ clientSecret: "of my choice" }],
    [{ publicJwk: { kty: "oct", k: "AAAA" } }],
    [{ publicJwk: newKeys().assertion }],
    [{ publicJwk: publicJwkOf(newKeys().assertion) }],
  ])("%j is refused for an agent without keys", async (body) =>
    expect((await make(await agentIn(running), body)).body["code"]).toBe("invalid_request"),
  );

  test("K09 a key that another agent has, or that this one has for its proofs, is refused", async () => {
    const [one, two] = [await newClient(running, "agent"), await newClient(running, "agent")];
    for (const key of [two.keys.assertion, two.keys.dpop])
      expect((await make(one.id, { publicJwk: publicJwkOf(key) })).body["code"]).toBe("key_in_use");
    expect((await make(one.id, { publicJwk: publicJwkOf(one.keys.dpop) })).status).toBe(400);
  });

  test("there are at most 20 live ones", async () => {
    const agent = await reader();
    const answers: Answer[] = [];
    for (let i = 0; i < 21; i++) answers.push(await make(agent));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.at(-1)?.status).toBe(400);
  });

  test("a decommissioned agent gets none, and its secret proves nothing", async () => {
    const agent = await reader();
    const { secret } = await secretFor(agent);
    const token = (await tokenBy(agent, { secret })).body["access_token"];
    await operator.call("DELETE", `/api/v1/agents/${agent}`);
    expect((await callWith(token)).status).toBe(401);
    expect((await tokenBy(agent, { secret })).body["error"]).toBe("invalid_client");
    expect((await make(agent)).body["code"]).toBe("agent_decommissioned");
    // And says so itself, a moment later: nobody reads of a live credential of somebody who is gone.
    await eventually(async () => {
      const { body } = await operator.call("GET", `/api/v1/agents/${agent}/credentials`);
      expect(body["data"]).toMatchObject([{ status: "revoked" }]);
    });
  });
});

describe("who may change credentials", () => {
  test("a bearer token changes none of an agent that can have a mandate; a bound one does", async () => {
    const agent = await newClient(running, "agent");
    const asAdmin = (method: string, more = "", body?: object): Promise<Answer> =>
      callAsAdmin(running, { method, path: path(agent.id, more), ...(body === undefined ? {} : { body }) });
    expect((await asAdmin("POST", "", {})).body["code"]).toBe("bound_token_required");
    const { id } = await secretFor(agent.id);
    expect((await asAdmin("POST", `/${id}/rotate`, {})).body["code"]).toBe("bound_token_required");
    expect((await asAdmin("DELETE", `/${id}`)).body["code"]).toBe("bound_token_required");
    const { body } = await operator.call("GET", path(agent.id));
    expect(body["data"]).toMatchObject([{ credentialId: id, status: "active" }]);
  });

  test("an agent manages its own with a token of its own, and those of no other", async () => {
    const [mine, others] = [await agentIn(running, { scopes: ["agents:write"] }), await reader()];
    const { secret } = await secretFor(mine);
    const answer = await tokenBy(mine, { secret, form: { scope: "agents:write" } });
    const token = answer.body["access_token"];
    const own = await callWith(token, "POST", path(mine), {});
    expect(own.status).toBe(201);
    expect((await callWith(token, "POST", path(others), {})).body["code"]).toBe("client_not_allowed");
    const { id } = await secretFor(others);
    expect((await callWith(token, "POST", path(others, `/${id}/rotate`), {})).status).toBe(403);
    expect((await callWith(token, "DELETE", path(others, `/${id}`))).status).toBe(403);
    const rotated = await callWith(
      token,
      "POST",
      path(mine, `/${String(own.body["credentialId"])}/rotate`),
      {},
    );
    expect(rotated.status).toBe(200);
  });

  test("a paying agent replaces its own secret by its key, and needs no further scope", async () => {
    const agent = await newClient(running, "agent");
    const { id } = await secretFor(agent.id);
    const own = await agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    const call = { token: String(own.body["access_token"]), key: agent.keys.dpop, method: "POST" as const };
    expect((await callApi(running, { ...call, path: path(agent.id, `/${id}/rotate`) })).status).toBe(200);
    const other = await reader();
    expect((await callApi(running, { ...call, path: path(other) })).body["code"]).toBe("client_not_allowed");
  });

  test("T01 another organization sees and changes none", async () => {
    const agent = await reader();
    const { id, secret } = await secretFor(agent);
    for (const [method, more, body] of [
      ["GET", "", undefined],
      ["POST", "", {}],
      ["POST", `/${id}/rotate`, {}],
      ["DELETE", `/${id}`, undefined],
    ] as const) {
      const theirs = await callAsAdmin(eve, {
        method,
        path: path(agent, more),
        ...(body === undefined ? {} : { body }),
      });
      expect(theirs.status, `${method} ${more}`).toBe(404);
    }
    // Nor under an agent of its own.
    const own = await agentIn(eve);
    expect((await callAsAdmin(eve, { method: "DELETE", path: path(own, `/${id}`) })).status).toBe(404);
    expect((await tokenBy(agent, { secret })).status).toBe(200);
  });
});

test("when a credential was used is written now and then, and by no request", async () => {
  const clock = testClock();
  const other = await startServer({}, { clock });
  try {
    const management = new Management(other, adminSecret, "agents:read agents:write");
    const agent = await agentIn(other, { scopes: ["agents:read"] });
    const end = after(clock.now(), 8 * dayMs);
    const made = await management.call("POST", path(agent), { expiresAt: toRfc3339(end) });
    const [id, secret] = [String(made.body["credentialId"]), String(made.body["clientSecret"])];
    const moved = await management.call("POST", path(agent), { expiresAt: toRfc3339(end) });
    const movedId = String(moved.body["credentialId"]);
    const later = { expiresAt: toRfc3339(after(clock.now(), 12 * dayMs)) };
    expect((await management.call("POST", `${path(agent)}/${movedId}/rotate`, later)).status).toBe(200);
    const reminders = (of = id): Promise<unknown[]> =>
      other.database.asAdmin(
        "select 1 from audit_rows where subject = $1 and event = 'credential.expiring'",
        [of],
      );
    expect(await reminders()).toEqual([]);
    const basic = Buffer.from(`${agent}:${secret}`).toString("base64");
    const ask = async (): Promise<Answer> =>
      read(
        await fetch(`${other.issuer}/oauth/token`, {
          method: "POST",
          headers: { authorization: `Basic ${basic}` },
          body: new URLSearchParams({ grant_type: "client_credentials", scope: "agents:read" }),
        }),
      );
    // Its organization allows no bearer tokens: it proved itself all the same.
    expect((await ask()).body["error"]).toBe("invalid_dpop_proof");
    clock.advance(dayMs + hourMs);
    await eventually(async () => expect(await reminders()).toHaveLength(1));
    await eventually(async () => {
      const [row] = await other.database.asAdmin<{ used: boolean }>(
        "select last_used_at is not null as used from credentials where id = $1",
        [id],
      );
      expect(row?.used).toBe(true);
    });
    // Both jobs were due; that of the credential whose end was moved comes again.
    await eventually(async () =>
      expect(
        await other.database.asAdmin(
          "select 1 from jobs where queue = 'credential_reminders' and run_at <= $1",
          [new Date(clock.now())],
        ),
      ).toEqual([]),
    );
    expect(await reminders(movedId)).toEqual([]);
    clock.advance(7 * dayMs);
    await eventually(async () => expect(await reminders(movedId)).toHaveLength(1));
    expect((await ask()).body["error"]).toBe("invalid_client");
  } finally {
    await other.close();
  }
});
