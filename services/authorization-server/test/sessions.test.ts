import { newId } from "@remit/kernel";
import { sha256b64url } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { Browser, formOf } from "./browser.ts";
import { newClient, OAuthClient } from "./client.ts";
import {
  approve,
  authorizeUrl,
  exchange,
  newAsking,
  obtainCode,
  openConsent,
  pushedForm,
  redirectUri,
} from "./consent.ts";
import { type InWallet, openWallet } from "./in-wallet.ts";
import { newKeys, type Running, startServer } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await startServer();
});
afterAll(() => running.close());

const payloadOf = (jwt: string): Record<string, unknown> =>
  Object(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
const sidOf = ({ access }: InWallet): string => String(payloadOf(access)["sid"]);
const statusOf = async (person: InWallet): Promise<number> =>
  (await person.call("GET", "/api/v1/sessions")).status;
const idOf = async (person: InWallet): Promise<string> => {
  const [row] = await running.database.asAdmin<{ id: string }>("select id from sessions where sid = $1", [
    sidOf(person),
  ]);
  return row?.id ?? "";
};
const rowOf = async (person: InWallet): Promise<Record<string, unknown>> => {
  const [row] = await running.database.asAdmin("select * from sessions where sid = $1", [sidOf(person)]);
  return row ?? {};
};
const eventsOf = async (id: string): Promise<string[]> =>
  (
    await running.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event_id",
      [id],
    )
  ).map(({ event }) => event);
const age = (person: InWallet, column: string, interval: string): Promise<unknown> =>
  running.database.asAdmin(
    `update sessions set ${column} = ${column} - interval '${interval}' where sid = $1`,
    [sidOf(person)],
  );
/** Whether this browser has to sign in to be asked for another consent. */
const asksForPassword = async (browser: Browser): Promise<boolean> => {
  const agent = await newClient(running, "agent");
  const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
  const page = await browser.open(authorizeUrl(running, agent.id, pushed.body["request_uri"]), redirectUri);
  return page.html.includes('type="password"');
};

test("a person sees where they are signed in, with what device, and which of them this is", async () => {
  const person = await openWallet(running);
  const { status, body } = await person.call("GET", "/api/v1/sessions");
  expect(status).toBe(200);
  const data = body["data"] as Record<string, unknown>[];
  const mine = data.filter(({ current }) => current === true);
  expect(mine).toMatchObject([
    { id: await idOf(person), ip: "127.0.0.1", device: "Unknown device", amr: ["pwd"] },
  ]);
  expect(await eventsOf(await idOf(person))).toEqual(["session.started"]);
  const row = await rowOf(person);
  expect(JSON.stringify(row)).not.toContain("127.0.0.1");
  expect(JSON.stringify(await running.database.asAdmin("select body from audit_rows"))).not.toContain(
    "127.0.0.1",
  );
});

describe("A11 a session that was ended opens nothing, anywhere, at once", () => {
  test("A11 its tokens, its refresh token and its cookie; another session goes on", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    const ended = await here.call("POST", `/api/v1/sessions/${await idOf(there)}/revoke`);
    expect(ended).toMatchObject({ status: 200, body: { ended: 1 } });
    expect(await statusOf(there)).toBe(401);
    expect((await there.refreshed()).body["error"]).toBe("invalid_grant");
    expect(await asksForPassword(there.browser)).toBe(true);
    expect(await statusOf(here)).toBe(200);
    expect(await asksForPassword(here.browser)).toBe(false);
    expect(await eventsOf(await idOf(there))).toEqual(["session.started", "session.ended"]);
    expect(await rowOf(there)).toMatchObject({ ended_because: "revoked_by_person" });
  });

  test("A11 all others: this one alone is left, and an agent's mandate goes on", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    const agent = await newClient(running, "agent");
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const answer = await here.call("POST", "/api/v1/sessions/revoke", { which: "others" });
    expect(Number(answer.body["ended"])).toBeGreaterThanOrEqual(2);
    expect([await statusOf(here), await statusOf(there)]).toEqual([200, 401]);
    const listed = await here.call("GET", "/api/v1/sessions");
    expect(listed.body["data"]).toHaveLength(1);
    const again = { grant_type: "refresh_token", refresh_token: String(tokens.body["refresh_token"]) };
    expect((await agent.post("/oauth/token", again)).status).toBe(200);
  });

  test("A11 all: also this one, and the same token is refused in its next breath", async () => {
    const here = await openWallet(running);
    expect((await here.call("POST", "/api/v1/sessions/revoke", { which: "all" })).status).toBe(200);
    expect(await statusOf(here)).toBe(401);
  });

  test("A11 twenty revocations at once end it once", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    const id = await idOf(there);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => here.call("POST", `/api/v1/sessions/${id}/revoke`)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(19);
    expect((await eventsOf(id)).filter((event) => event === "session.ended")).toHaveLength(1);
  });

  test("A11 offline access outlives it: the refresh token goes on, under no session's name", async () => {
    const [here, there] = [await openWallet(running), await openWallet(running)];
    await running.database.asAdmin("update oauth_grants set outlives_session = true where session_sid = $1", [
      sidOf(there),
    ]);
    await here.call("POST", "/api/v1/sessions/revoke", { which: "others" });
    const { status, body } = await there.refreshed();
    expect(status).toBe(200);
    expect(payloadOf(String(body["access_token"]))["sid"]).toBeUndefined();
    const call = {
      token: String(body["access_token"]),
      key: there.wallet.keys.dpop,
      path: "/api/v1/sessions",
    };
    expect((await callApi(running, call)).status).toBe(200);
    expect(await asksForPassword(there.browser)).toBe(true);
  });
});

describe("A16 a session lasts as long as it may and no longer", () => {
  test("A16 unused for half an hour it is over, also for its refresh token", async () => {
    const person = await openWallet(running);
    await age(person, "last_seen_at", "30 minutes");
    expect((await person.refreshed()).body["error"]).toBe("invalid_grant");
    expect(await asksForPassword(person.browser)).toBe(true);
  });

  test("A16 use keeps it, also by the application alone, and is written down once in a while", async () => {
    const person = await openWallet(running);
    await age(person, "last_seen_at", "29 minutes");
    const before = await rowOf(person);
    expect((await person.refreshed()).status).toBe(200);
    const used = await rowOf(person);
    expect(used["last_seen_at"]).not.toEqual(before["last_seen_at"]);
    await age(person, "last_seen_at", "30 seconds");
    const lately = await rowOf(person);
    await asksForPassword(new Browser());
    expect(await rowOf(person)).toEqual(lately);
  });

  test("A16 twelve hours after its first sign-in it is over, whatever happened in between", async () => {
    const person = await openWallet(running);
    const limit = (await rowOf(person))["absolute_expires_at"];
    await openWallet(running, { browser: person.browser });
    expect((await rowOf(person))["absolute_expires_at"]).toEqual(limit);
    await age(person, "absolute_expires_at", "12 hours");
    expect((await person.refreshed()).body["error"]).toBe("invalid_grant");
    expect(await asksForPassword(person.browser)).toBe(true);
  });

  test("A16 the cookie changes at each sign-in, and the one before opens nothing", async () => {
    const person = await openWallet(running);
    const [before, signature] = ["", ".sig"].map((end) => person.browser.cookie(`remit_session${end}`));
    const sid = sidOf(person);
    await openWallet(running, { browser: person.browser });
    const now = person.browser.cookie("remit_session");
    expect(now).not.toBe(before);
    expect(await rowOf(person)).toMatchObject({ sid, cookie_digest: sha256b64url(now ?? "") });
    const thief = new Browser();
    thief.plant("remit_session", before ?? "", signature ?? "");
    expect(await asksForPassword(thief)).toBe(true);
  });

  test("A16 a person has fifty at most: the one seen longest ago gives way", async () => {
    const person = await openWallet(running);
    await age(person, "last_seen_at", "10 minutes");
    await running.database.asAdmin(
      `insert into sessions (tenant_id, id, sid, account_id, cookie_digest, sealed, created_at, authenticated_at,
          last_seen_at, absolute_expires_at)
        select tenant_id, id || n, sid || n, account_id, n::text, sealed, created_at, authenticated_at,
          last_seen_at + interval '5 minutes', absolute_expires_at
        from sessions, generate_series(1, 49) n where sid = $1`,
      [sidOf(person)],
    );
    await openWallet(running);
    expect(await rowOf(person)).toMatchObject({ ended_because: "superseded" });
    await running.database.asAdmin("delete from sessions where cookie_digest ~ '^[0-9]+$'");
  });
});

describe("T01 another person's sessions are as unknown as made-up ones", () => {
  test("T01 revoking one", async () => {
    const victim = await openWallet(running);
    const secret = "another-admin-secret-of-many-random-bits-012345";
    const eve = { email: "eve@example.com", name: "Eve", password: "another correct horse" };
    await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: eve,
      admin: { clientSecret: secret },
    });
    const attacker = await openWallet(running, { as: eve });
    const theirs = await attacker.call("POST", `/api/v1/sessions/${await idOf(victim)}/revoke`);
    const nobodys = await attacker.call("POST", `/api/v1/sessions/${newId("session")}/revoke`);
    expect(theirs.status).toBe(404);
    expect({ ...theirs.body, request_id: "" }).toEqual({ ...nobodys.body, request_id: "" });
    expect(await statusOf(victim)).toBe(200);
    const all = await attacker.call("POST", "/api/v1/sessions/revoke", { which: "others" });
    expect(all.body).toEqual({ ended: 0 });
    expect(await statusOf(victim)).toBe(200);
  });

  test("T01 an agent has none, and no scope for them", async () => {
    const agent = await newClient(running, "agent");
    const { body } = await agent.credentials({ resource: running.issuer, scope: "oid4ac:payment" });
    const call = { token: String(body["access_token"]), key: agent.keys.dpop, path: "/api/v1/sessions" };
    expect((await callApi(running, call)).body["code"]).toBe("insufficient_scope");
  });
});

describe("A10 a refresh token that comes back after its successor was used", () => {
  const refreshWith = (client: OAuthClient, token: unknown) =>
    client.post("/oauth/token", { grant_type: "refresh_token", refresh_token: String(token) });

  test("A10 ends its person's session at once and everything in it, however often it comes, and no other session", async () => {
    const person = await openWallet(running);
    const besides = await openWallet(running, { browser: person.browser });
    const there = await openWallet(running);
    expect(sidOf(besides)).toBe(sidOf(person));
    const successor = (await person.refreshed()).body["refresh_token"];
    expect((await refreshWith(person.wallet, successor)).status).toBe(200);
    const replays = await Promise.all(Array.from({ length: 8 }, () => person.refreshed()));
    for (const { body } of replays) expect(body["error"]).toBe("invalid_grant");
    expect([await statusOf(person), await statusOf(besides)]).toEqual([401, 401]);
    expect((await besides.refreshed()).body["error"]).toBe("invalid_grant");
    const row = await rowOf(person);
    expect(row).toMatchObject({ ended_because: "security" });
    expect(await eventsOf(String(row["id"]))).toEqual(["session.started", "session.ended"]);
    expect(await asksForPassword(person.browser)).toBe(true);
    expect(await statusOf(there)).toBe(200);
  });

  test("A10 suspends a mandate, which does not end with a session, and leaves its principal signed in", async () => {
    const person = await openWallet(running);
    const agent = await newClient(running, "agent");
    const asking = newAsking();
    const pushed = await agent.post("/oauth/par", pushedForm(asking));
    const url = authorizeUrl(running, agent.id, pushed.body["request_uri"]);
    const answer = await approve(person.browser, await openConsent(person.browser, url));
    const code = answer.searchParams.get("code") ?? "";
    const given = await exchange(agent, { asking, answer, code });
    const [grant] = await running.database.asAdmin(
      "select session_sid from oauth_grants where client_id = $1",
      [agent.id],
    );
    expect(grant).toEqual({ session_sid: sidOf(person) });
    const first = await refreshWith(agent, given.body["refresh_token"]);
    expect((await refreshWith(agent, first.body["refresh_token"])).status).toBe(200);
    expect((await refreshWith(agent, given.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    const mandates = await running.database.asAdmin("select state from mandates where agent_id = $1", [
      agent.id,
    ]);
    expect(mandates).toEqual([{ state: "suspended" }]);
    expect(await statusOf(person)).toBe(200);
  });

  test("A10 changes nothing for whoever is not the client it was given to", async () => {
    const person = await openWallet(running);
    const successor = (await person.refreshed()).body["refresh_token"];
    await refreshWith(person.wallet, successor);
    const thief = new OAuthClient(running, "wallet", newKeys());
    expect((await refreshWith(thief, person.refresh)).body["error"]).toBe("invalid_client");
    expect(await statusOf(person)).toBe(200);
  });
});

test("A11 a consent that was open when its session ended gives nothing", async () => {
  const person = await openWallet(running);
  const agent = await newClient(running, "agent");
  const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
  const page = await openConsent(person.browser, authorizeUrl(running, agent.id, pushed.body["request_uri"]));
  await person.call("POST", "/api/v1/sessions/revoke", { which: "all" });
  const { action, fields } = formOf(page);
  const answer = await person.browser.open(action, redirectUri, { ...fields, decision: "approve" });
  expect(answer.status).toBe(404);
  const mandates = await running.database.asAdmin("select id from mandates where agent_id = $1", [agent.id]);
  expect(mandates).toEqual([]);
});

test("V06 an id that is no id, and members nobody knows, are refused", async () => {
  const person = await openWallet(running);
  for (const id of ["ses_' or 1=1--", "__proto__", "%00", "ses_0"])
    expect((await person.call("POST", `/api/v1/sessions/${encodeURIComponent(id)}/revoke`)).status).toBe(400);
  expect((await person.call("POST", "/api/v1/sessions/revoke", { which: "mine" })).status).toBe(400);
  const more = { which: "others", ["__proto__x"]: 1 };
  expect((await person.call("POST", "/api/v1/sessions/revoke", more)).status).toBe(400);
});
