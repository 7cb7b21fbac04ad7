import { migrations, tables } from "@remit/authorization-server";
import { newId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import type { JsonObject } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";
import { checkCatalogue } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminToken, callAsAdmin, newClient } from "./client.ts";
import { adminSecret, principal, type Running, startServer, startWith } from "./running.ts";

let running: Running;
let agentId: string;

beforeAll(async () => {
  running = await startServer();
  agentId = (await newClient(running, "agent")).id;
});
afterAll(() => running.close());

const tenantTables = Object.entries(tables)
  .filter(([, kind]) => kind === "tenant")
  .map(([name]) => name);

test("T11 a token whose organization was edited, signed by nobody or by somebody else, is none", async () => {
  const { body } = await adminToken(running);
  const [head = "", payload = "", signature = ""] = String(body["access_token"]).split(".");
  const claims: Record<string, unknown> = JSON.parse(Buffer.from(payload, "base64url").toString());
  expect(claims["organization_id"]).toBe(running.tenant);
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const edited = { ...claims, organization_id: newId("tenant") };
  const header: object = JSON.parse(Buffer.from(head, "base64url").toString());
  const status = async (token: string): Promise<number> =>
    (await fetch(`${running.issuer}/api/v1/agents`, { headers: { authorization: `Bearer ${token}` } }))
      .status;
  expect(await status(`${head}.${payload}.${signature}`)).toBe(200);
  expect(await status(`${head}.${encoded(edited)}.${signature}`)).toBe(401);
  expect(await status(`${encoded({ ...header, alg: "none" })}.${encoded(edited)}.`)).toBe(401);
  expect(await status(signJws(generateJwk("ES256"), { typ: "at+jwt" }, edited as JsonObject))).toBe(401);
});

test("T02 the server refuses to start under a role that can see past a tenant", async () => {
  await expect(startWith(running.database, { databaseUrl: running.database.adminUrl })).rejects.toThrow();
  await expect(startWith(running.database, { databaseUrl: running.database.migrationUrl })).rejects.toThrow();
});

test("T03 every table is declared, and every tenant table is held by its policies, also against its owner", async () => {
  expect(await checkCatalogue(running.database, tables)).toEqual([]);
  expect(migrations).toHaveLength(1);
});

describe("T04 without a tenant nothing is seen", () => {
  test.each(tenantTables)("T04 %s", async (table) => {
    const db = running.database.open();
    const count = () => ({
      text: `select count(*)::int as count from ${table}`,
      values: [],
      name: `t04_${table}`,
    });
    expect(await db.global.transaction((tx) => tx.one(count()))).toEqual({ count: 0 });
    expect(await db.of(newId("tenant")).transaction((tx) => tx.one(count()))).toEqual({ count: 0 });
  });

  test("T04 a tenant that is SQL is refused before it reaches the database", async () => {
    const db = running.database.open();
    const hostile = "org_' or '1'='1" as ReturnType<typeof newId<"tenant">>;
    await expect(async () => db.of(hostile).transaction((tx) => tx.many(sql`select 1`))).rejects.toThrow();
  });
});

describe("T06 a row cannot be put into another tenant", () => {
  test("T06 neither inserted nor moved", async () => {
    const db = running.database.open();
    const [mine, theirs] = [newId("tenant"), running.tenant];
    const insert = db
      .of(mine)
      .transaction((tx) =>
        tx.run(
          sql`insert into memberships (tenant_id, account_id, role, created_at) values (${theirs}, ${"acc_x"}, ${"owner"}, now())`,
        ),
      );
    await expect(insert).rejects.toThrow(/row-level security/);
    const moved = db
      .of(running.tenant as typeof mine)
      .transaction((tx) => tx.run(sql`update agents set tenant_id = ${mine} where id = ${agentId}`));
    await expect(moved).rejects.toThrow(/row-level security/);
    const other = await db
      .of(mine)
      .transaction((tx) => tx.run(sql`update agents set name = ${"stolen"} where id = ${agentId}`));
    expect(other.count).toBe(0);
  });
});

test("T07 an id of another tenant is as unknown as one that nobody has", async () => {
  const db = running.database.open();
  const stranger = newId("tenant");
  const found = await db
    .of(stranger)
    .transaction(async (tx) => [
      await tx.maybe(sql`select id from agents where id = ${agentId}`),
      await tx.maybe(sql`select id from agents where id = ${newId("agent")}`),
    ]);
  expect(found).toEqual([undefined, undefined]);
});

describe("T01 what is another tenant's answers as what nobody has", () => {
  test("T01 agents: read, stopped, listed", async () => {
    const secret = "another-admin-secret-of-many-random-bits-012345";
    const other = await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: { email: "eve@example.com", name: "Eve", password: "another correct horse" },
      admin: { clientSecret: secret },
    });
    const eve = { ...running, adminId: other.admin.clientId, adminSecret: secret };
    const unknown = newId("agent");
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/suspend"],
      ["POST", "/reactivate"],
    ] as const) {
      const [theirs, nobodys] = [
        await callAsAdmin(eve, { method, path: `/api/v1/agents/${agentId}${path}` }),
        await callAsAdmin(eve, { method, path: `/api/v1/agents/${unknown}${path}` }),
      ];
      expect(theirs.status).toBe(404);
      const comparable = (body: Record<string, unknown>) => ({ ...body, request_id: "" });
      expect(comparable(theirs.body)).toEqual(comparable(nobodys.body));
    }
    expect((await callAsAdmin(eve, { method: "GET", path: "/api/v1/agents" })).body["data"]).toEqual([]);
    const own = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${agentId}` });
    expect(own.body["status"]).toBe("active");
  });

  test("a second set-up of the same principal finds what is there", async () => {
    const again = await running.service.bootstrap({
      tenant: { name: "Ada's" },
      principal,
      admin: { clientSecret: adminSecret },
    });
    expect(again).toEqual({
      tenant: running.tenant,
      account: running.account,
      admin: { clientId: running.adminId },
    });
  });
});
