import path from "node:path";
import { dayMs, newId, parseId, systemClock } from "@remit/kernel";
import { createKeyring, kekFiles, openKeyring } from "@remit/platform/keys";
import { sql } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { eventually, testClock } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFileAnchor, createVerifications } from "../src/audit/index.ts";
import { createIssuerKeys } from "../src/keys/index.ts";
import { sweepInvitations } from "../src/organizations/members.sql.ts";
import { tenantTables } from "../src/tables.ts";
import { callApi } from "./api.ts";
import { type Answer, callAsAdmin, newClient, type OAuthClient } from "./client.ts";
import { agentIn, createAgent } from "./fleet.ts";
import { openWallet } from "./in-wallet.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { letterTo } from "./person.ts";
import { adminSecret, principal, type Running, startServer } from "./running.ts";

let running: Running;
let manager: Management;
let operator: Management;
const clock = testClock();

beforeAll(async () => {
  running = await startServer({}, { clock });
  manager = new Management(running);
  const { operator: made } = await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    operator: { clientSecret: operatorSecret },
  });
  operator = new Management({ ...running, adminId: String(made?.clientId) }, operatorSecret);
});
afterAll(() => running.close());

let count = 0;
const slug = (): string => `acme-${++count}`;

type Made = Running & { readonly adminSecret: string; readonly path: string };

/** An organization, with a management client that works. */
async function organization(more: object = {}, maker = manager): Promise<Made> {
  const answer = await maker.call("POST", "/api/v1/organizations", { name: "Acme", slug: slug(), ...more });
  if (answer.status !== 201) throw new Error(`not made: ${JSON.stringify(answer.body)}`);
  const { clientId, clientSecret } = answer.body["admin"] as { clientId: string; clientSecret: string };
  const id = String(answer.body["organizationId"]);
  return {
    ...running,
    tenant: id,
    adminId: clientId,
    adminSecret: clientSecret,
    path: `/api/v1/organizations/${id}`,
  };
}

const managerOf = (made: Made): Management => new Management(made, made.adminSecret);

/** The names of all members, at every depth. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)]);
}

// Before the clock is moved: what asks for a token proves itself by the machine's.
describe("T10 an export of an organization", () => {
  const path = (id: string): string => `/api/v1/organizations/${id}/export`;

  test("T10 holds every row of its own, none of another's, and no secret; the log says who took it", async () => {
    const agent = await agentIn(running);
    const credential = await callAsAdmin(running, {
      method: "POST",
      path: `/api/v1/agents/${agent}/credentials`,
      body: {},
    });
    const other = await operator.call("POST", "/api/v1/organizations", { name: "Another", slug: slug() });
    const answer = await new Management(running).call("GET", path(running.tenant));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-disposition")).toContain(`${running.tenant}.json`);
    const { tables: found } = answer.body as { tables: Record<string, Record<string, unknown>[]> };
    expect(Object.keys(found).toSorted()).toEqual(tenantTables.toSorted());
    expect(found["agents"]?.map(({ id }) => id)).toContain(agent);
    expect(found["audit_rows"]?.some(({ event }) => event === "tenant.exported")).toBe(true);
    const text = JSON.stringify(answer.body);
    const secrets = [adminSecret, credential.body["clientSecret"], other.body["organizationId"]];
    for (const secret of secrets) expect(text).not.toContain(String(secret));
    const named = Object.entries(found).flatMap(([table, rows]) =>
      Object.keys(rows[0] ?? {}).map((c) => `${table}.${c}`),
    );
    // The four letters by which people tell their keys apart are shown to them everywhere.
    const hidden = named.filter((column) => /secret|password|digest$|hash$/.test(column));
    expect(hidden).toEqual(["clients.secret_ends"]);
  });

  test("T10 holds no digest, however deep: neither of a secret nor of a link, a cookie or an address", async () => {
    const { tenant } = running;
    const agent = await agentIn(running);
    const path = `/api/v1/agents/${agent}/credentials`;
    expect((await callAsAdmin(running, { method: "POST", path, body: {} })).status).toBe(201);
    const put = (statement: string) => running.database.asAdmin(statement, [tenant]);
    await put(`insert into setup_tokens (tenant_id, digest, kind, created_by, created_at, expires_at)
      values ($1, 'd-setup', 'agent', 'x', now(), now())`);
    await put(`insert into sessions (tenant_id, id, sid, account_id, cookie_digest, sealed, created_at,
      authenticated_at, last_seen_at, absolute_expires_at)
      values ($1, 'x', 'x', 'x', 'd-cookie', '', now(), now(), now(), now())`);
    await put(`insert into invitations (tenant_id, id, digest, email_digest, sealed_email, role, created_by,
      created_at, expires_at) values ($1, 'x', 'd-link', 'd-address', '', 'member', 'x', now(), now())`);
    const { body } = await new Management(running).call("GET", `/api/v1/organizations/${tenant}/export`);
    const { tables: found } = body as { tables: Record<string, Record<string, unknown>[]> };
    for (const table of ["setup_tokens", "sessions", "invitations"]) expect(found[table]).toHaveLength(1);
    expect(found["clients"]?.find(({ id }) => id === agent)?.["credentials"]).toEqual([
      expect.objectContaining({ id: expect.any(String) as string }),
    ]);
    expect(namesIn(found).filter((name) => /digest$/i.test(name))).toEqual([]);
    expect(JSON.stringify(found)).not.toMatch(/"d-(?:setup|cookie|link|address)"/);
  });

  test("T10 is the organization's alone, for a proof that is fresh, and never another's", async () => {
    const made = await manager.call("POST", "/api/v1/organizations", { name: "Below", slug: slug() });
    const below = String(made.body["organizationId"]);
    const fresh = new Management(running);
    expect(await fresh.call("GET", path(below))).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await fresh.call("GET", path(newId("tenant")))).status).toBe(404);
    expect((await callAsAdmin(running, { method: "GET", path: path(running.tenant) })).status).toBe(401);
  });
});

describe("an organization is made with somebody to run it", () => {
  test("its management client registers agents at once, and sees nothing of who made it", async () => {
    const made = await organization({ maxAgents: 1 });
    const own = managerOf(made);
    expect((await own.call("GET", made.path)).body).toMatchObject({
      organizationId: made.tenant,
      name: "Acme",
      kind: "company",
      status: "active",
      maxAgents: 1,
    });
    await agentIn(made);
    expect((await createAgent(made)).body["code"]).toBe("agent_limit_reached");
    expect((await own.call("GET", `/api/v1/organizations/${running.tenant}`)).status).toBe(404);
    const listed = await own.call("GET", "/api/v1/organizations");
    expect((listed.body["data"] as object[]).length).toBe(1);
  });

  test("who made it and the operator see it; by cursors that are good for them alone", async () => {
    const made = await organization();
    for (const who of [manager, operator]) {
      expect((await who.call("GET", made.path)).status).toBe(200);
      const first = await who.call("GET", "/api/v1/organizations?limit=1");
      expect(first.body["data"]).toMatchObject([{ organizationId: made.tenant }]);
    }
    const { body } = await manager.call("GET", "/api/v1/organizations?limit=1");
    const stolen = await operator.call("GET", `/api/v1/organizations?cursor=${String(body["nextCursor"])}`);
    expect(stolen.body["code"]).toBe("cursor_invalid");
  });

  test("the installation itself is the organization `system`, which nobody suspends or deletes", async () => {
    const path = "/api/v1/organizations/org_00000000000000000000000000";
    expect((await operator.call("GET", path)).body).toMatchObject({ slug: "system", kind: "platform" });
    expect((await operator.call("PATCH", path, { status: "suspended" })).body["code"]).toBe("forbidden");
    expect((await manager.call("GET", path)).status).toBe(404);
  });

  test.each([["admin"], ["system"], ["Acme"], ["a"], ["a--b"], ["-ab"], ["ab-"], ["a_b"], ["ä-b"]])(
    "the slug %s is refused",
    async (refused) => {
      const answer = await manager.call("POST", "/api/v1/organizations", { name: "Acme", slug: refused });
      expect(answer.body["code"]).toBe("invalid_request");
    },
  );

  test("T07 of 8 that want one slug at once one has it, and whoever asks for it is told the same", async () => {
    const wanted = slug();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 === 0 ? manager : operator).call("POST", "/api/v1/organizations", {
          name: "Acme",
          slug: wanted,
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = answers
      .filter(({ status }) => status === 409)
      .map(({ body }) => ({ ...body, request_id: "" }));
    expect(refused).toHaveLength(7);
    expect(new Set(refused.map((body) => JSON.stringify(body))).size).toBe(1);
    const other = await organization();
    expect((await managerOf(other).call("PATCH", other.path, { slug: wanted })).status).toBe(409);
  });

  test("a plain bearer token manages no organization", async () => {
    const answer = await callAsAdmin(running, { method: "GET", path: "/api/v1/organizations" });
    expect(answer.status).toBe(401);
  });
});

describe("A11 a suspended organization acts no more, from the next call on", () => {
  let made: Made;
  let agent: OAuthClient;
  beforeAll(async () => {
    made = await organization();
    agent = await newClient(made, "agent");
  });

  test("neither its agents nor its managers, by old tokens or new; and it cannot let itself act again", async () => {
    const own = managerOf(made);
    const asked = { resource: running.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(asked)).body["access_token"]);
    const call = (): Promise<Answer> => callApi(running, { token, key: agent.keys.dpop });
    expect((await call()).status).toBe(200);
    expect((await own.call("GET", made.path)).status).toBe(200);
    expect((await own.call("PATCH", made.path, { status: "suspended" })).body["code"]).toBe("forbidden");
    expect((await own.call("PATCH", made.path, { maxAgents: null })).body["code"]).toBe("forbidden");
    expect((await manager.call("PATCH", made.path, { status: "suspended" })).body["status"]).toBe(
      "suspended",
    );
    expect((await call()).body["code"]).toBe("token_revoked");
    expect((await own.call("PATCH", made.path, { status: "active" })).body["code"]).toBe("token_revoked");
    expect((await agent.credentials(asked)).body["error"]).toBe("invalid_client");
    await expect(managerOf(made).call("GET", made.path)).rejects.toThrow("invalid_client");
    expect((await operator.call("PATCH", made.path, { status: "active" })).body["status"]).toBe("active");
    expect((await call()).status).toBe(200);
    expect((await agent.credentials(asked)).status).toBe(200);
  });

  test("has its streams pushed on from where they stood once it acts again", async () => {
    const ours = await organization();
    const ssf = new Management(ours, ours.adminSecret, "ssf.manage");
    const { stream_id: id } = (await ssf.call("POST", "/api/v1/streams", {})).body;
    const looks = async (): Promise<number> => {
      const sql = "select lease::int from signal_lanes where stream_id = $1";
      return (await running.database.asAdmin<{ lease: number }>(sql, [id]))[0]?.lease ?? -1;
    };
    expect(await looks()).toBe(0);
    await manager.call("PATCH", ours.path, { status: "suspended" });
    await operator.call("PATCH", ours.path, { status: "active" });
    await eventually(async () => expect(await looks()).toBe(1));
  });

  test("A11 whichever of 10 token requests a suspension overtakes, none of their tokens counts after it", async () => {
    await agent.learnNonce();
    const asked = Array.from({ length: 10 }, () =>
      agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" }),
    );
    const suspended = manager.call("PATCH", made.path, { status: "suspended" });
    const answers = await Promise.all(asked);
    expect((await suspended).status).toBe(200);
    for (const { body } of answers.filter(({ status }) => status === 200))
      expect(
        (await callApi(running, { token: String(body["access_token"]), key: agent.keys.dpop })).status,
      ).toBe(401);
  });
});

describe("whoever makes organizations goes round nothing that was decided above", () => {
  const status = async (made: Made, who = operator): Promise<unknown> =>
    (await who.call("GET", made.path)).body;
  const change = (who: Management, made: Made, body: object): Promise<Answer> =>
    who.call("PATCH", made.path, body);
  const refused = { status: 403, code: "forbidden" };

  test("what the operator decided on a child, its maker does not lift: neither a suspension nor a limit", async () => {
    const made = await organization();
    await change(operator, made, { status: "suspended", maxAgents: 2 });
    const decided = { status: "suspended", decidedBy: "operator", maxAgents: 2, maxAgentsBy: "operator" };
    expect(await status(made, manager)).toMatchObject(decided);
    expect((await change(manager, made, { status: "active" })).body).toMatchObject(refused);
    for (const maxAgents of [null, 1_000, 1])
      expect((await change(manager, made, { maxAgents })).body).toMatchObject(refused);
    // Its own word beside the operator's, or a deletion that is taken back, takes nothing from the operator's.
    expect((await change(manager, made, { status: "suspended" })).body).toMatchObject(decided);
    expect((await change(manager, made, { status: "active" })).body).toMatchObject(refused);
    expect((await manager.call("DELETE", made.path)).body).toMatchObject({ decidedBy: "operator" });
    expect((await change(manager, made, { status: "active" })).body).toMatchObject(refused);
    expect((await change(operator, made, { status: "active", maxAgents: null })).body).toMatchObject({
      status: "active",
      decidedBy: null,
      maxAgentsBy: null,
    });
  });

  test("what its maker decided, its maker lifts, until the operator decides the same", async () => {
    const made = await organization({ maxAgents: 3 });
    const own = { status: "suspended", decidedBy: "maker", maxAgents: 3, maxAgentsBy: "maker" };
    expect((await change(manager, made, { status: "suspended" })).body).toMatchObject(own);
    expect((await change(manager, made, { status: "active", maxAgents: 4 })).status).toBe(200);
    await change(manager, made, { status: "suspended" });
    expect((await change(operator, made, { status: "suspended" })).body).toMatchObject({
      decidedBy: "operator",
    });
    expect((await change(manager, made, { status: "active" })).body).toMatchObject(refused);
    await manager.call("DELETE", (await organization()).path);
  });

  test("A11 a suspension holds all below it, tokens included, and ends with it but for what was decided there", async () => {
    const top = await organization();
    const middle = await organization({}, managerOf(top));
    const leaf = await organization({}, managerOf(middle));
    const beside = await organization({}, managerOf(top));
    const agent = await newClient(leaf, "agent");
    const asked = { resource: running.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(asked)).body["access_token"]);
    const call = async (): Promise<number> =>
      (await callApi(running, { token, key: agent.keys.dpop })).status;
    expect(await call()).toBe(200);
    const ofBeside = managerOf(beside);
    expect((await ofBeside.call("GET", beside.path)).status).toBe(200);
    await change(operator, beside, { status: "suspended" });
    await change(operator, top, { status: "suspended" });
    expect(await call()).toBe(401);
    expect((await agent.credentials(asked)).body["error"]).toBe("invalid_client");
    expect(await status(leaf)).toMatchObject({ status: "suspended", decidedBy: "above" });
    // Neither can be let act while what is above it does not.
    expect((await change(operator, leaf, { status: "active" })).body).toMatchObject(refused);
    expect((await change(operator, middle, { status: "suspended" })).status).toBe(200);
    await change(operator, top, { status: "active" });
    expect(await call()).toBe(401);
    expect(await status(middle)).toMatchObject({ status: "suspended", decidedBy: "operator" });
    await change(operator, middle, { status: "active" });
    expect(await call()).toBe(200);
    expect((await agent.credentials(asked)).status).toBe(200);
    expect(await status(beside)).toMatchObject({ status: "suspended", decidedBy: "operator" });
    await expect(managerOf(beside).call("GET", beside.path)).rejects.toThrow("invalid_client");
    const told = await running.database.asAdmin<{ event: string }>(
      "select event from audit_rows where tenant_id = $1 and event like 'tenant.%' order by event_id",
      [leaf.tenant],
    );
    expect(told.map(({ event }) => event)).toEqual(["tenant.created", "tenant.suspended", "tenant.resumed"]);
  });

  test("A11 whichever organizations are made while a suspension overtakes them, all are held", async () => {
    const top = await organization();
    const middle = await organization({}, managerOf(top));
    const own = managerOf(middle);
    await own.call("GET", middle.path);
    const making = Array.from({ length: 6 }, () =>
      own.call("POST", "/api/v1/organizations", { name: "Acme", slug: slug() }),
    );
    await change(operator, top, { status: "suspended" });
    for (const { status: code, body } of await Promise.all(making))
      if (code === 201) {
        const made = { path: `/api/v1/organizations/${String(body["organizationId"])}` };
        expect((await operator.call("GET", made.path)).body).toMatchObject({ status: "suspended" });
      } else expect([401, 403]).toContain(code);
  });

  test("C13 agents of children count against the maker's limit, whoever of them registers at once", async () => {
    const top = await organization();
    const children = [await organization({}, managerOf(top)), await organization({}, managerOf(top))];
    await change(operator, top, { maxAgents: 3 });
    const everywhere = [top, ...children, ...children, top, ...children];
    const answers = await Promise.all(everywhere.map((one) => createAgent(one)));
    expect(answers.filter(({ status: code }) => code === 201)).toHaveLength(3);
    expect(answers.filter(({ body }) => body["code"] === "agent_limit_reached")).toHaveLength(5);
    expect((await createAgent(await organization({}, managerOf(top)))).body["code"]).toBe(
      "agent_limit_reached",
    );
    const free = await organization();
    expect((await createAgent(free)).status).toBe(201);
  });

  test("what a deleted maker leaves is held; once it is erased the operator alone may let it act", async () => {
    const top = await organization();
    const child = await organization({}, managerOf(top));
    await operator.call("DELETE", top.path);
    expect(await status(child)).toMatchObject({ status: "suspended", decidedBy: "above" });
    expect((await change(operator, child, { status: "active" })).body).toMatchObject(refused);
    await running.database.asAdmin("update tenant_standings set erased_at = now() where tenant_id = $1", [
      top.tenant,
    ]);
    expect((await change(operator, child, { status: "active" })).body).toMatchObject({ status: "active" });
    expect((await managerOf(child).call("GET", child.path)).status).toBe(200);
  });

  test("at most eight organizations stand one above the other", async () => {
    let last = await organization();
    for (let generation = 3; generation <= 8; generation++) last = await organization({}, managerOf(last));
    const more = await managerOf(last).call("POST", "/api/v1/organizations", { name: "Acme", slug: slug() });
    expect(more.body["code"]).toBe("invalid_request");
  });
});

describe("people belong to an organization by invitation", () => {
  const invite = (made: Made, body: object): Promise<Answer> =>
    managerOf(made).call("POST", `${made.path}/members`, body);

  /** The code of the letter, which only its reader has; here it is read where it was made. */
  async function codeFor(made: Made, email: string): Promise<string> {
    const answer = await invite(made, { email, role: "owner" });
    expect(answer.body).toMatchObject({ email, role: "owner" });
    return /^rms_[\w-]+$/m.exec((await letterTo(running, email)).text)?.[0] ?? "";
  }

  test("the code joins the account of its address once, and no other", async () => {
    const made = await organization();
    const ada = await openWallet(running);
    const accept = (code: string): Promise<Answer> =>
      ada.call("POST", "/api/v1/invitations/accept", { code });
    const foreign = await codeFor(made, "somebody@example.com");
    expect((await accept(foreign)).body["code"]).toBe("invitation_invalid");
    expect((await accept("rms_of-nobody")).body["code"]).toBe("invitation_invalid");
    const code = await codeFor(made, principal.email);
    const answers = await Promise.all(Array.from({ length: 5 }, () => accept(code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const { body } = await managerOf(made).call("GET", `${made.path}/members`);
    expect(body["data"]).toMatchObject([
      { accountId: running.account, email: principal.email, role: "owner" },
    ]);
    expect(body["invitations"]).toMatchObject([{ email: "somebody@example.com" }]);
  });

  test("an address gets three letters a day, however many organizations ask it and at once, and what is over is swept", async () => {
    const [one, other] = [await organization(), await organization()];
    const email = "filled@example.com";
    const asked = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        invite(index % 2 === 0 ? one : other, { email, role: "member" }),
      ),
    );
    expect(asked.filter(({ status }) => status === 202)).toHaveLength(3);
    const refused = asked.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(5);
    expect(refused[0]?.body).toMatchObject({ code: "rate_limited" });
    expect((await invite(one, { email: "another@example.com", role: "member" })).status).toBe(202);
    const [, kept] = await running.database.asAdmin<{ id: string }>(
      "select id from invitations where tenant_id = any($1) order by id",
      [[one.tenant, other.tenant]],
    );
    await running.database.asAdmin(
      "update invitations set expires_at = now() - interval '1 s' where id <> $1",
      [kept?.id],
    );
    const db = running.database.open();
    expect(await db.relay.transaction((tx) => sweepInvitations(tx, 100))).toBeGreaterThan(0);
    expect(await running.database.asAdmin("select id from invitations")).toEqual([kept]);
  });

  test("of two owners who take each other out at once, one stays, and the last one for good", async () => {
    const made = await organization();
    const tenant = parseId("tenant", made.tenant) ?? newId("tenant");
    const db = running.database.open();
    const owners = [newId("account"), newId("account")];
    await db.of(tenant).transaction(async (tx) => {
      for (const owner of owners)
        await tx.run(sql`insert into memberships (tenant_id, account_id, role, created_at)
          values (${tenant}, ${owner}, 'owner', now())`);
    });
    const own = managerOf(made);
    await own.call("GET", made.path);
    const answers = await Promise.all([
      own.call("DELETE", `${made.path}/members/${owners[0]}`),
      own.call("PATCH", `${made.path}/members/${owners[1]}`, { role: "member" }),
    ]);
    expect(answers.filter(({ body }) => body["code"] === "last_owner")).toHaveLength(1);
    const { body } = await own.call("GET", `${made.path}/members`);
    const left = (body["data"] as { role: string }[]).filter(({ role }) => role === "owner");
    expect(left).toHaveLength(1);
  });

  test("T01 its members are its own business, also for who made it", async () => {
    const made = await organization();
    for (const who of [manager, operator]) {
      expect((await who.call("GET", `${made.path}/members`)).status).toBe(404);
      expect((await who.call("POST", `${made.path}/members`, { email: "x@example.com" })).status).toBe(404);
      expect((await who.call("DELETE", `${made.path}/members/${newId("account")}`)).status).toBe(404);
    }
    expect((await managerOf(made).call("DELETE", `${made.path}/members/${newId("account")}`)).status).toBe(
      404,
    );
  });
});

/** A webhook with its lane, an identity provider with somebody's identity, a domain, and somebody who waits. */
async function leaveThings(tenant: string): Promise<string> {
  const [provider, webhook] = [newId("provider"), newId("webhook")];
  for (const statement of [
    `insert into webhooks (tenant_id, id, name, url, events, active, secret, created_at, updated_at)
      values ($1, '${webhook}', 'Ours', 'https://hooks.example/', '{*}', true, 'secret', now(), now())`,
    `insert into webhook_lanes (tenant_id, webhook_id) values ($1, '${webhook}')`,
    `insert into identity_providers (tenant_id, id, name, issuer, client_id, auth_method, sealed_secret, scopes,
        email_domains, link_policy, jit_policy, aal2_acr_values, status, created_at, changed_at)
      values ($1, '${provider}', 'Ours', 'https://idp.example', 'us', 'client_secret_basic', 'secret', '{openid}', '{}',
        'none', 'off', '{}', 'active', now(), now())`,
    `insert into identities (id, provider_id, subject_digest, account_id, sealed, created_at)
      values ($1, '${provider}', 'subject', 'acc_somebody', 'sealed', now())`,
    "insert into email_domains (tenant_id, digest, sealed, assigned_at) values ($1, $1::text::bytea, 'sealed', now())",
    `insert into admissions (tenant_id, id, provider_id, subject_digest, sealed, status, asked_at)
      values ($1, 'adm_somebody', '${provider}', 'subject', 'sealed', 'waiting', now())`,
  ])
    await running.database.asAdmin(statement, [tenant]);
  return provider;
}
async function left(tenant: string): Promise<number> {
  const tables = ["webhooks", "webhook_lanes", "identity_providers", "email_domains", "admissions"];
  const counts = tables.map((table) => `(select count(*) from ${table} where tenant_id = $1)`);
  const sum = `select (${counts.join(" + ")} + (select count(*) from identities where id = $1))::int as sum`;
  const [row] = await running.database.asAdmin<{ sum: number }>(sum, [tenant]);
  return row?.sum ?? -1;
}

describe("a deleted organization acts no more at once, and is erased after 30 days", () => {
  test("once its time is over nobody brings it back, however long its erasure takes", async () => {
    const made = await organization();
    await manager.call("DELETE", made.path);
    const over = "update tenant_standings set erase_at = $2 where tenant_id = $1";
    await running.database.asAdmin(over, [made.tenant, new Date(clock.now())]);
    const answer = await manager.call("PATCH", made.path, { status: "active" });
    expect(answer.body).toMatchObject({ status: 403, detail: "The organization is being erased." });
  });

  test("L12 until then it can be brought back; after it names nobody, no ciphertext of it opens, and its log still verifies", async () => {
    const made = await organization();
    const tenant = parseId("tenant", made.tenant) ?? newId("tenant");
    const db = running.database.open({ record: async () => undefined });
    const log = createLog({ service: "test", level: "silent" });
    const keyring = await openKeyring({ db, source: kekFiles(running.dataDir), clock: systemClock, log });
    await managerOf(made).call("POST", `${made.path}/members`, { email: "kept@example.com" });
    const [invitation] = await running.database.asAdmin<{ id: string; sealed_email: Uint8Array }>(
      "select id, sealed_email from invitations where tenant_id = $1",
      [tenant],
    );
    /** As a backup has it, with the data keys that there are. */
    const readable = async (): Promise<string | undefined> => {
      const message = {
        sealed: invitation?.sealed_email ?? Buffer.of(),
        aad: `invitations.${invitation?.id}`,
      };
      const opened = createKeyring({ kek: keyring.kek, clock: systemClock });
      const text = await db.global.transaction((tx) => opened.open(tx, `invitations:${tenant}`, message));
      return text && Buffer.from(text).toString();
    };
    const ofTenant = "scope like '%:' || $1 or scope = 'identity-provider:' || $2";
    let provider = "none";
    const keys = (): Promise<{ scope: string }[]> =>
      running.database.asAdmin(`select scope from data_keys where wrapped is not null and (${ofTenant})`, [
        tenant,
        provider,
      ]);
    await db.of(tenant).transaction(async (tx) => {
      for (const kind of ["admissions", "approvals", "disputes", "oauth", "webhooks", "mandates"])
        await keyring.seal(tx, `${kind}:${tenant}`, { plaintext: Buffer.from("x"), aad: "a" });
    });
    expect(await readable()).toBe("kept@example.com");
    await agentIn(made, { name: "Named after somebody", owner: "a person" });
    await agentIn(made, { name: "erased", owner: "another person" });
    const own = managerOf(made);
    expect((await own.call("DELETE", made.path)).body).toMatchObject({ status: "deleted" });
    expect((await own.call("GET", made.path)).status).toBe(401);
    expect((await manager.call("PATCH", made.path, { name: "Other" })).body["code"]).toBe("forbidden");
    expect((await manager.call("PATCH", made.path, { status: "active" })).body).toMatchObject({
      status: "active",
      eraseAt: null,
    });
    expect((await manager.call("DELETE", made.path)).body).toMatchObject({ status: "deleted" });
    provider = await leaveThings(made.tenant);
    await db
      .of(tenant)
      .transaction((tx) =>
        keyring.seal(tx, `identity-provider:${provider}`, { plaintext: Buffer.from("x"), aad: "a" }),
      );
    expect(await keys()).toHaveLength(8);
    expect(await left(made.tenant)).toBe(6);
    clock.advance(30 * dayMs + 1);
    const [named, events] = [
      "select name, email, owner from agents where tenant_id = $1",
      "select event from audit_rows where tenant_id = $1",
    ];
    await eventually(async () => {
      const rows = await running.database.asAdmin<{ event: string }>(events, [made.tenant]);
      expect(rows.map(({ event }) => event)).toContain("tenant.erased");
    });
    expect(await left(made.tenant)).toBe(0);
    expect(await running.database.asAdmin(named, [made.tenant])).toEqual([
      { name: "erased", email: null, owner: null },
      { name: "erased", email: null, owner: null },
    ]);
    const kept = await running.database.asAdmin<{ event: string }>(events, [made.tenant]);
    expect(kept.map(({ event }) => event)).toContain("agent.registered");
    expect(
      await running.database.asAdmin("select slug from tenant_standings where tenant_id = $1", [made.tenant]),
    ).toEqual([{ slug: null }]);
    expect(await readable()).toBeUndefined();
    // Mandates and disputes are evidence for ten years, and a card network may yet dispute.
    expect((await keys()).map(({ scope }) => scope).toSorted()).toEqual([
      `disputes:${tenant}`,
      `mandates:${tenant}`,
    ]);
    const issuerKeys = createIssuerKeys({ db, kek: keyring.kek, clock: systemClock, log });
    await issuerKeys.load();
    const anchor = createFileAnchor(path.join(running.dataDir, "anchor"));
    const auditing = { db, keys: issuerKeys, anchor, clock, issuer: running.issuer, log };
    const verified = await createVerifications(auditing)(tenant);
    expect(verified).toMatchObject({ verified: true, checkedCount: verified.headSeq });
    clock.advance(3_653 * dayMs + 1);
    await eventually(async () => expect(await keys()).toEqual([]));
    expect((await createVerifications(auditing)(tenant)).verified).toBe(true);
    keyring.close();
  });
});
