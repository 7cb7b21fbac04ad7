import { clientAssertionType } from "@remit/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callAsAdmin, newClient, type OAuthClient, read } from "./client.ts";
import { adminSecret, freePort, type Running, startServer, startWith } from "./running.ts";

// One installation at two addresses: one answers plain requests in front of the core, the other leaves all to the core.
let running: Running;
let metricsPort: number;
let core: { issuer: string; close: () => Promise<void> };
let agent: OAuthClient;
let suspended: OAuthClient;
let token: string;

beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  const { issuer, dataDir } = running;
  core = await startWith(running.database, { issuer, dataDir }, { issuance: false });
  agent = await newClient(running, "agent");
  suspended = await newClient(running, "agent");
  await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${suspended.id}/suspend` });
  token = String((await agent.credentials({ resource: issuer })).body["access_token"]);
});
afterAll(async () => {
  await core?.close();
  await running?.close();
});

type Request = { readonly headers?: Record<string, string>; readonly body: string };

const basic = (id: string, secret: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
});
const form = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();
const asserted = (client: OAuthClient, claims: Record<string, unknown> = {}): Record<string, string> => ({
  client_assertion_type: clientAssertionType,
  client_assertion: client.assertion(claims),
});
const asAdmin = (): Record<string, string> => basic(running.adminId, adminSecret);

const requests: Readonly<Record<string, () => Request>> = {
  "by a secret in the header": () => ({ headers: asAdmin(), body: form({ token }) }),
  "by a secret in the form": () => ({
    body: form({ token, client_id: running.adminId, client_secret: adminSecret }),
  }),
  "by an assertion": () => ({ body: form({ token, ...asserted(agent) }) }),
  "by an assertion, with the client named": () => ({
    body: form({ token, client_id: agent.id, ...asserted(agent) }),
  }),
  "with a hint": () => ({ headers: asAdmin(), body: form({ token, token_type_hint: "access_token" }) }),
  "of a token that is none": () => ({ headers: asAdmin(), body: form({ token: "a.b.c" }) }),
  "of a refresh token that is none": () => ({ headers: asAdmin(), body: form({ token: "abc" }) }),
  "asked to be signed": () => ({
    headers: { ...asAdmin(), accept: "application/token-introspection+jwt" },
    body: form({ token: "a.b.c" }),
  }),
  "without a token": () => ({ headers: asAdmin(), body: form({ token_type_hint: "access_token" }) }),
  "with an empty token": () => ({ headers: asAdmin(), body: form({ token: "" }) }),
  "with a parameter that nobody knows": () => ({ headers: asAdmin(), body: form({ token, more: "1" }) }),
  "with the token twice": () => ({ headers: asAdmin(), body: `${form({ token })}&${form({ token })}` }),
  "with a wrong secret": () => ({ headers: basic(running.adminId, "rms_wrong"), body: form({ token }) }),
  "of a client that nobody knows": () => ({
    headers: basic("cli_00000000000000000000000000", "rms_wrong"),
    body: form({ token }),
  }),
  "of a suspended agent": () => ({ body: form({ token, ...asserted(suspended) }) }),
  "in two ways at once": () => ({ headers: asAdmin(), body: form({ token, ...asserted(agent) }) }),
  "in no way": () => ({ body: form({ token }) }),
  "with an assertion for the token endpoint": () => ({
    body: form({ token, ...asserted(agent, { aud: `${running.issuer}/oauth/token` }) }),
  }),
  "with an assertion that has expired": () => ({ body: form({ token, ...asserted(agent, { exp: 1 }) }) }),
  "with a type that is no form": () => ({
    headers: { ...asAdmin(), "content-type": "application/json" },
    body: JSON.stringify({ token }),
  }),
};

const compared = ["content-type", "cache-control", "www-authenticate", "allow"];

async function sendTo(origin: string, { headers, body }: Request): Promise<object> {
  const usual = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await read(
    await fetch(`${origin}/oauth/introspect`, { method: "POST", headers: { ...usual, ...headers }, body }),
  );
  const { request_id: _, type: __, ...said } = answer.body;
  const same = Object.fromEntries(compared.map((name) => [name, answer.headers.get(name)]));
  // What is signed has its own signature each time.
  return { status: answer.status, ...same, body: "text" in said ? String(said["text"]).length : said };
}

async function answeredInFront(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/introspection_requests_total\{by="front"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

test.each(Object.entries(requests))(
  "A12 V04 an introspection %s is answered as the core answers it",
  async (_, make) => {
    expect(await sendTo(running.issuer, make())).toEqual(await sendTo(core.issuer, make()));
  },
);

test("plain introspections never reach the core", async () => {
  const before = await answeredInFront();
  for (const name of ["by a secret in the header", "by a secret in the form", "by an assertion"])
    expect(await sendTo(running.issuer, requests[name]?.() ?? { body: "" })).toMatchObject({
      body: { active: true },
    });
  expect((await answeredInFront()) - before).toBe(3);
});

test("A03 an assertion asks once, in front of the core or by it, whoever sees it first", async () => {
  for (const [first, second] of [
    [running.issuer, core.issuer],
    [core.issuer, running.issuer],
    [running.issuer, running.issuer],
  ] as const) {
    const request = { body: form({ token, ...asserted(agent) }) };
    expect(await sendTo(first, request)).toMatchObject({ status: 200 });
    expect(await sendTo(second, request)).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  }
});

test("A11 a client that is suspended asks no more, though this process knew it a moment ago", async () => {
  const request = { body: form({ token, ...asserted(agent) }) };
  expect(await sendTo(running.issuer, request)).toMatchObject({ body: { active: true } });
  await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${agent.id}/suspend` });
  const after = { body: form({ token, ...asserted(agent) }) };
  expect(await sendTo(running.issuer, after)).toMatchObject({ status: 401 });
  expect(await sendTo(running.issuer, { headers: asAdmin(), body: form({ token }) })).toMatchObject({
    body: { active: false },
  });
});
