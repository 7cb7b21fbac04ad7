import { type IdKind, idPrefixes, newId } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, callAsAdmin, newClient } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { agentIn, anotherTenant } from "./fleet.ts";
import { openWallet } from "./in-wallet.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running, startServer } from "./running.ts";

// Every route that names an object, as the server itself describes it: a new one is tried here without being written here.
type Operation = { readonly method: string; readonly path: string; readonly security?: unknown };

let running: Running;
let operations: Operation[];
/** What Ada's tenant has, by the prefix of its ids. */
let objects: ReadonlyMap<string, string>;
let callers: readonly ((method: string, path: string, body?: object) => Promise<Answer>)[];

const scopes = "agents:read agents:write tokens:read audit:read webhooks:read webhooks:write admin:orgs";

beforeAll(async () => {
  running = await startServer();
  const eve = await anotherTenant(running);
  const agent = await newClient(running, "agent");
  const tokens = await exchange(agent, await obtainCode(running, agent));
  const ada = new Management(running, adminSecret, scopes);
  const made = async (path: string, body: object, member: string): Promise<string> => {
    const answer = await ada.call("POST", path, body);
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return String(answer.body[member]);
  };
  const trusted = await agentIn(running);
  const ids = [
    agent.id,
    await made(`/api/v1/agents/${agent.id}/credentials`, {}, "credentialId"),
    running.tenant,
    running.account,
    running.adminId,
    String(tokens.body["mandate_id"]),
    await made(
      "/api/v1/trusts",
      {
        name: "ci",
        client_id: trusted,
        scopes: ["agents:read"],
        rules: { kind: "github", repository_id: "1", repository_owner_id: "2", ref: "refs/heads/main" },
      },
      "id",
    ),
  ];
  objects = new Map(ids.map((id) => [id.slice(0, 3), id]));
  const { paths } = (await (await fetch(`${running.issuer}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { security?: unknown }>>;
  };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path,
      security,
    })),
  );
  const person = await openWallet(running, {
    as: { email: "eve@example.com", name: "Eve", password: "another correct horse" },
  });
  const eves = new Management(eve, eve.adminSecret, scopes);
  callers = [
    (method, path, body) => eves.call(method, path, body),
    (method, path, body) =>
      method === "GET" || method === "POST"
        ? callApi(running, {
            token: person.access,
            key: person.wallet.keys.dpop,
            method,
            path,
            ...(body && { body }),
          })
        : callAsAdmin(eve, { method, path, ...(body && { body }) }),
  ];
});
afterAll(() => running.close());

/** A body that is in order, where a route has one: what is refused for its body has shown nothing. */
const bodies: Readonly<Record<string, object>> = {
  "PATCH /api/v1/agents/{id}": { owner: "eve" },
  "PUT /api/v1/agents/{id}/keys": {
    dpopJwk: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
  },
  "POST /api/v1/agents/{id}/credentials/{credential}/rotate": { overlapSeconds: 5 },
  "PATCH /api/v1/organizations/{id}": { name: "Eve's now" },
  "POST /api/v1/organizations/{id}/members": { email: "eve@example.com" },
  "PATCH /api/v1/organizations/{id}/members/{account}": { role: "member" },
  "PATCH /api/v1/trusts/{id}": { name: "eve's" },
};

/** A DID document holds public keys alone, and is for everybody, whoever asks (docs/decisions/0033). */
const everybodys = new Set(["GET /api/v1/agents/{id}/did"]);

const kinds = new Map<string, IdKind>(
  (Object.entries(idPrefixes) as [IdKind, string][]).map(([kind, prefix]) => [prefix, kind]),
);

/** Which object each place of a path names; undefined when Ada's tenant has none of its kind here. */
function namesIn(path: string): string[] | undefined {
  const noun: Readonly<Record<string, string>> = {
    agents: "agt",
    credentials: "crd",
    organizations: "org",
    members: "acc",
    mandates: "mnd",
    trusts: "tru",
    clients: "cli",
  };
  const parts = path.split("/");
  const named = parts.flatMap((part, i) => (part.startsWith("{") ? [noun[parts[i - 1] ?? ""]] : []));
  return named.includes(undefined) ? undefined : named.map(String);
}

const fill = (path: string, ids: readonly string[]): string => {
  let next = 0;
  return path.replace(/\{\w+\}/g, () => ids[next++] ?? "");
};

const without = ({ status, body }: Answer): object => ({ status, ...body, request_id: "" });

describe("T01 every route × an object of another tenant", () => {
  test("T01 answers as for one that nobody has, word by word, and changes nothing", async () => {
    const tried: string[] = [];
    const wrong: string[] = [];
    for (const { method, path, security } of operations) {
      const named = path.startsWith("/api/v1/") && security !== undefined ? namesIn(path) : undefined;
      if (named === undefined || named.length === 0 || everybodys.has(`${method} ${path}`)) continue;
      const theirs = fill(
        path,
        named.map((prefix) => objects.get(prefix) ?? ""),
      );
      const nobodys = fill(
        path,
        named.map((prefix) => newId(kinds.get(prefix) ?? "agent")),
      );
      const body = bodies[`${method} ${path}`] ?? (method === "GET" || method === "DELETE" ? undefined : {});
      for (const call of callers) {
        const [one, other] = [await call(method, theirs, body), await call(method, nobodys, body)];
        if (one.status === 403 && one.body["code"] === "insufficient_scope") continue;
        if (one.status === 401) continue;
        tried.push(`${method} ${path}`);
        if (one.status !== 404) wrong.push(`${method} ${path}: ${one.status} ${JSON.stringify(one.body)}`);
        else if (JSON.stringify(without(one)) !== JSON.stringify(without(other)))
          wrong.push(`${method} ${path}: ${JSON.stringify([one.body, other.body])}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(new Set(tried).size).toBeGreaterThanOrEqual(20);
    const agent = objects.get("agt") ?? "";
    const { body } = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${agent}` });
    expect(body).toMatchObject({ status: "active", owner: null });
  });

  test("T01 no list of another tenant holds any of it", async () => {
    const lists = operations.filter(
      ({ method, path }) => method === "GET" && path.startsWith("/api/v1/") && !path.includes("{"),
    );
    const found: string[] = [];
    for (const { path } of lists)
      for (const call of callers) {
        const answer = await call("GET", path);
        const text = JSON.stringify(answer.body);
        for (const id of objects.values()) if (text.includes(id)) found.push(`${path} shows ${id}`);
      }
    expect(found).toEqual([]);
    expect(lists.length).toBeGreaterThan(5);
  });
});
