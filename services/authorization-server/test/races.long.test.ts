import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createAuthorizationServer, migrations } from "@remit/authorization-server";
import { createLog } from "@remit/platform/telemetry";
import { clientAssertionType, publicJwkOf } from "@remit/protocol";
import { startProcess, type TestDatabase, type TestProcess, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, type Form, newClient, type OAuthClient, read } from "./client.ts";
import { exchange, obtainCode, redirectUri } from "./consent.ts";
import { adminSecret, freePort, newKeys, principal, type Running, walletRedirect } from "./running.ts";

// One issuer, two processes of it, one database: what races is settled between them, not inside one event loop.
const uses = 50;
const places = { billing: "http://localhost:3003", directory: "http://localhost:3002" };

let database: TestDatabase;
let dataDir: string;
let running: Running;
let processes: TestProcess[];
/** Where the two listen; the first is the issuer itself, which both say they are. */
let addresses: readonly [string, string];
let agent: OAuthClient;

beforeAll(async () => {
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-races-"));
  const ports = [await freePort(), await freePort()] as const;
  const issuer = `http://localhost:${ports[0]}`;
  addresses = [issuer, `http://localhost:${ports[1]}`];
  running = await bootstrapped(issuer);
  processes = await Promise.all(ports.map((port) => start(issuer, port)));
  agent = await newClient(running, "agent");
});
afterAll(async () => {
  await Promise.all((processes ?? []).map((each) => each.kill()));
  await running.close();
});
beforeEach(() => agent.learnNonce());

const start = (issuer: string, port: number, failpoint = ""): Promise<TestProcess> =>
  startProcess({
    main: fileURLToPath(new URL("../src/main.ts", import.meta.url)),
    env: {
      NODE_ENV: "test",
      REMIT_FAILPOINT: failpoint,
      DATABASE_URL: database.url,
      REMIT_ORIGIN: issuer,
      REMIT_ISSUER: issuer,
      REMIT_PORT: String(port),
      REMIT_SCHEMA: database.schema,
      REMIT_ROLE_APP: database.roles.app,
      REMIT_ROLE_RELAY: database.roles.relay,
      REMIT_ROLE_LOOKUP: database.roles.lookup,
      REMIT_DATA_DIR: dataDir,
      // Fifty at once on a busy machine is no outage.
      REMIT_DATABASE_WAIT_MS: "15000",
      REMIT_BILLING_ORIGIN: places.billing,
      REMIT_DIRECTORY_ORIGIN: places.directory,
      REMIT_PEERS: `billing=${places.billing},directory=${places.directory}`,
    },
    readyWhen: /listening/,
  });

/** First tenant, principal and clients, set up by a server that never listens. */
async function bootstrapped(issuer: string): Promise<Running> {
  const { url: databaseUrl, schema, roles } = database;
  const common = { host: "127.0.0.1", port: 0, outboundAllow: [], livemode: false as const, peers: places };
  const service = createAuthorizationServer({
    config: { origin: issuer, issuer, dataDir, schema, roles, databaseUrl, ...places, ...common },
    log: createLog({ service: "authorization-server", level: "silent" }),
  });
  const wallet = newKeys();
  const { tenant, account, admin } = await service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    wallet: { jwks: { keys: [publicJwkOf(wallet.assertion)] }, redirectUris: [walletRedirect] },
  });
  const close = async (): Promise<void> => {
    await service.close();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  };
  const known = { issuer, service, database, dataDir, tenant, account, wallet, close };
  return { ...known, ...places, adminId: admin.clientId };
}

const authenticated = (assertion = agent.assertion()): Form => ({
  client_id: agent.id,
  client_assertion_type: clientAssertionType,
  client_assertion: assertion,
});

/** Posts to the token endpoint of one process; the proof names the issuer, wherever the request arrives. */
const post = (at: number, form: Form, dpop?: string): Promise<Answer> =>
  postTo(addresses[at % 2] ?? "", form, dpop);

const postTo = async (
  address: string,
  form: Form,
  dpop = agent.proof(agent.url("/oauth/token")),
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  read(
    await fetch(`${address}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams(form),
      headers: { dpop, ...headers },
    }),
  );

/** What comes from a page is no plain request: the core answers it, and nobody in front of it. */
const fromPage = { origin: "https://page.example" };

/** The same at once, half of it at each process. */
const atOnce = <T>(use: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: uses }, (_, n) => use(n)));

const successes = (answers: readonly Answer[]): Answer[] => answers.filter(({ status }) => status === 200);
const errorsOf = (answers: readonly Answer[]): unknown[] => [
  ...new Set(answers.filter(({ status }) => status !== 200).map(({ body }) => body["error"] ?? body["code"])),
];

const credentials: Form = { grant_type: "client_credentials", scope: "oid4ac:payment" };
const eventsOf = async (event: string): Promise<number> =>
  (await database.asAdmin("select 1 from audit_rows where event = $1 and subject = $2", [event, agent.id]))
    .length;
const stateOf = async (mandate: unknown): Promise<unknown> =>
  (await database.asAdmin<{ state: string }>("select state from mandates where id = $1", [mandate]))[0]
    ?.state;
const isDead = async (token: unknown): Promise<boolean> =>
  (await callApi(running, { token: String(token), key: agent.keys.dpop })).status === 401;

describe("of many uses at once, on two processes, one succeeds", () => {
  test("A08 one client assertion", async () => {
    const form = { ...credentials, ...authenticated(), resource: running.issuer };
    const answers = await atOnce((n) => post(n, form));
    expect(successes(answers)).toHaveLength(1);
    expect(errorsOf(answers)).toEqual(["invalid_client"]);
  });

  test("C10 one DPoP proof at the token endpoint", async () => {
    const dpop = agent.proof(agent.url("/oauth/token"));
    const answers = await atOnce((n) =>
      post(n, { ...credentials, ...authenticated(), resource: running.issuer }, dpop),
    );
    expect(successes(answers)).toHaveLength(1);
    expect(errorsOf(answers)).toEqual(["invalid_grant"]);
  });

  test("C10 one DPoP proof at an API", async () => {
    const { body } = await agent.credentials({ ...credentials, resource: running.issuer });
    const token = String(body["access_token"]);
    const known = await callApi(running, { token, key: agent.keys.dpop });
    expect(known.status).toBe(200);
    const url = `${running.issuer}/api/v1/mandates`;
    const ath = createHash("sha256").update(token).digest("base64url");
    const claims = { htm: "GET", ath };
    const stale = { authorization: `DPoP ${token}`, dpop: agent.proof(url, { claims }) };
    const nonce = (await fetch(url, { headers: stale })).headers.get("dpop-nonce") ?? "";
    const dpop = agent.proof(url, { nonce, claims });
    const headers = { authorization: `DPoP ${token}`, dpop };
    const answers = await atOnce(async (n) =>
      read(await fetch(`${addresses[n % 2] ?? ""}/api/v1/mandates`, { headers })),
    );
    expect(successes(answers)).toHaveLength(1);
    expect(errorsOf(answers)).toEqual(["invalid_dpop_proof"]);
  });

  test("C09 one code: the others end what the first one got, mandate included, once", async () => {
    const { asking, code } = await obtainCode(running, agent, { resource: running.issuer });
    const form = { grant_type: "authorization_code", code, redirect_uri: redirectUri };
    const answers = await atOnce((n) =>
      post(n, { ...form, code_verifier: asking.verifier, ...authenticated() }),
    );
    const [winner, ...more] = successes(answers);
    expect(more).toEqual([]);
    expect(errorsOf(answers)).toEqual(["invalid_grant"]);
    expect(await isDead(winner?.body["access_token"])).toBe(true);
    expect((await refresh(0, winner?.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    // The winner's answer may come too late to name it: then it was gone before.
    const [mandate] = await database.asAdmin("select state from mandates order by id desc limit 1");
    expect(mandate?.["state"]).toBe("revoked");
    expect(await eventsOf("security.code_replay")).toBe(1);
  });
});

const refreshOf = (token: unknown): Form => ({
  grant_type: "refresh_token",
  refresh_token: String(token),
  ...authenticated(),
});
const refresh = (at: number, token: unknown): Promise<Answer> => post(at, refreshOf(token));

describe("C08 one refresh token", () => {
  const granted = async () => {
    const { body } = await exchange(agent, await obtainCode(running, agent, { resource: running.issuer }));
    return { token: body["refresh_token"], mandate: body["mandate_id"] };
  };
  /** Makes its use look as old as it would be after a wait of `seconds`. */
  const age = (token: unknown, seconds: number) =>
    database.asAdmin(
      `update oauth_artifacts set consumed_at = consumed_at - make_interval(secs => $1)
       where model = 'RefreshToken' and id_digest = $2 and consumed_at is not null`,
      [seconds, createHash("sha256").update(String(token)).digest("base64url")],
    );

  /** How many refresh tokens of its family could be used now. */
  const usableWith = async (token: unknown): Promise<number> =>
    (
      await database.asAdmin(
        `select 1 from oauth_artifacts where model = 'RefreshToken' and consumed_at is null and grant_digest =
           (select grant_digest from oauth_artifacts where model = 'RefreshToken' and id_digest = $1)`,
        [createHash("sha256").update(String(token)).digest("base64url")],
      )
    ).length;

  test("C08 used fifty times at once has one successor, and whoever waited gets the same", async () => {
    const { token } = await granted();
    const answers = await atOnce((n) => refresh(n, token));
    const successors = new Set(successes(answers).map(({ body }) => body["refresh_token"]));
    expect(successors.size).toBe(1);
    expect(errorsOf(answers).filter((error) => error !== "temporarily_unavailable")).toEqual([]);
    const [successor] = successors;
    expect((await refresh(1, token)).body["refresh_token"]).toBe(successor);
    expect((await refresh(0, successor)).status).toBe(200);
    expect(await eventsOf("security.refresh_replay")).toBe(0);
  });

  test("C08 used at once in front of the core and by it has one successor", async () => {
    const { token } = await granted();
    const answers = await atOnce((n) =>
      postTo(addresses[n % 2] ?? "", refreshOf(token), undefined, n % 4 < 2 ? fromPage : {}),
    );
    expect(new Set(successes(answers).map(({ body }) => body["refresh_token"])).size).toBe(1);
    expect(errorsOf(answers).filter((error) => error !== "temporarily_unavailable")).toEqual([]);
    expect(await usableWith(token)).toBe(1);
    expect(await eventsOf("security.refresh_replay")).toBe(0);
  });

  test("D02 of a process killed when it had used the token and kept the answer, everybody else gets that answer", async () => {
    const { token, mandate } = await granted();
    const port = await freePort();
    const third = await start(running.issuer, port, "refresh.rotated:kill9");
    await expect(postTo(`http://localhost:${port}`, refreshOf(token))).rejects.toThrow("fetch failed");
    expect(await third.exited).toMatchObject({ signal: "SIGKILL" });
    const answers = [await refresh(0, token), await refresh(1, token)];
    expect(successes(answers)).toHaveLength(2);
    expect(new Set(answers.map(({ body }) => body["refresh_token"])).size).toBe(1);
    expect(await usableWith(token)).toBe(1);
    expect((await refresh(1, answers[0]?.body["refresh_token"])).status).toBe(200);
    expect(await stateOf(mandate)).toBe("active");
  });

  test("C08 A10 used again after the grace, fifty times at once, ends the family once", async () => {
    const { token, mandate } = await granted();
    const first = await refresh(0, token);
    expect(first.status).toBe(200);
    await age(token, 11);
    const answers = await atOnce((n) => refresh(n, token));
    expect(successes(answers)).toEqual([]);
    expect(errorsOf(answers)).toEqual(["invalid_grant"]);
    expect((await refresh(1, first.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    expect(await isDead(first.body["access_token"])).toBe(true);
    expect(await stateOf(mandate)).toBe("suspended");
    expect(await eventsOf("security.refresh_replay")).toBe(1);
  });

  test("D02 of a process killed before it answered has one successor, however many ask for it afterwards", async () => {
    const { token, mandate } = await granted();
    const port = await freePort();
    const third = await start(running.issuer, port, "refresh.unanswered:kill9");
    const dying = postTo(`http://localhost:${port}`, refreshOf(token), undefined, fromPage);
    await expect(dying).rejects.toThrow("fetch failed");
    expect(await third.exited).toMatchObject({ signal: "SIGKILL" });
    expect((await refresh(0, token)).status).toBe(503);
    await age(token, 11);
    const answers = await atOnce((n) => refresh(n, token));
    const [successor, ...more] = new Set(successes(answers).map(({ body }) => body["refresh_token"]));
    expect(more).toEqual([]);
    expect(errorsOf(answers).filter((error) => error !== "temporarily_unavailable")).toEqual([]);
    expect(await usableWith(token)).toBe(1);
    expect((await refresh(1, successor)).status).toBe(200);
    expect(await stateOf(mandate)).toBe("active");
    await age(token, 11);
    expect((await refresh(0, token)).body["error"]).toBe("invalid_grant");
    expect(await stateOf(mandate)).toBe("suspended");
  });
});
