import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Answer, adminToken, callAsAdmin, newClient, type OAuthClient, read } from "./client.ts";
import { adminSecret, freePort, type Running, startServer, startWith } from "./running.ts";

let running: Running;
let metricsPort: number;
let other: { origin: string; close: () => Promise<void> };
let agent: OAuthClient;

// Two processes of one installation: one database, one data directory, one issuer behind two addresses.
beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  const { issuer, dataDir } = running;
  const second = await startWith(running.database, { issuer, dataDir });
  other = { origin: second.issuer, close: second.close };
});
afterAll(async () => {
  await other?.close();
  await running?.close();
});

beforeEach(async () => {
  agent = await newClient(running, "agent");
  await agent.learnNonce();
});

const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString("utf8"));

/** How many token requests were answered by whom, so that no test of the fast way passes on the slow one. */
async function answeredBy(): Promise<{ issuance: number; core: number }> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const of = (by: string): number =>
    Number(new RegExp(`token_requests_total{by="${by}"[^}]*} (\\d+)`).exec(text)?.[1] ?? 0);
  return { issuance: of("issuance"), core: of("core") };
}

async function counting(work: () => Promise<unknown>): Promise<{ issuance: number; core: number }> {
  const before = await answeredBy();
  await work();
  const after = await answeredBy();
  return { issuance: after.issuance - before.issuance, core: after.core - before.core };
}

/** Whoever answered it, the token's `jti` is in the log. */
async function expectLogged({ body }: Answer): Promise<void> {
  const { jti } = claimsOf(body["access_token"]);
  const rows = await running.database.asAdmin(
    "select 1 from outbox where type = 'token.issued' and payload->'jti' ? $1",
    [jti],
  );
  expect(rows).toHaveLength(1);
}

const tokenUrl = (): string => `${running.issuer}/oauth/token`;

const asserted = (client: OAuthClient, assertion = client.assertion()): Record<string, string> => ({
  grant_type: "client_credentials",
  resource: running.issuer,
  client_id: client.id,
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion: assertion,
});

/** One plain token request to a process, which need not be the issuer's own address. */
async function ask(
  origin: string,
  more: { assertion?: string; dpop?: string; client?: OAuthClient } = {},
): Promise<Answer> {
  const client = more.client ?? agent;
  const dpop = more.dpop ?? client.proof(tokenUrl());
  const body = new URLSearchParams(asserted(client, more.assertion));
  return read(await fetch(`${origin}/oauth/token`, { method: "POST", body, headers: { dpop } }));
}

const bySecret = async (path: string, form: Record<string, string>): Promise<Answer> =>
  read(
    await fetch(running.issuer + path, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "client_credentials", client_id: running.adminId, ...form }),
    }),
  );

describe("a plain request is answered in front of the core", () => {
  test("by assertion and proof, and by secret in both its places", async () => {
    const counted = await counting(async () => {
      expect((await ask(running.issuer)).status).toBe(200);
      expect((await adminToken(running)).status).toBe(200);
      const posted = await bySecret("/oauth/token", { client_secret: adminSecret, scope: "agents:read" });
      expect(posted.body).toMatchObject({ token_type: "Bearer", expires_in: 900, scope: "agents:read" });
    });
    expect(counted).toEqual({ issuance: 3, core: 0 });
  });

  test("with Ed25519 keys too", async () => {
    const keys = { assertion: generateJwk("EdDSA"), dpop: generateJwk("EdDSA") };
    const eddsa = await newClient(running, "agent", keys);
    await eddsa.learnNonce();
    const counted = await counting(async () => {
      expect((await ask(running.issuer, { client: eddsa })).body).toMatchObject({ token_type: "DPoP" });
    });
    expect(counted).toEqual({ issuance: 1, core: 0 });
  });

  test("under the names of the AgentIdP API, whose GET is refused as the endpoint's is", async () => {
    for (const path of ["/api/v1/token", "/oauth2/token"]) {
      const form = { client_secret: adminSecret, scope: "agents:read" };
      expect((await bySecret(path, form)).body).toMatchObject({ scope: "agents:read" });
      expect((await bySecret(path, { ...form, client_secret: "wrong" })).status).toBe(401);
      expect((await fetch(running.issuer + path)).status).toBe(405);
    }
  });

  test("a token's jti stands in the log when the token is in its client's hands", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(running.issuer)));
    const given = answers.map(({ body }) => String(claimsOf(body["access_token"])["jti"]));
    const rows = await running.database.asAdmin<{ payload: { jti: string[] } }>(
      "select payload from outbox where type = 'token.issued' and subject = $1",
      [agent.id],
    );
    expect(rows.flatMap(({ payload }) => payload.jti).toSorted()).toEqual(given.toSorted());
    const audited = await running.database.asAdmin<{ body: string }>(
      "select body from audit_rows where event = 'token.issued' and subject = $1",
      [agent.id],
    );
    const bodies = audited.map(({ body }) => JSON.parse(body) as { payload: { jti: string[] } }); // our own rows
    expect(bodies.flatMap(({ payload }) => payload.jti).toSorted()).toEqual(given.toSorted());
  });
});

describe("what proves a client counts once, in all processes together", () => {
  const both = (n: number): string[] =>
    Array.from({ length: n }, (_, index) => (index % 2 === 0 ? running.issuer : other.origin));

  test("A08 of fifty uses of one assertion in two processes one gets a token", async () => {
    const assertion = agent.assertion();
    const counted = await counting(async () => {
      const answers = await Promise.all(both(50).map((origin) => ask(origin, { assertion })));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      for (const { status, body } of answers)
        if (status !== 200) expect([status, body["error"]]).toEqual([401, "invalid_client"]);
    });
    expect(counted).toEqual({ issuance: 25, core: 0 });
  });

  test("C10 of fifty uses of one proof in two processes one gets a token", async () => {
    const dpop = agent.proof(tokenUrl());
    const answers = await Promise.all(both(50).map((origin) => ask(origin, { dpop })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status, body } of answers)
      if (status !== 200) expect([status, body["error"]]).toEqual([400, "invalid_grant"]);
  });

  test("A08 what was used in front of the core is used for the core, and the other way round", async () => {
    for (const plainFirst of [true, false]) {
      const form = new URLSearchParams(asserted(agent));
      const send = async (plain: boolean): Promise<Answer> =>
        read(
          await fetch(tokenUrl(), {
            method: "POST",
            body: form,
            // Who sends an Origin is answered by the core.
            headers: {
              dpop: agent.proof(tokenUrl()),
              ...(plain ? {} : { origin: "https://page.example" }),
            },
          }),
        );
      const counted = await counting(async () => {
        const first = await send(plainFirst);
        expect(first.status).toBe(200);
        await expectLogged(first);
        expect((await send(!plainFirst)).status).toBe(401);
      });
      expect(counted).toEqual({ issuance: 1, core: 1 });
    }
  });
});

describe("what this process remembers of a client is never the last word", () => {
  test("A11 a suspended agent gets no token from any process, from the moment of its suspension", async () => {
    for (const origin of [running.issuer, other.origin]) expect((await ask(origin)).status).toBe(200);
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/suspend` });
    for (const origin of [running.issuer, other.origin])
      expect((await ask(origin)).body).toMatchObject({ error: "invalid_client" });
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/reactivate` });
    const counted = await counting(async () => expect((await ask(running.issuer)).status).toBe(200));
    expect(counted).toEqual({ issuance: 1, core: 0 });
  });

  test("a client that was disabled, or whose keys were changed, is another client at once", async () => {
    expect((await ask(other.origin)).status).toBe(200);
    const next = generateJwk("ES256");
    await running.database.asAdmin("update agents set assertion_jwk = $2::jsonb where id = $1", [
      agent.id,
      JSON.stringify(publicJwkOf(next)),
    ]);
    expect((await ask(other.origin)).status).toBe(401);
    expect((await ask(other.origin, { assertion: agent.assertion({}, next) })).status).toBe(200);
    await running.database.asAdmin("update clients set disabled_at = now() where id = $1", [agent.id]);
    expect((await ask(other.origin, { assertion: agent.assertion({}, next) })).status).toBe(401);
  });

  test("a change that leaves the client as it was costs it neither its token nor its assertion", async () => {
    expect((await ask(running.issuer)).status).toBe(200);
    await running.database.asAdmin("update agents set name = 'Another name' where id = $1", [agent.id]);
    const counted = await counting(async () => expect((await ask(running.issuer)).status).toBe(200));
    expect(counted).toEqual({ issuance: 1, core: 0 });
  });
});
