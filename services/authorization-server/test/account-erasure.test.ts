import { parseId } from "@remit/kernel";
import { failpointOf, setFailpoint } from "@remit/platform/failpoint";
import { type Statement, sql } from "@remit/platform/sql";
import { createChainVerifier, publicJwkOf } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readEntries } from "../src/audit/audit.ts";
import { callApi } from "./api.ts";
import { approvalsOf, askPerson, newAgent, pollPerson } from "./asking.ts";
import { Browser, formOf } from "./browser.ts";
import type { Answer, OAuthClient } from "./client.ts";
import { openConsent } from "./consent.ts";
import { type InWallet, openWallet } from "./in-wallet.ts";
import { Management } from "./management.ts";
import { askAsWallet, letterTo, walletOf } from "./person.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { adminSecret, principal, type Running, startServer, walletRedirect } from "./running.ts";
import { startTold, type Told } from "./told.ts";

let running: Running;
let receiver: Receiver;
let wallet: InWallet;
/** What billing and the portal are told. */
let told: Told;

beforeEach(async () => {
  [receiver, told] = await Promise.all([startReceiver(), startTold()]);
  const { origin: billing } = told;
  running = await startServer({
    tenantOutboundAllow: [receiver.host],
    outboundAllow: [new URL(billing).host],
    billing,
    peers: { billing, portal: billing },
  });
  await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    wallet: {
      jwks: { keys: [publicJwkOf(running.wallet.assertion)] },
      redirectUris: [walletRedirect],
      backchannelLogoutUri: receiver.uri,
    },
  });
  wallet = await openWallet(running);
});
afterEach(async () => {
  setFailpoint(undefined);
  await running.close();
  await Promise.all([receiver.close(), told.close()]);
});

const erase = (by: InWallet = wallet, email = principal.email): Promise<Answer> =>
  by.call("POST", "/api/v1/account/erase", { confirm_email: email });

const rows = <R extends object = { count: number }>(text: string, params: unknown[] = []): Promise<R[]> =>
  running.database.asAdmin<R>(text, params);
const count = async (text: string, ...params: unknown[]): Promise<number> =>
  (await rows(`select count(*)::int as count from ${text}`, params))[0]?.count ?? -1;

/** An agent with a mandate of the principal's, and its tokens. */
async function mandated(): Promise<{ agent: OAuthClient; tokens: Answer; mandate: string }> {
  const agent = await newAgent(running);
  const asked = await askPerson(agent);
  const [waiting] = await approvalsOf(
    { send: ({ path = "", method = "GET" }) => wallet.call(method === "GET" ? "GET" : "POST", path) },
    "pending",
  );
  await wallet.call("POST", `/api/v1/approvals/${String(waiting?.["id"])}/approve`, {});
  const tokens = await pollPerson(agent, asked);
  return { agent, tokens, mandate: String(tokens.body["mandate_id"]) };
}

const signInAgain = async (): Promise<boolean> => {
  const { url } = await askAsWallet(running, walletOf(running));
  const page = await openConsent(new Browser(), url, principal);
  return page.status === 302 || !("password" in formOf(page).fields);
};

/** An organization beside the personal one. */
async function company(role: string, others: readonly string[] = []): Promise<string> {
  const manager = new Management(running);
  const made = await manager.call("POST", "/api/v1/organizations", { name: "Acme", slug: `acme-${role}` });
  const id = String(made.body["organizationId"]);
  await rows("update tenant_standings set made_by = null where tenant_id = $1", [id]);
  for (const [account, as] of [[running.account, role], ...others.map((one) => [one, "owner"])])
    await rows(
      "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, $3, now())",
      [id, account, as],
    );
  return id;
}

/** The log of the person's organization, entry by entry (as anybody verifies it). */
async function logHolds(): Promise<readonly string[]> {
  const tenant = parseId("tenant", running.tenant);
  if (tenant === undefined) throw new Error("a tenant has an id");
  const db = running.database.open({});
  try {
    return await eventually(async () => {
      const waiting = await count(
        "audit_rows where tenant_id = $1 and event_id not in (select event_id from audit_chain where tenant_id = $1)",
        tenant,
      );
      expect(waiting).toBe(0);
      const verifier = createChainVerifier(sha256, tenant);
      const entries = await readEntries(db, tenant, { after: 0, limit: 1_000 });
      for (const entry of entries) expect(verifier.accept(entry)).toBeUndefined();
      return entries.map(({ event }) => event);
    });
  } finally {
    await db.close();
  }
}

describe("a person has their account erased", () => {
  test("mandates, sessions, tokens and ways in end at once, and what names them is destroyed", async () => {
    const other = await openWallet(running);
    const { agent, tokens, mandate } = await mandated();
    const [before] = await rows<{ personal: Buffer }>("select personal from accounts where id = $1", [
      running.account,
    ]);
    expect(before?.personal.length).toBeGreaterThan(0);
    expect(await erase()).toMatchObject({ status: 200, body: { account_id: running.account } });

    const states = await rows("select state, because from mandates where id = $1", [mandate]);
    expect(states).toMatchObject([{ state: "revoked" }]);
    const list = await count("sessions where account_id = $1 and ended_at is null", running.account);
    expect(list).toBe(0);
    for (const one of [wallet, other]) {
      expect((await one.call("GET", "/api/v1/sessions")).status).toBe(401);
      expect((await one.refreshed()).body["error"]).toBe("invalid_grant");
    }
    const again = { grant_type: "refresh_token", refresh_token: String(tokens.body["refresh_token"]) };
    expect((await agent.post("/oauth/token", again)).status).toBeGreaterThanOrEqual(400);
    for (const table of ["passkeys", "authenticator_apps", "recovery_codes", "former_passwords"])
      expect(await count(`${table} where account_id = $1`, running.account)).toBe(0);
    const [kept] = await rows("select personal, password_digest from accounts where id = $1", [
      running.account,
    ]);
    expect(kept).toMatchObject({ personal: Buffer.alloc(0), password_digest: null });
    const keys = await rows("select wrapped from data_keys where scope = $1", [`account:${running.account}`]);
    expect(keys).toMatchObject([{ wrapped: null }]);
    expect(await rows("select name from tenants where tenant_id = $1", [running.tenant])).toEqual([
      { name: "erased" },
    ]);
    // The agents that were theirs act no more.
    expect(
      (await agent.credentials({ scope: "oid4ac:payment", resource: "https://shop.example" })).status,
    ).toBeGreaterThanOrEqual(400);
  });

  test("the portal forgets them, and billing their cards once nothing is owed on one: told until heard", async () => {
    const { mandate } = await mandated();
    await rows(
      `insert into tabs (tenant_id, id, mandate_id, agent_id, merchant_id, merchant_tenant_id, merchant_client_id,
          currency, owed_minor, limit_minor, charge_id, opened_at, due_at, livemode)
        select tenant_id, 'tab_1', id, agent_id, 'mrc_1', 'org_1', 'cli_1', 'EUR', 40, 500, 'chg_1', now(), now() + interval '1 d', false
        from mandates where id = $1`,
      [mandate],
    );
    told.away = 2;
    expect((await erase()).status).toBe(200);
    const forgotten = { notices: [], answered: [], forgotten: [running.account] };
    await eventually(() => expect(told.heard("/api/v1/notices")).toContainEqual(forgotten));
    const waiting = () =>
      rows<{ later: boolean }>(
        "select run_at > now() + interval '1 minute' as later from jobs where queue = 'payers.forget'",
      );
    await eventually(async () => expect(await waiting()).toEqual([{ later: true }]));
    expect(told.heard("/api/v1/payment-methods/forget")).toEqual([]);
    await rows("update tabs set state = 'settled', ended_at = now()");
    await rows("update jobs set run_at = now() where queue = 'payers.forget'");
    const payer = { organization_id: running.tenant };
    await eventually(() => expect(told.heard("/api/v1/payment-methods/forget")).toEqual([payer]));
    await eventually(async () => expect(await waiting()).toEqual([]));
  });

  test("applications are told by back-channel logout, and the organization is erased after its time", async () => {
    await erase();
    const heard = await receiver.heard(1);
    const [, payload = ""] = String(heard[0]).split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ sub: running.account });
    const due = await rows("select key from jobs where queue = 'organization_erasures'");
    expect(due).toEqual([{ key: running.tenant }]);
  });

  test("the log is whole afterwards, says so, and names nobody", async () => {
    await mandated();
    await erase();
    const events = await logHolds();
    expect(events).toEqual(
      expect.arrayContaining(["account.purged", "mandate.revoked", "session.ended", "tenant.deleted"]),
    );
    const bodies = await rows<{ body: string }>("select body from audit_rows where tenant_id = $1", [
      running.tenant,
    ]);
    const text = bodies.map(({ body }) => body).join("\n");
    expect(text).not.toContain(principal.email);
    expect(text).not.toContain('"Ada');
  });

  test("the same address signs up anew as another person, who has nothing of the former", async () => {
    await mandated();
    await erase();
    expect(await signInAgain()).toBe(false);
    const anew = await running.service.bootstrap({
      tenant: { name: "Ada's again" },
      principal,
      admin: { clientSecret: `${adminSecret}-anew` },
    });
    expect(anew.account).not.toBe(running.account);
    const later = await openWallet(running);
    expect((await later.call("GET", "/api/v1/mandates")).body["data"]).toEqual([]);
  });

  test("five times at once it is done once", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => erase()));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await count("audit_rows where event = 'account.purged'")).toBe(1);
  });
});

describe("whoever dies in the midst has done nothing, and it is done when asked again", () => {
  test.each(["account.ending", "account.ended"])("at %s", async (place) => {
    const { mandate } = await mandated();
    setFailpoint(failpointOf(`${place}:error`, "test"));
    expect((await erase()).status).toBe(500);
    expect(await rows("select state from mandates where id = $1", [mandate])).toEqual([{ state: "active" }]);
    expect((await wallet.call("GET", "/api/v1/sessions")).status).toBe(200);
    expect(await erase()).toMatchObject({ status: 200 });
    expect(await rows("select state from mandates where id = $1", [mandate])).toEqual([{ state: "revoked" }]);
  });
});

describe("whoever joins an organization meanwhile", () => {
  /** The organization, and the code by which the principal joins it. */
  async function invited(): Promise<{ acme: string; code: string }> {
    const made = await new Management(running).call("POST", "/api/v1/organizations", {
      name: "Acme",
      slug: "acme",
    });
    const { clientId, clientSecret } = made.body["admin"] as { clientId: string; clientSecret: string };
    const acme = String(made.body["organizationId"]);
    await rows("update tenant_standings set made_by = null where tenant_id = $1", [acme]);
    const own = new Management({ ...running, adminId: clientId }, clientSecret);
    const invitation = { email: principal.email, role: "member" };
    await own.call("POST", `/api/v1/organizations/${acme}/members`, invitation);
    const { text } = await letterTo(running, principal.email);
    return { acme, code: /code=(\S+)$/m.exec(text)?.[1] ?? "" };
  }
  const accept = (code: string): Promise<Answer> =>
    wallet.call("POST", "/api/v1/invitations/accept", { code });
  const waits = (query: string): Promise<unknown> =>
    eventually(async () => {
      const found =
        "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1";
      expect(await count(found, query)).toBe(1);
    });

  /** What is done while rows of a tenant are somebody else's. */
  async function holding<R>(tenant: string, held: Statement, work: () => Promise<R>): Promise<R> {
    const id = parseId("tenant", tenant);
    if (id === undefined) throw new Error("a tenant has an id");
    const db = running.database.open({});
    try {
      return await db.of(id).transaction(async (tx) => {
        await tx.run(held);
        return work();
      });
    } finally {
      await db.close();
    }
  }
  const memberships = (acme: string): Promise<number> =>
    count("memberships where account_id = $1 and tenant_id = $2", running.account, acme);

  test("after all were listed is taken out of it too", async () => {
    const { acme, code } = await invited();
    const both = await holding(acme, sql`select from invitations for update`, async () => {
      const joined = accept(code);
      await waits("update invitations%");
      const erased = erase();
      // It waits for who joins; if it did not, it would be done by now.
      await Promise.race([erased, waits("%from accounts%for update%")]);
      return { joined, erased };
    });
    expect(await both.joined).toMatchObject({ status: 200, body: { role: "member" } });
    expect((await both.erased).status).toBe(200);
    expect(await memberships(acme)).toBe(0);
  });

  test("while the account ends joins nothing", async () => {
    const { acme, code } = await invited();
    const both = await holding(running.tenant, sql`select from sessions for update`, async () => {
      const erased = erase();
      await waits("%sessions%for update%");
      const joined = accept(code);
      await Promise.race([joined, waits("%from accounts%for key share%")]);
      return { joined, erased };
    });
    expect((await both.erased).status).toBe(200);
    expect(await both.joined).toMatchObject({ status: 400, body: { code: "invitation_invalid" } });
    expect(await memberships(acme)).toBe(0);
  });
});

describe("it is refused, and nothing is done,", () => {
  test("while an organization would be left without an owner, which is named; a member just leaves", async () => {
    const owned = await company("owner");
    const joined = await company("member");
    const refused = { status: 409, body: { code: "account_owns_organizations", organizations: [owned] } };
    expect(await erase()).toMatchObject(refused);
    const here = "memberships where account_id = $1 and tenant_id = $2";
    expect(await count(here, running.account, joined)).toBe(1);
    expect((await wallet.call("GET", "/api/v1/sessions")).status).toBe(200);
    const heir = await running.service.bootstrap({
      tenant: { name: "Grace's" },
      principal: { email: "grace@example.com", name: "Grace", password: "words that nobody else has" },
      admin: { clientSecret: `${adminSecret}-of-grace` },
    });
    await rows(
      "insert into memberships (tenant_id, account_id, role, created_at) values ($1, $2, 'owner', now())",
      [owned, heir.account],
    );
    expect((await erase()).status).toBe(200);
    for (const id of [owned, joined]) expect(await count(here, running.account, id)).toBe(0);
  });

  test("without the person's own address, typed", async () => {
    for (const email of ["", "ada@example.org", "erase"])
      expect((await erase(wallet, email)).status).toBe(400);
    expect((await wallet.call("GET", "/api/v1/sessions")).status).toBe(200);
    expect((await erase(wallet, ` ${principal.email.toUpperCase()} `)).status).toBe(200);
  });

  test("T01 by a program, and for an organization", async () => {
    const manager = new Management(running);
    const sent = await manager.call("POST", "/api/v1/account/erase", { confirm_email: principal.email });
    const acme = await company("owner");
    const acting = await wallet.wallet.post("/oauth/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      subject_token: wallet.access,
      organization_id: acme,
    });
    expect(acting.status).toBe(200);
    const asAcme = await callApi(running, {
      token: String(acting.body["access_token"]),
      key: wallet.wallet.keys.dpop,
      method: "POST",
      path: "/api/v1/account/erase",
      body: { confirm_email: principal.email },
    });
    // What is a person's own is in the scope of neither.
    for (const refused of [sent, asAcme])
      expect(refused).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
    expect(await count("accounts where disabled_at is not null")).toBe(0);
  });
});
