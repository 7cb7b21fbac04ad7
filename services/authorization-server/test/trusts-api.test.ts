import { newId } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, adminToken, newClient, type OAuthClient, read } from "./client.ts";
import { Management } from "./management.ts";
import { type Running, startServer } from "./running.ts";

const key = publicJwkOf(generateJwk("ES256", "k1"));
const path = "/api/v1/trusts";

let running: Running;
let management: Management;
let agent: OAuthClient;

/** A tenant beside the first, with limits of its own. */
async function anotherTenant(name: string): Promise<{ running: AdminOf; management: Management }> {
  const secret = `${name}-admin-secret-of-many-random-bits-0123456789`;
  const { tenant, admin } = await running.service.bootstrap({
    tenant: { name },
    principal: { email: `${name}@example.com`, name, password: "another horse battery staple" },
    admin: { clientSecret: secret },
  });
  const theirs = { ...running, tenant, adminId: admin.clientId, adminSecret: secret };
  return { running: theirs, management: new Management(theirs, secret) };
}
type AdminOf = Running & { readonly adminSecret: string };

beforeAll(async () => {
  running = await startServer();
  management = new Management(running);
  agent = await newClient(running, "agent");
  evil = (await anotherTenant("eve")).management;
});
let evil: Management;
afterAll(() => running.close());

const workload = (more: object = {}): Record<string, unknown> => ({
  kind: "workload",
  issuer: "https://cluster.example",
  keys: { jwks: { keys: [key] } },
  subject: "system:serviceaccount:shop:buyer",
  ...more,
});
const body = (more: object = {}): Record<string, unknown> => ({
  name: "Cluster",
  client_id: agent.id,
  scopes: ["oid4ac:payment"],
  rules: workload(),
  ...more,
});
const create = (more: object = {}): Promise<Answer> => management.call("POST", path, body(more));

describe("the tenant says whom it trusts", () => {
  test("a trust is created, read, listed, changed, suspended, resumed and removed", async () => {
    const created = await create({ expires_at: "2099-01-01T00:00:00.000Z" });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      name: "Cluster",
      client_id: agent.id,
      status: "active",
      bearer: false,
      scopes: ["oid4ac:payment"],
      rules: { kind: "workload", issuer: "https://cluster.example", single_use: false, claims: [] },
      expires_at: "2099-01-01T00:00:00.000Z",
    });
    const one = `${path}/${String(created.body["id"])}`;
    expect((await management.call("GET", one)).body).toEqual(created.body);
    const second = await create({ name: "Second" });
    const list = await management.call("GET", `${path}?limit=1&kind=workload`);
    expect(list.body).toEqual({ data: [second.body], next_cursor: second.body["id"] });
    const rest = await management.call("GET", `${path}?cursor=${String(second.body["id"])}`);
    expect(rest.body).toEqual({ data: [created.body], next_cursor: null });
    expect((await management.call("GET", `${path}?kind=github`)).body["data"]).toEqual([]);
    const change = { name: "Renamed", status: "suspended", expires_at: null };
    expect((await management.call("PATCH", one, change)).body).toMatchObject(change);
    const past = await management.call("PATCH", one, {
      status: "active",
      expires_at: "2020-01-01T00:00:00Z",
    });
    expect(past.body["status"]).toBe("expired");
    expect((await management.call("DELETE", one)).status).toBe(204);
    expect((await management.call("DELETE", one)).status).toBe(404);
    const events = await running.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event_id",
      [created.body["id"]],
    );
    expect(events.map(({ event }) => event)).toEqual([
      "trust.created",
      "trust.changed",
      "trust.changed",
      "trust.removed",
    ]);
  });

  test("one agent has at most fifty", async () => {
    const crowd = await anotherTenant("crowd");
    const crowded = await newClient(crowd.running, "agent");
    const add = async (count: number) =>
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          crowd.management.call("POST", path, body({ client_id: crowded.id, name: `Trust ${i}` })),
        ),
      );
    const many = [];
    // One waits for the other: a busy machine gives up on the last of fifty.
    for (let lot = 0; lot < 6; lot++) many.push(...(await add(8)));
    many.push(...(await add(5)));
    const statuses = many.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([...Array<number>(50).fill(201), ...Array<number>(3).fill(400)]);
  });

  test.each<[string, object]>([
    ["an unknown agent", { client_id: newId("agent") }],
    ["a client that is no agent", { client_id: newId("client") }],
    ["no scope", { scopes: [] }],
    ["a scope of management beyond bearers", { scopes: ["admin:orgs"] }],
    ["a scope of the wallet", { scopes: ["wallet:write"] }],
    ["an unknown scope", { scopes: ["everything"] }],
    ["a bearer token that pays", { bearer: true }],
    ["an unknown member", { surprise: true }],
    ["an unknown kind", { rules: workload({ kind: "everybody" }) }],
    ["an unknown member of a rule", { rules: workload({ regex: ".*" }) }],
    ["a rule that admits the whole issuer", { rules: workload({ subject: undefined }) }],
    ["a wildcard", { rules: workload({ subject: "system:serviceaccount:*" }) }],
    ["a private key", { rules: workload({ keys: { jwks: { keys: [generateJwk("ES256", "k1")] } } }) }],
    ["a symmetric key", { rules: workload({ keys: { jwks: { keys: [{ kty: "oct", k: "AAAA" }] } } }) }],
    ["two keys of one kid", { rules: workload({ keys: { jwks: { keys: [key, key] } } }) }],
    ["no key", { rules: workload({ keys: { jwks: { keys: [] } } }) }],
    [
      "keys and an address",
      { rules: workload({ keys: { jwks: { keys: [key] }, jwks_uri: "https://x.example" } }) },
    ],
    [
      "a repository without ref and environment",
      { rules: { kind: "github", repository_id: "1", repository_owner_id: "2" } },
    ],
    [
      "a wildcard in a ref",
      { rules: { kind: "github", repository_id: "1", repository_owner_id: "2", ref: "refs/heads/*" } },
    ],
    [
      "a repository by name",
      {
        rules: {
          kind: "github",
          repository_id: "octo/repo",
          repository_owner_id: "2",
          ref: "refs/heads/main",
        },
      },
    ],
    ["half a ref", { rules: { kind: "github", repository_id: "1", repository_owner_id: "2", ref: "main" } }],
    [
      "a SPIFFE path and a prefix",
      {
        rules: {
          kind: "spiffe",
          trust_domain: "x.example",
          keys: { jwks: { keys: [key] } },
          path: "/a",
          path_prefix: "/b",
        },
      },
    ],
    [
      "a SPIFFE path that climbs",
      {
        rules: {
          kind: "spiffe",
          trust_domain: "x.example",
          keys: { jwks: { keys: [key] } },
          path: "/a/../b",
        },
      },
    ],
    [
      "a whole trust domain",
      { rules: { kind: "spiffe", trust_domain: "x.example", keys: { jwks: { keys: [key] } } } },
    ],
  ])("%s is refused", async (_, more) => {
    const answer = await create(more);
    expect(answer.status).toBe(400);
    expect(answer.body["code"]).toMatch(/^invalid_(request|scope)$/);
  });

  test("our own issuer vouches for nobody, whatever the kind", async () => {
    for (const kind of ["federation", "workload", "id_jag"]) {
      const rules = { kind, issuer: running.issuer, keys: { jwks: { keys: [key] } }, subject: "x" };
      expect((await create({ rules })).body["code"]).toBe("invalid_request");
    }
  });

  test.each([
    "http://127.0.0.1/keys",
    "https://127.0.0.1/keys",
    "https://[::1]/keys",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/keys",
    "https://0x7f000001/keys",
    "https://localhost/keys",
    "https://user@partner.example/keys",
    "https://[::ffff:10.0.0.1]/keys",
    "https://partner.example:22/keys",
  ])("W05 keys at %s are never fetched", async (uri) => {
    const answer = await create({ rules: workload({ keys: { jwks_uri: uri } }) });
    expect(answer.status).toBe(400);
    expect(answer.body["code"]).toMatch(/^(outbound_refused|invalid_request)$/);
  });
});

describe("nobody else may", () => {
  test("T01 another tenant's trust is as much there as none, on every route", async () => {
    const id = String((await create()).body["id"]);
    for (const [method, change] of [["GET"], ["PATCH", { name: "Mine" }], ["DELETE"]] as const) {
      const theirs = await evil.call(method, `${path}/${id}`, change);
      const nobodys = await evil.call(method, `${path}/${newId("trust")}`, change);
      expect(theirs.status).toBe(404);
      expect({ ...theirs.body, request_id: "" }).toEqual({ ...nobodys.body, request_id: "" });
    }
    expect((await evil.call("GET", path)).body["data"]).toEqual([]);
    expect((await management.call("GET", `${path}/${id}`)).body["name"]).toBe("Cluster");
  });

  test("T01 nobody trusts anybody in another tenant's agent", async () => {
    const answer = await evil.call("POST", path, body());
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    await evil.call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
    expect((await management.call("GET", "/api/v1/organization/bearer-tokens")).body).toEqual({
      allowed: false,
    });
  });

  test("a bearer token, a token without the scope, an agent and nobody are refused", async () => {
    const bearer = await adminToken(running, { scope: "admin:orgs" });
    const sent = await read(
      await fetch(running.issuer + path, {
        headers: { authorization: `Bearer ${String(bearer.body["access_token"])}` },
      }),
    );
    expect(sent.status).toBe(401);
    expect((await read(await fetch(running.issuer + path))).status).toBe(401);
    const own = await agent.credentials({ scope: "admin:orgs", resource: running.issuer });
    expect(own.body["error"]).toBe("invalid_scope");
  });
});

describe("V06 hostile texts", () => {
  let theirs: Management;
  let id: string;
  beforeAll(async () => {
    const other = await anotherTenant("hostile");
    theirs = other.management;
    id = (await newClient(other.running, "agent")).id;
  });
  const send = (more: object): Promise<Answer> => theirs.call("POST", path, body({ client_id: id, ...more }));

  const texts = [
    "'; drop table trusts; --",
    '{"$ne": null}',
    "*)(uid=*))(|(uid=*",
    "${7*7} {{7*7}} <%= 7*7 %>",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\u202eevil",
    "a\u0000b",
    "\ud800",
  ];

  test.each(texts)("V06 %j is kept as text or refused, in each field", async (text) => {
    const named = await send({ name: text });
    if (named.status === 201) {
      expect(named.body["name"]).toBe(text);
      await theirs.call("DELETE", `${path}/${String(named.body["id"])}`);
    } else expect(named.status).toBe(400);
    for (const more of [
      { client_id: text },
      { scopes: [text] },
      { expires_at: text },
      { rules: workload({ issuer: text }) },
      { rules: workload({ keys: { jwks_uri: text } }) },
      { rules: { kind: "github", repository_id: text, repository_owner_id: "1", ref: "refs/heads/main" } },
    ])
      expect((await send(more)).status).toBe(400);
    const inRule = await send({ rules: workload({ claims: [{ path: [text], equals: text }] }) });
    expect([201, 400]).toContain(inRule.status);
    if (inRule.status === 201) await theirs.call("DELETE", `${path}/${String(inRule.body["id"])}`);
    expect(
      (await theirs.call("GET", `${path}?cursor=${encodeURIComponent(text.toWellFormed())}`)).status,
    ).toBe(400);
  });

  test("V06 __proto__ is a name like any other or refused, and Object.prototype stays as it was", async () => {
    const raw = JSON.stringify(body({ client_id: id })).replace(/^\{/, '{"__proto__":{"polluted":true},');
    expect((await theirs.call("POST", path, raw)).status).toBe(400);
    const rule = await send({
      rules: workload({ claims: [{ path: ["__proto__", "polluted"], equals: true }] }),
    });
    expect([201, 400]).toContain(rule.status);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(Object(({} as Record<string, unknown>)["polluted"])).not.toBe(true);
  });
});
