import { newId } from "@remit/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Answer, adminToken, read } from "./client.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { adminSecret, principal, type Running, startServer } from "./running.ts";
import { UpstreamProvider } from "./upstream.ts";

const path = "/api/v1/identity-providers";

let running: Running;
let upstream: UpstreamProvider;
let management: Management;
let evil: Management;
let evilTenant: string;
let operator: Management;

beforeAll(async () => {
  upstream = await new UpstreamProvider().start();
  running = await startServer({ tenantOutboundAllow: [upstream.host] });
  management = new Management(running);
  const secret = "eve-admin-secret-of-many-random-bits-0123456789";
  const eve = await running.service.bootstrap({
    tenant: { name: "Eve's" },
    principal: { email: "eve@evil.example", name: "Eve", password: "another horse battery staple" },
    admin: { clientSecret: secret },
  });
  evil = new Management({ ...running, adminId: eve.admin.clientId }, secret);
  evilTenant = eve.tenant;
  const again = await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    operator: { clientSecret: operatorSecret },
  });
  operator = new Management({ ...running, adminId: again.operator?.clientId ?? "" }, operatorSecret);
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => upstream.reset());

const body = (more: object = {}): Record<string, unknown> => ({
  name: "Acme",
  issuer: upstream.issuer,
  client_id: upstream.clientId,
  client_authentication: { method: "client_secret_basic", client_secret: upstream.clientSecret },
  ...more,
});
const create = (more: object = {}, by = management): Promise<Answer> => by.call("POST", path, body(more));
const assign = (domain: string, tenant: string, by = operator): Promise<Answer> =>
  by.call("PUT", `/api/v1/email-domains/${domain}`, { organization_id: tenant });

describe("a tenant says who its people's identity provider is", () => {
  test("it is created, read, listed, changed and removed, and its secret is never shown nor stored in clear", async () => {
    const created = await create();
    expect(created.status).toBe(201);
    const id = String(created.body["id"]);
    expect(created.body).toEqual({
      id,
      name: "Acme",
      issuer: upstream.issuer,
      client_id: "remit",
      client_authentication: { method: "client_secret_basic" },
      redirect_uri: `${running.issuer}/oauth/identity-providers/${id}/callback`,
      scopes: ["openid", "email", "profile"],
      email_domains: [],
      link_policy: "none",
      jit_policy: "off",
      aal2_acr_values: [],
      status: "active",
      created_at: created.body["created_at"],
    });
    const one = `${path}/${id}`;
    expect((await management.call("GET", one)).body).toEqual(created.body);
    const second = await create({ name: "Second", client_authentication: { method: "private_key_jwt" } });
    const list = await management.call("GET", `${path}?limit=1`);
    expect(list.body).toEqual({ data: [second.body], next_cursor: second.body["id"] });
    const rest = await management.call("GET", `${path}?cursor=${String(second.body["id"])}`);
    expect(rest.body).toEqual({ data: [created.body], next_cursor: null });
    const change = {
      name: "Renamed",
      status: "suspended",
      link_policy: "verified_email",
      jit_policy: "approval",
    };
    expect((await management.call("PATCH", one, change)).body).toMatchObject(change);
    const keyed = { client_authentication: { method: "private_key_jwt" } };
    expect((await management.call("PATCH", one, keyed)).body).toMatchObject({ ...change, ...keyed });
    const stored = await running.database.asAdmin<{ row: string }>(
      "select identity_providers::text || (select string_agg(body::text, '') from audit_rows) as row from identity_providers",
    );
    expect(stored.length).toBeGreaterThan(0);
    for (const { row } of stored) expect(row).not.toContain("upstream-secret");
    expect((await management.call("DELETE", one)).status).toBe(204);
    expect((await management.call("DELETE", one)).status).toBe(404);
    const events = await running.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event_id",
      [id],
    );
    expect(events.map(({ event }) => event)).toEqual([
      "identity_provider.created",
      "identity_provider.changed",
      "identity_provider.changed",
      "identity_provider.removed",
    ]);
  });

  test.each<[string, object]>([
    ["an unknown member", { surprise: true }],
    ["scopes without openid", { scopes: ["email"] }],
    ["a secret with a key", { client_authentication: { method: "private_key_jwt", client_secret: "x" } }],
    ["no secret", { client_authentication: { method: "client_secret_basic" } }],
    ["an unknown policy", { link_policy: "always" }],
    ["an address for a domain", { email_domains: ["ada@example.com"] }],
    ["a wildcard of a domain", { email_domains: ["*.example.com"] }],
    ["every domain, which is the operator's to say", { email_domains: ["*"] }],
    ["a domain that is nobody's", { email_domains: ["gmail.test"] }],
    ["an issuer with user information", { issuer: "https://a:b@up.example" }],
    ["an issuer that is no URL", { issuer: "javascript:alert(1)" }],
    ["a name of no letters", { name: "\u0007" }],
  ])("%s is refused", async (_what, more) => {
    expect(await create(more)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });

  test.each([
    "http://127.0.0.1:9/",
    "https://127.0.0.1:8443",
    "https://169.254.169.254/latest",
    "https://[::1]:8443",
    "https://10.0.0.1",
    "http://up.example",
  ])("W01 the issuer %s is not called", async (issuer) => {
    expect(await create({ issuer })).toMatchObject({ status: 400, body: { code: "outbound_refused" } });
  });

  const documents: [string, object][] = [
    ["names another issuer", { issuer: "https://other.example" }],
    ["names itself with a slash more", { issuer: "SLASH" }],
    ["has no token endpoint", { token_endpoint: undefined }],
    ["keeps its keys in our network", { jwks_uri: "https://169.254.169.254/keys" }],
    ["redeems codes in our network", { token_endpoint: "http://127.0.0.1:9/token" }],
    ["tells of people in our network", { userinfo_endpoint: "https://10.0.0.1/userinfo" }],
    ["signs with no algorithm of ours", { id_token_signing_alg_values_supported: ["HS256", "none"] }],
  ];
  test.each(documents)("A07 a provider whose discovery %s is refused", async (_what, metadata) => {
    const slash = "issuer" in metadata && metadata.issuer === "SLASH";
    upstream.metadata = slash ? { issuer: `${upstream.origin}/` } : { ...metadata };
    expect((await create()).status).toBe(400);
  });

  test("a provider that does not answer is refused, and the caller told so", async () => {
    upstream.status = 503;
    expect(await create()).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });

  test("a tenant has at most twenty, however many it asks for at once", async () => {
    const first = await create({}, evil);
    await running.database.asAdmin(
      `insert into identity_providers select tenant_id, 'idp_' || lpad(n::text, 26, '0'), name, issuer, client_id, auth_method,
         sealed_secret, scopes, email_domains, link_policy, jit_policy, aal2_acr_values, status, created_at, changed_at
       from identity_providers, generate_series(1, 18) n where id = $1`,
      [first.body["id"]],
    );
    const many = await Promise.all([1, 2, 3].map(() => create({}, evil)));
    expect(many.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 400, 400]);
  });
});

describe("T01 another tenant's", () => {
  test("T01 provider answers as a random id, to read, change and remove", async () => {
    const theirs = String((await create()).body["id"]);
    for (const id of [theirs, newId("provider")]) {
      expect((await evil.call("GET", `${path}/${id}`)).status).toBe(404);
      expect((await evil.call("PATCH", `${path}/${id}`, { name: "Mine" })).status).toBe(404);
      expect((await evil.call("DELETE", `${path}/${id}`)).status).toBe(404);
    }
    const admission = `/api/v1/admissions/${newId("admission")}`;
    expect((await evil.call("POST", admission, { decision: "admit" })).status).toBe(404);
    expect((await management.call("GET", `${path}/${theirs}`)).status).toBe(200);
  });

  test("T01 nothing is done without the scope, nor with a bearer token", async () => {
    const token = String((await adminToken(running)).body["access_token"]);
    for (const at of [path, "/api/v1/email-domains", "/api/v1/admissions"]) {
      const bearer = { authorization: `Bearer ${token}` };
      const answer = await read(await fetch(running.issuer + at, { headers: bearer }));
      expect([401, 403]).toContain(answer.status);
    }
  });
});

describe("a domain of mail belongs to whom the operator says", () => {
  test("it is assigned, again for the same, listed, and released", async () => {
    expect(await assign("acme.example", running.tenant)).toMatchObject({
      status: 200,
      body: { domain: "acme.example", organization_id: running.tenant },
    });
    expect((await assign("acme.example", running.tenant)).status).toBe(200);
    const list = await management.call("GET", "/api/v1/email-domains");
    expect(list.body["data"]).toMatchObject([{ domain: "acme.example" }]);
    expect((await evil.call("GET", "/api/v1/email-domains")).body["data"]).toEqual([]);
    const created = await create({ email_domains: ["acme.example"], jit_policy: "domain" });
    expect(created.body["email_domains"]).toEqual(["acme.example"]);
    expect((await operator.call("DELETE", "/api/v1/email-domains/acme.example")).status).toBe(204);
    expect((await operator.call("DELETE", "/api/v1/email-domains/acme.example")).status).toBe(404);
    const [stored] = await running.database.asAdmin<{ count: number }>(
      "select count(*)::int as count from email_domains where sealed::text like '%acme%'",
    );
    expect(stored).toEqual({ count: 0 });
  });

  test("T01 no tenant gives itself one, nor takes another's, nor has it vouched for by its provider", async () => {
    expect((await assign("victim.example", running.tenant)).status).toBe(200);
    expect((await assign("victim.example", evilTenant, evil)).status).toBe(403);
    expect((await evil.call("DELETE", "/api/v1/email-domains/victim.example")).status).toBe(403);
    expect((await assign("victim.example", evilTenant)).status).toBe(400);
    expect((await create({ email_domains: ["victim.example"] }, evil)).status).toBe(400);
  });

  test("of one domain given to two at once one gets it", async () => {
    const both = await Promise.all([
      assign("race.example", running.tenant),
      assign("race.example", evilTenant),
    ]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 400]);
  });

  test("an organization that is none gets nothing", async () => {
    expect((await assign("void.example", newId("tenant"))).status).toBe(404);
    expect((await assign("UPPER.example", running.tenant)).status).toBe(400);
    expect((await assign("localhost", running.tenant)).status).toBe(400);
  });
});
