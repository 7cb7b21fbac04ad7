import { dayMs, newId, parseId } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { eventually, testClock } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sweepInvitations } from "../src/organizations/members.sql.ts";
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
async function organization(more: object = {}): Promise<Made> {
  const answer = await manager.call("POST", "/api/v1/organizations", { name: "Acme", slug: slug(), ...more });
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
async function leaveThings(tenant: string): Promise<void> {
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

  test("until then it can be brought back; after it names nobody, and its log still stands", async () => {
    const made = await organization();
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
    await leaveThings(made.tenant);
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
  });
});
