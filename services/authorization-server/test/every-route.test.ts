import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { publicJwkOf } from "@remit/protocol";
import {
  type ApiAnswer,
  type ApiDocument,
  type ApiInput,
  type ApiOperation,
  apiClient,
  readApiDocument,
} from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newClient } from "./client.ts";
import { type Caller, everybody, manager, person, sendTo } from "./every-route/callers.ts";
import { elsewhere, everybodys, names, nobodys, objectsOf, prefixOf } from "./every-route/objects.ts";
import { anotherTenant } from "./fleet.ts";
import { adminSecret, freePort, newKeys, type Running, startServer } from "./running.ts";
import { UpstreamProvider } from "./upstream.ts";

// Every route, as the server itself describes it: a new one is tried here without being written here.

const billingKeys = newKeys();
let billing: Server;
let upstream: UpstreamProvider;
let metricsPort: number;
let running: Running;
let document: ApiDocument;
/** What Ada's tenant has, by the prefix of its ids. */
let objects: ReadonlyMap<string, string>;
let adas: readonly Caller[];
let eves: readonly Caller[];

beforeAll(async () => {
  billing = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [publicJwkOf(billingKeys.assertion)] }));
  });
  await new Promise<void>((resolve) => billing.listen(0, "127.0.0.1", resolve));
  const host = `localhost:${(billing.address() as AddressInfo).port}`; // it listens on a port
  upstream = await new UpstreamProvider().start();
  metricsPort = await freePort();
  running = await startServer({
    peers: { billing: `http://${host}` },
    outboundAllow: [host, "localhost:3002"],
    tenantOutboundAllow: [upstream.host],
    metricsPort,
  });
  document = readApiDocument(
    (await (await fetch(`${running.issuer}/openapi.json`)).json()) as object & {
      readonly [name: string]: unknown; // checked by its reader
    },
  );
  const eve = await anotherTenant(running);
  const agent = await newClient(running, "agent");
  adas = await everybody(running, { adminSecret, agent, billing: billingKeys });
  const [management, ada, payer] = adas;
  if (management === undefined || ada === undefined || payer === undefined)
    throw new Error("somebody is missing");
  objects = await objectsOf(running, { manager: management, person: ada, payer, agent, upstream });
  eves = [
    await manager(eve, eve.adminSecret, "eve's manager"),
    await person(running, { email: "eve@example.com", name: "Eve", password: "another correct horse" }),
  ];
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
  billing.close();
});

const scopesOf = ({ security }: ApiOperation): string[] =>
  security.flatMap((way) => Object.values(way).flat());
const maySay = (operation: ApiOperation, caller: Caller): boolean =>
  scopesOf(operation).some((scope) => caller.scopes.has(scope));
const placesOf = (operation: ApiOperation) => operation.parameters.filter((one) => one.in === "path");
const label = ({ method, path }: ApiOperation): string => `${method} ${path}`;

/** A call that is in order, with the objects of `of`. What its body needs stands in the schema's own examples. */
function inputFor(operation: ApiOperation, of: (prefix: string) => string): ApiInput {
  const path = placesOf(operation).map((place) => {
    const prefix = prefixOf(place);
    return [place.name, prefix === undefined ? (names[place.name] ?? "x") : of(prefix)];
  });
  const key = operation.parameters.some(({ name }) => name === "Idempotency-Key");
  return {
    path: Object.fromEntries(path),
    ...(operation.body?.example === undefined ? {} : { body: operation.body.example }),
    ...(key ? { headers: { "Idempotency-Key": nobodys("req") } } : {}),
  };
}

async function call(caller: Caller, operation: ApiOperation, input: ApiInput): Promise<ApiAnswer> {
  const send = apiClient(document, caller.send)[operation.id];
  if (send === undefined) throw new Error(`${operation.id} is not in the client`);
  return send(input);
}

/** Those that end something come last. */
const inOrder = (operations: readonly ApiOperation[]): ApiOperation[] => {
  const rank = ({ method, path }: ApiOperation): number =>
    method === "GET" ? 0 : method === "DELETE" || /revoke|end|decommission/.test(path) ? 2 : 1;
  return operations.toSorted((a, b) => rank(a) - rank(b));
};

describe("the API document", () => {
  test("is OpenAPI 3.1, and every operation has an id, a security, a summary and refusals of its own", () => {
    expect(document.faults).toEqual([]);
    for (const { responses, ...operation } of document.operations) {
      expect(operation.id, label({ responses, ...operation })).toMatch(/^(?:get|put|post|patch|delete)[A-Z]/);
      expect(Object.keys(responses), operation.id).not.toContain("default");
    }
    expect(document.operations.length).toBeGreaterThan(115);
  });

  test("gives an example of every body and answer that fits its schema", () => {
    const wrong = document.operations.flatMap(({ path, method, body, responses }) => {
      const at = ["paths", path, method.toLowerCase()];
      const contents = Object.entries(responses).flatMap(([status, { content = {} }]) =>
        Object.entries(content).map(([type, { example }]) => ({
          pointer: [...at, "responses", status, "content", type, "schema"],
          example,
        })),
      );
      const sent =
        body?.example === undefined
          ? []
          : [{ pointer: [...at, "requestBody", "content", body.type, "schema"], example: body.example }];
      return [...sent, ...contents].flatMap(({ pointer, example }) => {
        const why = example === undefined ? undefined : document.wrong(pointer, example);
        return why === undefined
          ? []
          : [
              `${method} ${path}: ${why}; give that schema .meta({ examples: [...] }), it got ${JSON.stringify(example)}`,
            ];
      });
    });
    expect(wrong).toEqual([]);
  });
});

describe("a client generated from the document calls every route", () => {
  test("T01 without a token none answers that needs one, and every refusal is a declared one", async () => {
    const wrong: string[] = [];
    for (const operation of document.operations) {
      if (scopesOf(operation).length === 0) continue;
      const stranger: Caller = { name: "stranger", scopes: new Set(), send: sendTo(running.issuer) };
      const { status } = await call(stranger, operation, inputFor(operation, nobodys));
      if (status !== 401) wrong.push(`${label(operation)}: ${status}`);
    }
    expect(wrong).toEqual([]);
  });

  test("a member that nobody knows is refused wherever JSON is taken", async () => {
    const wrong: string[] = [];
    for (const operation of document.operations.filter(({ body }) => body?.type === "application/json")) {
      // RFC 7591 §2: what a registration names beyond what we know is ignored.
      if (operation.path.startsWith("/oauth/register")) continue;
      // SSF 1.0 §8.1.1 and RFC 8936 §2.2: nor is what receivers of other makers say more.
      if (operation.path.startsWith("/api/v1/streams")) continue;
      // A sign-in that is strong and fresh comes first, and Ada has a password alone.
      if (operation.path === "/api/v1/account/recovery-codes") continue;
      const stranger: Caller = { name: "stranger", scopes: new Set(), send: sendTo(running.issuer) };
      const open = scopesOf(operation).length === 0;
      const caller = open ? stranger : adas.find((one) => maySay(operation, one));
      if (caller === undefined) throw new Error(`nobody may call ${label(operation)}`);
      const input = inputFor(operation, (prefix) => objects.get(prefix) ?? nobodys(prefix));
      const body = { ...Object(input.body), a_member_nobody_knows: 1 };
      const { status, body: said } = await call(caller, operation, { ...input, body });
      if (status !== 400 || !JSON.stringify(said).includes("a_member_nobody_knows"))
        wrong.push(`${label(operation)}: ${status} ${JSON.stringify(said)}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe("T01 every route × an object of another tenant", () => {
  test("T01 answers as for one that nobody has, word by word, and changes nothing", async () => {
    const tried = new Set<string>();
    const wrong: string[] = [];
    for (const operation of document.operations) {
      const prefixes = placesOf(operation).map(prefixOf);
      if (scopesOf(operation).length === 0 || prefixes.length === 0 || prefixes.includes(undefined)) continue;
      if (everybodys.has(label(operation))) continue;
      const unmade = prefixes.filter((prefix) => prefix !== undefined && !objects.has(prefix));
      if (unmade.some((prefix) => elsewhere[prefix ?? ""] !== undefined)) continue;
      if (unmade.length > 0)
        wrong.push(
          `${label(operation)}: make an object ${unmade.join(", ")} in every-route/objects.ts, so that this route is tried`,
        );
      for (const caller of eves.filter((one) => maySay(operation, one))) {
        const theirs = await call(
          caller,
          operation,
          inputFor(operation, (prefix) => objects.get(prefix) ?? ""),
        );
        const none = await call(caller, operation, inputFor(operation, nobodys));
        tried.add(label(operation));
        const [one, other] = [theirs, none].map(({ status, body }) =>
          JSON.stringify({ status, body: { ...Object(body), request_id: "" } }),
        );
        if (theirs.status !== 404 || one !== other)
          wrong.push(`${label(operation)} by ${caller.name}: ${one}, ${other}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(tried.size).toBeGreaterThanOrEqual(40);
    const [ada] = adas;
    const target = `/api/v1/agents/${objects.get("agt")}`;
    const answer = await ada?.send({ method: "GET", target, headers: {}, body: undefined });
    expect(await answer?.json()).toMatchObject({ status: "active", owner: null });
  });

  test("T01 no list of another tenant holds any of it", async () => {
    const lists = document.operations.filter(
      ({ method, path }) =>
        method === "GET" &&
        path.startsWith("/api/v1/") &&
        !path.includes("{") &&
        // Eve's own calls, which named what is Ada's just now (requests.test.ts: T01 of the log itself).
        path !== "/api/v1/requests",
    );
    const found: string[] = [];
    for (const operation of lists)
      for (const caller of eves.filter((one) => maySay(operation, one))) {
        const text = JSON.stringify((await call(caller, operation, inputFor(operation, nobodys))).body);
        for (const id of objects.values())
          if (text.includes(id)) found.push(`${label(operation)} shows ${id}`);
      }
    expect(found).toEqual([]);
    expect(lists.length).toBeGreaterThan(15);
  });
});

describe("a client generated from the document does what it says", () => {
  test("every route answers as declared to whoever may call it, most of them with what was asked", async () => {
    const did = new Set<string>();
    const undeclared: string[] = [];
    const refused = new Map<string, string>();
    for (const operation of inOrder(document.operations)) {
      const open = scopesOf(operation).length === 0;
      const stranger: Caller = { name: "stranger", scopes: new Set(), send: sendTo(running.issuer) };
      const callers = open ? [stranger] : adas.filter((one) => maySay(operation, one));
      expect(callers.length, `somebody may call ${label(operation)}`).toBeGreaterThan(0);
      for (const caller of callers) {
        const input = inputFor(operation, (prefix) => objects.get(prefix) ?? nobodys(prefix));
        const answer = await call(caller, operation, input).catch(String);
        if (typeof answer === "string") undeclared.push(`${answer} by ${caller.name}`);
        else if (answer.status < 400) did.add(label(operation));
        else refused.set(label(operation), `${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
      }
    }
    for (const done of did) refused.delete(done);
    expect(undeclared).toEqual([]);
    expect(did.size, `refused: ${[...refused.keys()].join(", ")}`).toBeGreaterThan(70);
  });
});

describe("what those who run it are told", () => {
  const inside = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${metricsPort}${path}`);

  test("the internal port shows database, migrations, queues, audit log and keys, and no secret; nobody else does", async () => {
    const answer = await inside("/health/detailed");
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({
      status: "ok",
      database: { status: "ok", migrations: { missing: [] } },
      jobs: { status: "ok", dead: 0 },
      outbox: { status: "ok" },
      audit: { status: "ok", broken_logs: 0 },
      webhooks: { status: "ok" },
      keys: { status: "ok", ms: expect.any(Number) as number },
      cache: { status: "ok", kind: "memory" },
    });
    for (const id of [running.tenant, running.account, adminSecret]) expect(text).not.toContain(id);
    expect((await fetch(`${running.issuer}/health/detailed`)).status).toBe(401);
    const [management] = adas;
    const refused = await management?.send({
      method: "GET",
      target: "/health/detailed",
      headers: {},
      body: undefined,
    });
    expect(refused?.status).toBe(403);
    expect((await fetch(`${running.issuer}/metrics`)).status).toBe(404);
    for (const path of ["/ready", "/livez"]) expect((await inside(path)).status).toBe(200);
  });

  test("metrics have the names that the AgentIdP's dashboards ask for", async () => {
    const text = await (await inside("/metrics")).text();
    for (const name of [
      "agentidp_agents_registered_total",
      "agentidp_credentials_expiring_soon_total",
      "agentidp_audit_chain_integrity",
      "agentidp_db_pool_active_connections",
      "agentidp_db_pool_waiting_requests",
      "agentidp_rate_limit_hits_total",
      "delegations_created_total",
      "jobs_lag_seconds",
      "outbox_lag_seconds",
      "webhook_lag_seconds",
      "webhook_attempts_total",
    ])
      expect(text, name).toContain(`# TYPE ${name} `);
    expect(text).toMatch(new RegExp(`agentidp_tenant_api_calls_total\\{[^}]*tenant_id="${running.tenant}"`));
    expect(text).toMatch(/http_requests_total\{[^}]*status_code="200"/);
  });
});
