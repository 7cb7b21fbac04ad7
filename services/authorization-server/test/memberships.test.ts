import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { Browser, formOf, type Page } from "./browser.ts";
import type { Answer } from "./client.ts";
import { newClient } from "./client.ts";
import { type InWallet, openWallet } from "./in-wallet.ts";
import { Management } from "./management.ts";
import { letterTo } from "./person.ts";
import { adminSecret, principal, type Running, startServer } from "./running.ts";

let running: Running;
let manager: Management;
let graceId: string;
let personal: string;
let wallet: InWallet;
const grace = { email: "grace@example.com", name: "Grace", password: "words that nobody else has" };

beforeAll(async () => {
  running = await startServer();
  manager = new Management(running);
  const admin = { clientSecret: `${adminSecret}-of-grace` };
  const { account, tenant } = await running.service.bootstrap({
    tenant: { name: "Grace's" },
    principal: grace,
    admin,
  });
  [graceId, personal] = [account, tenant];
  wallet = await openWallet(running, { as: grace });
});
afterAll(() => running.close());

type Made = { readonly id: string; readonly path: string; readonly manager: Management };
let made = 0;

async function organization(): Promise<Made> {
  const answer = await manager.call("POST", "/api/v1/organizations", {
    name: "Acme <b>",
    slug: `shop-${++made}`,
  });
  const { clientId, clientSecret } = answer.body["admin"] as { clientId: string; clientSecret: string };
  const id = String(answer.body["organizationId"]);
  const own = new Management({ ...running, adminId: clientId }, clientSecret);
  return { id, path: `/api/v1/organizations/${id}`, manager: own };
}

const letters = new Map<string, number>();
/** The link of a letter that asks Grace to join, or another; each address gets three a day. */
async function linkFor(to: Made, role: string, email = grace.email): Promise<string> {
  const { status, body } = await to.manager.call("POST", `${to.path}/members`, { email, role });
  if (status !== 202) throw new Error(`not invited: ${JSON.stringify(body)}`);
  const nth = (letters.get(email) ?? 0) + 1;
  letters.set(email, nth);
  const { text } = await letterTo(running, email, nth);
  return /^http\S+code=\S+$/m.exec(text)?.[0] ?? "";
}
const codeIn = (link: string): string => new URL(link).searchParams.get("code") ?? "";

/** Makes Grace a member, past the letter. */
async function join(to: Made, role: string): Promise<void> {
  await running.database.asAdmin(
    "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, $3, now())",
    [to.id, graceId, role],
  );
}
const tokenExchange = {
  grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
  subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
};
const actFor = ({ wallet, access }: InWallet, id: string, more: object = {}): Promise<Answer> =>
  wallet.post("/oauth/token", { ...tokenExchange, subject_token: access, organization_id: id, ...more });

const use = ({ wallet }: InWallet, token: unknown, path: string): Promise<Answer> =>
  callApi(running, { token: String(token), key: wallet.keys.dpop, path });

describe("a person acts for an organization that they belong to", () => {
  test("by a token that says so, with the scopes of their role there and no others, and the log says who it was", async () => {
    const [one, other] = [await organization(), await organization()];
    await join(one, "owner");
    await join(other, "member");
    const { body: list } = await wallet.call("GET", "/api/v1/memberships");
    expect(list["data"]).toMatchObject([
      { personal: true, role: "owner" },
      { organizationId: one.id, personal: false, role: "owner" },
      { organizationId: other.id, role: "member" },
    ]);
    const answer = await actFor(wallet, one.id);
    expect(answer.body).toMatchObject({ token_type: "DPoP", scope: expect.stringContaining("admin:orgs") });
    const { access_token: token } = answer.body;
    const claims = JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ organization_id: one.id, sub: graceId, client_id: "wallet" });
    expect((await use(wallet, token, `${one.path}/members`)).status).toBe(200);
    // For one organization is for no other, and none of the person's own money.
    expect((await use(wallet, token, `${other.path}/members`)).status).toBe(404);
    expect((await use(wallet, token, "/api/v1/mandates")).body["code"]).toBe("insufficient_scope");
    const seen = await actFor(wallet, other.id);
    expect(seen.body["scope"]).toBe("agents:read tokens:read offers:read webhooks:read billing:read");
    const members = await use(wallet, seen.body["access_token"], `${other.path}/members`);
    expect(members.body["code"]).toBe("insufficient_scope");
    const invited = await callApi(running, {
      token: String(token),
      key: wallet.wallet.keys.dpop,
      method: "POST",
      path: `${one.path}/members`,
      body: { email: "nobody@example.com", role: "member" },
    });
    expect(invited.status).toBe(202);
    const setup = { token: String(token), key: wallet.wallet.keys.dpop, method: "POST" } as const;
    const asked = { ...setup, path: "/api/v1/setup-tokens", body: { kind: "agent" } };
    expect((await callApi(running, asked)).status).toBe(201);
    const rows = await running.database.asAdmin<{ body: string }>(
      `select body from audit_rows where tenant_id = $1
        and event in ('member.invited', 'token.issued', 'setup_token.issued')`,
      [one.id],
    );
    expect(rows).toHaveLength(3);
    for (const { body } of rows) expect(body).toContain(`{"id":"${graceId}","type":"account"}`);
  });

  test("T11 whoever is taken out, or given another role, is refused at the next call, and may act again by what they are then", async () => {
    const one = await organization();
    await join(one, "owner");
    await one.manager.call("GET", `${one.path}/members`);
    const held = await actFor(wallet, one.id);
    const { access_token: token } = held.body;
    expect((await use(wallet, token, "/api/v1/agents")).status).toBe(200);
    // Somebody else must own it meanwhile.
    await running.database.asAdmin(
      "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, 'owner', now())",
      [one.id, running.account],
    );
    const member = `${one.path}/members/${graceId}`;
    expect((await one.manager.call("PATCH", member, { role: "auditor" })).status).toBe(200);
    expect((await use(wallet, token, "/api/v1/agents")).body["code"]).toBe("token_revoked");
    const next = async (): Promise<Answer> => {
      // What is issued in the second of the change falls under it.
      await running.database.asAdmin(
        "update token_revocations set issued_until = issued_until - interval '2 s'",
      );
      return actFor(wallet, one.id);
    };
    const lesser = await next();
    expect(lesser.body["scope"]).not.toContain("agents:write");
    expect((await use(wallet, lesser.body["access_token"], "/api/v1/agents")).status).toBe(200);
    expect((await one.manager.call("DELETE", member)).status).toBe(204);
    expect((await use(wallet, lesser.body["access_token"], "/api/v1/agents")).body["code"]).toBe(
      "token_revoked",
    );
    expect((await actFor(wallet, one.id)).body["error"]).toBe("invalid_target");
    // Their own account is as it was.
    expect((await wallet.call("GET", "/api/v1/memberships")).status).toBe(200);
  });

  test.each([
    ["taken out", "DELETE", undefined],
    ["made an admin", "PATCH", { role: "admin" }],
  ] as const)(
    "T11 an owner who is %s comes back by no invitation that they sent",
    async (_, method, body) => {
      const one = await organization();
      await join(one, "owner");
      await running.database.asAdmin(
        "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, 'owner', now())",
        [one.id, running.account],
      );
      const { access_token: token } = (await actFor(wallet, one.id)).body;
      const key = wallet.wallet.keys.dpop;
      const path = `${one.path}/members`;
      const invite = (email: string): Promise<Answer> =>
        callApi(running, {
          token: String(token),
          key,
          method: "POST",
          path,
          body: { email, role: "owner" },
        });
      const own = `back-${method.toLowerCase()}@example.com`;
      expect((await invite(own)).status).toBe(202);
      expect((await one.manager.call("POST", path, { email: "kept@example.com" })).status).toBe(202);
      expect([200, 204]).toContain((await one.manager.call(method, `${path}/${graceId}`, body)).status);
      const listed = await one.manager.call("GET", path);
      expect(listed.body["invitations"]).toMatchObject([{ email: "kept@example.com" }]);
      const code = /code=(\S+)$/m.exec((await letterTo(running, own)).text)?.[1];
      const left = await running.database.asAdmin<{ id: string }>(
        "select id from invitations where tenant_id = $1 and created_by = $2",
        [one.id, graceId],
      );
      expect([code, left]).toEqual([expect.stringMatching(/^rms_/), []]);
      const said = await running.database.asAdmin<{ body: string }>(
        "select body from audit_rows where tenant_id = $1 and event = 'member.uninvited'",
        [one.id],
      );
      expect(said).toMatchObject([{ body: expect.stringContaining(`"invited_by":"${graceId}"`) as string }]);
    },
  );

  test("T11 an invitation of somebody who is an owner no more when it is written is refused", async () => {
    const one = await organization();
    await join(one, "owner");
    const { access_token: token } = (await actFor(wallet, one.id)).body;
    // Past everything that would end the token too: as if the call had been let in a moment before.
    await running.database.asAdmin("update memberships set role = 'admin' where tenant_id = $1", [one.id]);
    const answer = await callApi(running, {
      token: String(token),
      key: wallet.wallet.keys.dpop,
      method: "POST",
      path: `${one.path}/members`,
      body: { email: "late@example.com", role: "owner" },
    });
    expect(answer).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await one.manager.call("GET", `${one.path}/members`)).body["invitations"]).toEqual([]);
  });

  test("T07 an invitation is taken back once, by an owner of its organization; its code then joins nobody", async () => {
    const [one, other] = [await organization(), await organization()];
    const code = codeIn(await linkFor(one, "owner", principal.email));
    const { body } = await one.manager.call("GET", `${one.path}/members`);
    const [{ invitationId: id }] = body["invitations"] as [{ invitationId: string }];
    const at = (path: string): string => `${path}/invitations/${id}`;
    for (const path of [at(one.path), at(other.path)])
      expect((await other.manager.call("DELETE", path)).body["code"]).toBe("not_found");
    const admin = new Management(running, adminSecret, "agents:read agents:write");
    expect((await admin.call("DELETE", at(one.path))).body["code"]).toBe("insufficient_scope");
    const answers = await Promise.all([1, 2, 3].map(() => one.manager.call("DELETE", at(one.path))));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 404, 404]);
    const ada = await openWallet(running);
    const accepted = await ada.call("POST", "/api/v1/invitations/accept", { code });
    expect(accepted.body["code"]).toBe("invitation_invalid");
    expect((await one.manager.call("GET", `${one.path}/members`)).body).toEqual({
      data: [],
      invitations: [],
    });
  });

  test("of a full organization nobody becomes a member, and the last of its members may still be changed", async () => {
    const one = await organization();
    const fill = (count: number): Promise<unknown> =>
      running.database.asAdmin(
        `insert into memberships (tenant_id, account_id, role, created_at)
          select $1, 'acc_' || lpad(n::text, 26, '0'), 'owner', now() - interval '1 day'
          from generate_series(1, $2::int) as n on conflict do nothing`,
        [one.id, count],
      );
    await fill(1_000);
    const code = codeIn(await linkFor(one, "admin", principal.email));
    const ada = await openWallet(running);
    const accept = (): Promise<Answer> => ada.call("POST", "/api/v1/invitations/accept", { code });
    expect((await accept()).body).toMatchObject({ code: "invalid_request", status: 400 });
    // Who is one too many all the same, by whatever way, is changed and found.
    await join(one, "owner");
    const path = `${one.path}/members/${graceId}`;
    const changed = await one.manager.call("PATCH", path, { role: "auditor" });
    expect(changed).toMatchObject({ status: 200, body: { accountId: graceId, role: "auditor" } });
    expect((await one.manager.call("DELETE", path)).status).toBe(204);
    const last = `${one.path}/members/acc_${"1000".padStart(26, "0")}`;
    expect((await one.manager.call("DELETE", last)).status).toBe(204);
    // The refusal did not use it up.
    expect(await accept()).toMatchObject({ status: 200, body: { role: "admin" } });
  });

  test("T11 signing out ends it too", async () => {
    const one = await organization();
    await join(one, "admin");
    const there = await openWallet(running, { as: grace });
    const { body } = await actFor(there, one.id);
    expect((await use(there, body["access_token"], "/api/v1/agents")).status).toBe(200);
    expect((await there.call("POST", "/api/v1/sessions/revoke", { which: "all" })).status).toBe(200);
    wallet = await openWallet(running, { as: grace });
    expect((await use(there, body["access_token"], "/api/v1/agents")).body["code"]).toBe("token_revoked");
  });

  test("T07 is refused alike for one that there is not, that they do not belong to, and that does not act", async () => {
    const [foreign, stopped] = [await organization(), await organization()];
    await join(stopped, "owner");
    expect((await manager.call("PATCH", stopped.path, { status: "suspended" })).status).toBe(200);
    const unknown = foreign.id.slice(0, -4) + "0000";
    const answers = [];
    for (const id of [foreign.id, stopped.id, unknown, "'; drop"]) answers.push(await actFor(wallet, id));
    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(answers[0]?.body["error"]).toBe("invalid_target");
    const { body } = await wallet.call("GET", "/api/v1/memberships");
    expect(JSON.stringify(body)).not.toContain(stopped.id);
  });

  test("never by another client, another key, a scope that the role lacks, or a token that is no person's own", async () => {
    const one = await organization();
    await join(one, "auditor");
    const agent = await newClient(running, "agent");
    const as = { ...tokenExchange, subject_token: wallet.access, organization_id: one.id };
    expect((await agent.post("/oauth/token", as)).body["error"]).toBe("unauthorized_client");
    expect((await actFor(wallet, one.id, { scope: "agents:write" })).body["error"]).toBe("invalid_scope");
    expect((await actFor(wallet, one.id, { scope: "agents:read" })).body["scope"]).toBe("agents:read");
    const elsewhere = await actFor(wallet, one.id, { resource: "https://shop.example" });
    expect(elsewhere.body["error"]).toBe("invalid_target");
    const { body } = await actFor(wallet, one.id);
    const again = await actFor({ ...wallet, access: String(body["access_token"]) }, one.id);
    expect(again.body["error"]).toBe("invalid_request");
    const reading = await openWallet(running, { as: grace, scope: "openid wallet:read" });
    await running.database.asAdmin(
      "update memberships set role = 'owner' where tenant_id = $1 and account_id = $2",
      [one.id, graceId],
    );
    const only = await actFor(reading, one.id);
    expect(
      String(only.body["scope"])
        .split(" ")
        .every((scope) => scope.endsWith(":read")),
    ).toBe(true);
  });

  test("T01 the wallet is everybody's: what one person may ask of tokens there says nothing of another's", async () => {
    const one = await organization();
    await join(one, "owner");
    const ada = await openWallet(running);
    const { body } = await actFor(wallet, one.id);
    const call = (token: string) =>
      callApi(running, {
        token: String(body["access_token"]),
        key: wallet.wallet.keys.dpop,
        method: "POST",
        path: "/oauth/introspect",
        form: { token },
      });
    expect((await call(ada.access)).body).toEqual({ active: false });
    expect((await call(ada.refresh)).body).toEqual({ active: false });
  });
});

const signedIn = async (link: string, who: { email: string; password: string }): Promise<[Browser, Page]> => {
  const browser = new Browser();
  const { action, fields } = formOf(await browser.open(link, running.issuer + "/never"));
  const after = await browser.open(action, running.issuer + "/never", {
    ...fields,
    email: who.email,
    password: who.password,
  });
  return [browser, after];
};

describe("the page that an invitation leads to", () => {
  test("asks whoever is signed out to sign in, says who asks, and joins by a form, without a script", async () => {
    const one = await organization();
    const link = await linkFor(one, "admin");
    const [browser, page] = await signedIn(link, grace);
    expect(page.url).toBe(link);
    expect(page.html).toContain("“Acme &lt;b&gt;”");
    expect(page.html).not.toContain("<script");
    expect(page.headers.get("referrer-policy")).toBe("same-origin");
    expect(page.headers.get("cache-control")).toContain("no-store");
    const { action, fields } = formOf(page);
    const done = await browser.open(action, running.issuer + "/never", fields);
    expect(done.html).toContain("You have joined the organization.");
    const { body } = await one.manager.call("GET", `${one.path}/members`);
    expect(body["data"]).toMatchObject([{ email: grace.email, role: "admin" }]);
    // It is used up.
    const again = await browser.open(action, running.issuer + "/never", fields);
    expect([again.status, again.html]).toEqual([
      400,
      expect.stringContaining("lets your account in nowhere"),
    ]);
    // And left by a form too, but for one's own.
    const list = await browser.open(`${running.issuer}/account/organizations`, running.issuer + "/never");
    const leave = formOf(list);
    const out = { ...leave.fields, organization: one.id };
    const left = await browser.open(leave.action, "x:", out);
    expect(left.html).toContain("You have left the organization.");
    expect((await one.manager.call("GET", `${one.path}/members`)).body["data"]).toEqual([]);
    const owned = await organization();
    await join(owned, "owner");
    const kept = await browser.open(leave.action, "x:", { ...out, organization: owned.id });
    expect([kept.status, kept.html]).toEqual([409, expect.stringContaining("You are its last owner")]);
    const own = { ...out, organization: personal };
    expect((await browser.open(leave.action, "x:", own)).status).toBe(403);
  });

  test("A18 says the same of one to somebody else, one that has ended, one that was used, and none at all", async () => {
    const one = await organization();
    const foreign = codeIn(await linkFor(one, "owner", "somebody-else@example.com"));
    const ended = codeIn(await linkFor(one, "owner"));
    await running.database.asAdmin(
      "update invitations set expires_at = now() - interval '1 s' where tenant_id = $1 and role = 'owner'",
      [one.id],
    );
    const unknown = `rms_${"a".repeat(43)}`;
    const at = (code: string): string => `${running.issuer}/account/invitation?code=${code}`;
    const [browser, first] = await signedIn(at(foreign), grace);
    const pages = [first, await browser.open(at(ended), "x:"), await browser.open(at(unknown), "x:")];
    expect(pages.map(({ status }) => status)).toEqual([404, 404, 404]);
    const bare = pages.map(({ html }) => html.replaceAll(/name="csrf" value="[^"]*"/g, ""));
    expect(new Set(bare).size).toBe(1);
    expect(bare[0]).not.toContain("Acme");
    const { action, fields } = formOf(first);
    for (const code of [foreign, ended, unknown, "nonsense"]) {
      const answer = await browser.open(action, "x:", { ...fields, code });
      expect(answer.status).toBe(400);
    }
    // Whoever is signed out learns no more: every code leads to the same sign-in.
    const nobody = await new Browser().open(at(foreign), "x:");
    expect(nobody.html).not.toContain("Acme");
    expect((await one.manager.call("GET", `${one.path}/members`)).body["data"]).toEqual([]);
  });

  test("A17 joins nobody by a link, or by a form of somebody else's page", async () => {
    const one = await organization();
    const link = await linkFor(one, "member");
    const [browser, page] = await signedIn(link, grace);
    const { action, fields } = formOf(page);
    expect((await browser.open(action, "x:", { ...fields, csrf: "forged" })).status).toBe(403);
    expect((await browser.open(link, "x:")).status).toBe(200);
    expect((await one.manager.call("GET", `${one.path}/members`)).body["data"]).toEqual([]);
  });
});
