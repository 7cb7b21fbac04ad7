import { Secret, systemClock } from "@remit/kernel";
import { createOutbound, type Outbound } from "@remit/platform/outbound";
import { openVault, type Vault } from "@remit/platform/vault";
import { publicJwkOf } from "@remit/protocol";
import { type TestSandbox, testSandbox, vaultCredentials } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Answer, read } from "./client.ts";
import { agentIn } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, newKeys, type Running, startServer } from "./running.ts";

let running: Running;
let sandbox: TestSandbox;
let outbound: Outbound;
let operator: Management;
/** A client of Vault's own, such as an agent's. */
let reader: Vault;

beforeAll(async () => {
  sandbox = await testSandbox();
  const { host } = new URL(sandbox.origin);
  const address = `${sandbox.origin}/vault`;
  const login = { method: "token", token: new Secret(vaultCredentials.token) } as const;
  const vault = { address, login, transit: "transit", kv: "secret", keyPrefix: "remit-", kek: false };
  running = await startServer({ vault, outboundAllow: [host] });
  outbound = createOutbound({ allow: [host] });
  reader = openVault({ outbound, clock: systemClock, address, login });
  operator = new Management(running, adminSecret, "agents:read agents:write");
  await new Management(running).call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
});
afterAll(async () => {
  await running?.close();
  await outbound?.close();
  await sandbox?.close();
});
afterEach(() => sandbox.vault({ sealed: false }));

const at = (agent: string, more = ""): string => `/api/v1/agents/${agent}/credentials${more}`;

async function keptIn(path: unknown): Promise<Record<string, string>> {
  const [mount, ...name] = String(path).split("/");
  const found = await reader.call("GET", `${mount}/data/${name.join("/")}`);
  return (found?.["data"] ?? {}) as Record<string, string>; // what was put there
}

const tokenBy = async (agent: string, secret: string): Promise<number> => {
  const basic = Buffer.from(`${agent}:${secret}`).toString("base64");
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: "agents:read" });
  const headers = { authorization: `Basic ${basic}` };
  return (await read(await fetch(`${running.issuer}/api/v1/token`, { method: "POST", headers, body })))
    .status;
};

const kept = (agent: string): Promise<Answer> => operator.call("POST", at(agent), { store: "vault" });

test("a secret that Vault keeps is nowhere else: the answer and the list say where it is, and it opens what it should", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const made = await kept(agent);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  expect(made.body["clientSecret"]).toBeUndefined();
  const { vaultPath, credentialId } = made.body;
  expect(vaultPath).toBe(`secret/remit-credentials/${running.tenant}/${String(credentialId)}`);
  const secret = await keptIn(vaultPath);
  expect(secret).toMatchObject({ agent, clientSecret: expect.stringMatching(/^rms_/) as string });
  expect(await tokenBy(agent, secret["clientSecret"] ?? "")).toBe(200);
  const { body } = await operator.call("GET", at(agent));
  expect(body["data"]).toMatchObject([{ credentialId, vaultPath, kind: "secret" }]);
  const dump = await running.database.asAdmin<{ all: string }>(
    "select (select string_agg(c::text, '') from credentials c) || (select string_agg(r.body, '') from audit_rows r) as all",
  );
  expect(dump[0]?.all).not.toContain(secret["clientSecret"]);
});

test("a rotation is read in Vault, and the former secret counts no more", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const { vaultPath, credentialId } = (await kept(agent)).body;
  const former = (await keptIn(vaultPath))["clientSecret"] ?? "";
  const rotated = await operator.call("POST", at(agent, `/${String(credentialId)}/rotate`), {});
  expect(rotated.status, JSON.stringify(rotated.body)).toBe(200);
  expect(rotated.body).toMatchObject({ vaultPath });
  expect(rotated.body["clientSecret"]).toBeUndefined();
  const next = (await keptIn(vaultPath))["clientSecret"] ?? "";
  expect(next).not.toBe(former);
  expect([await tokenBy(agent, next), await tokenBy(agent, former)]).toEqual([200, 401]);
});

test("what Vault shows counts whenever it cannot be asked: nothing is made, and a rotation leaves what was", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const { vaultPath, credentialId } = (await kept(agent)).body;
  const shown = (await keptIn(vaultPath))["clientSecret"] ?? "";
  await sandbox.vault({ sealed: true });
  expect((await kept(agent)).body["code"]).toBe("unavailable");
  const rotate = (): Promise<Answer> =>
    operator.call("POST", at(agent, `/${String(credentialId)}/rotate`), {});
  expect((await rotate()).body["code"]).toBe("unavailable");
  await sandbox.vault({ sealed: false });
  expect(await tokenBy(agent, shown)).toBe(200);
  const { body } = await operator.call("GET", at(agent));
  expect(body["data"]).toHaveLength(1);
  expect((await rotate()).status).toBe(200);
  expect(await tokenBy(agent, (await keptIn(vaultPath))["clientSecret"] ?? "")).toBe(200);
  expect(await tokenBy(agent, shown)).toBe(401);
});

const rotationOf = (agent: string, credential: unknown): Promise<Answer> =>
  operator.call("POST", at(agent, `/${String(credential)}/rotate`), {});
const newest = async (path: unknown): Promise<string> => (await keptIn(path))["clientSecret"] ?? "";
const leaseEnds = (credential: unknown, when: string): Promise<unknown> =>
  running.database.asAdmin("update credentials set rotating_until = now() + $2::interval where id = $1", [
    credential,
    when,
  ]);

test("what Vault shows counts after a rotation that died past it and a next one that Vault never answered", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const { vaultPath, credentialId } = (await kept(agent)).body;
  const first = await newest(vaultPath);
  // The row cannot be written once Vault has the secret: to the caller and the row as if the process had died there.
  await running.database.asAdmin(
    "alter table credentials add constraint dies check (rotated_at is null) not valid",
  );
  expect((await rotationOf(agent, credentialId)).status).toBe(500);
  await running.database.asAdmin("alter table credentials drop constraint dies");
  const second = await newest(vaultPath);
  expect(second).not.toBe(first);
  await leaseEnds(credentialId, "-1 s");
  await sandbox.vault({ sealed: true });
  for (let round = 0; round < 2; round++)
    expect((await rotationOf(agent, credentialId)).body["code"]).toBe("unavailable");
  await sandbox.vault({ sealed: false });
  expect(await newest(vaultPath)).toBe(second);
  expect([await tokenBy(agent, first), await tokenBy(agent, second)]).toEqual([200, 200]);
  expect((await rotationOf(agent, credentialId)).status).toBe(200);
  const third = await newest(vaultPath);
  const counts = [await tokenBy(agent, first), await tokenBy(agent, second), await tokenBy(agent, third)];
  expect(counts).toEqual([401, 401, 200]);
});

test("a credential is rotated by one at a time, and of those who come at once what Vault shows counts", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const { vaultPath, credentialId } = (await kept(agent)).body;
  const first = await newest(vaultPath);
  await leaseEnds(credentialId, "1 hour");
  const refused = await rotationOf(agent, credentialId);
  expect(refused.body).toMatchObject({ code: "unavailable", detail: "This credential is being rotated." });
  expect(await newest(vaultPath)).toBe(first);
  await leaseEnds(credentialId, "-1 s");
  const answers = await Promise.all([1, 2, 3, 4].map(() => rotationOf(agent, credentialId)));
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  for (const { status } of answers) expect([200, 503]).toContain(status);
  expect([await tokenBy(agent, await newest(vaultPath)), await tokenBy(agent, first)]).toEqual([200, 401]);
});

test("a secret is put in Vault for no agent that there is not, and for none that has as many as it may", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  await running.database.asAdmin(
    `insert into credentials (tenant_id, id, agent_id, kind, digest, created_by, created_at)
      select $1, 'crd_' || lpad(n::text, 26, '0'), $2, 'secret', '', 'x', now() from generate_series(1, 20) as n`,
    [running.tenant, agent],
  );
  const before = await sandbox.vaultCalls();
  expect((await kept(agent)).body["code"]).toBe("invalid_request");
  expect((await kept(`agt_${"0".repeat(26)}`)).status).toBe(404);
  expect(await sandbox.vaultCalls()).toEqual(before);
});

test("a key's private half we never have, so there is nothing to keep", async () => {
  const agent = await agentIn(running, { scopes: ["agents:read"] });
  const publicJwk = publicJwkOf(newKeys().assertion);
  const refused = await operator.call("POST", at(agent), { store: "vault", publicJwk });
  expect(refused.body).toMatchObject({
    code: "invalid_request",
    detail: expect.stringContaining("store") as string,
  });
});
