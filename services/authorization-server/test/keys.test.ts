import { migrations } from "@remit/authorization-server";
import { eventually, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, read } from "./client.ts";
import { callBound, operatorSecret } from "./operator.ts";
import { adminSecret, principal, startWith } from "./running.ts";

type Server = Awaited<ReturnType<typeof startWith>>;

let database: TestDatabase;
let server: Server;
let operatorId = "";
let adminId = "";
beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  server = await startWith(database);
  const { admin, operator } = await server.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    operator: { clientSecret: operatorSecret },
  });
  adminId = admin.clientId;
  operatorId = operator?.clientId ?? "";
});
afterAll(async () => {
  await server.close();
  await database.drop();
});

const asOperator = (method: "GET" | "POST", path: string, body?: object): Promise<Answer> => {
  const operator = { id: operatorId, secret: operatorSecret, scope: "admin:orgs" };
  return callBound(server, operator, { method, path, ...(body === undefined ? {} : { body }) });
};

type Key = { kid: string; purpose: string; state: string; reason: string | null };
const keys = async (): Promise<Key[]> => {
  const { status, body } = await asOperator("GET", "/api/v1/keys");
  expect(status).toBe(200);
  return body["data"] as Key[]; // the route's declared answer
};
const current = async (purpose: string): Promise<string> =>
  (await keys()).find((key) => key.purpose === purpose && key.state === "current")?.kid ?? "none";

const published = async (
  path = "/oauth/jwks.json",
): Promise<{ kid: string; reason?: string; not_after?: string }[]> =>
  Object((await read(await fetch(server.issuer + path))).body).keys;

async function bearer(): Promise<string> {
  const basic = `Basic ${Buffer.from(`${adminId}:${adminSecret}`).toString("base64")}`;
  const form = { grant_type: "client_credentials", scope: "agents:read", resource: server.issuer };
  const headers = { authorization: basic };
  const init = { method: "POST", headers, body: new URLSearchParams(form) };
  const { body } = await read(await fetch(`${server.issuer}/oauth/token`, init));
  return String(body["access_token"]);
}

const agents = async (token: string, at: { readonly issuer: string } = server): Promise<number> =>
  (await fetch(`${at.issuer}/api/v1/agents`, { headers: { authorization: `Bearer ${token}` } })).status;

const kidOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

describe("only the operator of the installation touches its keys", () => {
  test.each([
    ["GET", "/api/v1/keys"],
    ["POST", "/api/v1/keys/rotate"],
    ["POST", "/api/v1/keys/some-key/revoke"],
  ] as const)("a tenant's management client is refused %s %s", async (method, path) => {
    const admin = { id: adminId, secret: adminSecret, scope: "admin:orgs" };
    const body = method === "GET" ? {} : { body: path.endsWith("revoke") ? { reason: "x" } : {} };
    expect(await callBound(server, admin, { method, path, ...body })).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    const weaker = { ...admin, scope: "agents:write" };
    expect(await callBound(server, weaker, { method, path, ...body })).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope" },
    });
    expect((await fetch(server.issuer + path, { method })).status).toBe(401);
  });

  test("a token that is bound to no key opens nothing, also the operator's", async () => {
    const basic = `Basic ${Buffer.from(`${operatorId}:${operatorSecret}`).toString("base64")}`;
    const form = { grant_type: "client_credentials", scope: "admin:orgs", resource: server.issuer };
    const init = { method: "POST", headers: { authorization: basic }, body: new URLSearchParams(form) };
    const { body } = await read(await fetch(`${server.issuer}/oauth/token`, init));
    const headers = { authorization: `Bearer ${String(body["access_token"])}` };
    expect((await fetch(`${server.issuer}/api/v1/keys`, { headers })).status).toBe(401);
  });

  test("what is listed has no private half, whatever it is", async () => {
    const { body } = await asOperator("GET", "/api/v1/keys");
    expect(JSON.stringify(body)).not.toMatch(/"(d|wrapped|reference)"/);
  });
});

test("K01 a rotation publishes at once, signs later, and asked for twice is one", async () => {
  const before = await current("access-eddsa");
  const asked = await asOperator("POST", "/api/v1/keys/rotate", { purpose: "access-eddsa" });
  expect(asked).toMatchObject({ status: 200, body: { data: [{ purpose: "access-eddsa" }] } });
  const [{ kid }] = asked.body["data"] as [{ kid: string }]; // the route's declared answer
  expect((await published()).map((key) => key.kid)).toEqual(expect.arrayContaining([before, kid]));
  expect(await current("access-eddsa")).toBe(before);
  expect(await asOperator("POST", "/api/v1/keys/rotate", { purpose: "access-eddsa" })).toEqual(
    expect.objectContaining({ body: asked.body }),
  );
  expect(await asOperator("POST", "/api/v1/keys/rotate", { purpose: "other" })).toMatchObject({
    status: 400,
    body: { code: "invalid_request" },
  });
});

test("K03 what a revoked key signed is refused at once, by every process, and clients get new tokens as ever", async () => {
  const { issuer, dataDir } = server;
  const other = await startWith(database, { origin: issuer, issuer, dataDir });
  try {
    const token = await bearer();
    expect([await agents(token), await agents(token, other)]).toEqual([200, 200]);
    const kid = await current("access");
    expect(kidOf(token)).toBe(kid);
    const revoked = await asOperator("POST", `/api/v1/keys/${kid}/revoke`, { reason: "the disk was stolen" });
    expect(revoked).toMatchObject({
      status: 200,
      body: { kid, purpose: "access", reason: "the disk was stolen" },
    });
    expect(await agents(token)).toBe(401);
    expect((await published()).some((key) => key.kid === kid)).toBe(false);
    await eventually(async () => expect(await agents(token, other)).toBe(401));
    const fresh = await bearer();
    expect(kidOf(fresh)).toBe(revoked.body["successor"]);
    expect([await agents(fresh), await agents(fresh, other)]).toEqual([200, 200]);
    const events = await database.asAdmin("select body from audit_rows where body like '%key.revoked%'");
    expect(events).toHaveLength(1);
  } finally {
    await other.close();
  }
});

test("K03 a revoked key of evidence stays known, with the end of its time and the reason; an unknown one is 404", async () => {
  const kid = await current("receipt");
  const answer = await asOperator("POST", `/api/v1/keys/${kid}/revoke`, { reason: "lost" });
  expect(answer.status).toBe(200);
  const kept = (await published("/.well-known/remit-keys")).find((key) => key.kid === kid);
  expect(kept).toMatchObject({ reason: "lost", not_after: expect.any(String) });
  expect((await published()).some((key) => key.kid === kid)).toBe(false);
  expect(await asOperator("POST", "/api/v1/keys/unknown/revoke", { reason: "x" })).toMatchObject({
    status: 404,
  });
  expect(await asOperator("POST", `/api/v1/keys/${kid}/revoke`, {})).toMatchObject({ status: 400 });
});

test("L13 each change of the keys that sign the logs is an entry of the installation's own log, with who and why", async () => {
  const entries = async (kid: string) => {
    const rows = await database.asAdmin<{ event: string; actor: string }>(
      "select event, body::jsonb -> 'actor' ->> 'id' as actor from audit_rows where tenant_id = 'platform' and subject = $1",
      [kid],
    );
    return rows.map(({ event, actor }) => `${event} by ${actor}`);
  };
  const first = await current("audit");
  expect(await entries(first)).toEqual(["key.activated by authorization-server"]);
  const rotated = await asOperator("POST", "/api/v1/keys/rotate", { purpose: "audit" });
  const [{ kid: next }] = rotated.body["data"] as [{ kid: string }]; // the route's declared answer
  expect(await entries(next)).toEqual([`key.created by ${operatorId}`]);
  const revoked = await asOperator("POST", `/api/v1/keys/${first}/revoke`, { reason: "lost" });
  expect(revoked.body["successor"]).toBe(next);
  expect(await entries(first)).toContain(`key.revoked by ${operatorId}`);
  expect(await entries(next)).toHaveLength(2);
});
