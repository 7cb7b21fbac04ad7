import { rm } from "node:fs/promises";
import http from "node:http";
import { type Agent, createAgent } from "@remit/agent";
import { createPerson, type DevFile, type Embedded, logsAt, startEmbedded } from "@remit/embedded";
import { systemClock } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { generateJwk, makeDpopProof } from "@remit/protocol/node";
import { scratchFolder } from "@remit/testkit";
import { freeBase } from "./ports.ts";

/** A whole Remit of its own: own data, own database, own ports. */
export type Instance = Embedded & { readonly dataDir: string };

export async function startInstance(
  more: { readonly pushAllow?: readonly string[] } = {},
): Promise<Instance> {
  const dataDir = scratchFolder("remit-instance-");
  const embedded = await startEmbedded({
    dataDir,
    portBase: await freeBase(),
    version: "test",
    log: logsAt("error"),
    ...more,
  });
  return {
    dev: embedded.dev,
    dataDir,
    close: async () => {
      await embedded.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Names below localhost are this machine, which a resolver need not know (RFC 6761 §6.3). */
export const toThisMachine: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (!url.hostname.endsWith(".localhost")) return fetch(request);
  const { host } = url;
  url.hostname = "127.0.0.1";
  const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
  return new Promise((resolve, reject) => {
    const headers = { ...Object.fromEntries(request.headers), host };
    http
      .request(url, { method: request.method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => {
          const pairs = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
            values.map((value): [string, string] => [name, value]),
          );
          resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 500, headers: pairs }));
        });
      })
      .on("error", reject)
      .end(body);
  });
};

export const agentOf = (dev: DevFile, through?: typeof fetch): Agent =>
  createAgent({
    ...(through !== undefined && { fetch: through }),
    issuer: dev.issuer,
    clientId: dev.agent.client_id,
    keys: { assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk },
  });

/** A mandate for this agent, as the demo's principal grants it through the pages. */
export async function grant(dev: DevFile, agent: Agent, details: JsonObject): Promise<string> {
  const redirectUri = "http://127.0.0.1/callback";
  const pending = await agent.requestMandate({
    resource: dev.merchant.origin,
    redirectUri,
    details: { type: "oid4ac_mandate", currency: "USD", merchants: [dev.merchant.origin], ...details },
  });
  const { email, password } = dev.principal;
  const walk = await createPerson().follow(pending.authorizeUrl, redirectUri, {
    email,
    password,
    decision: "approve",
  });
  return (await pending.complete(walk.arrivedAt)).id;
}

/** Reads from a service as the demo's administrator. */
export async function read(dev: DevFile, url: string): Promise<JsonObject> {
  const { client_id: id, client_secret: secret } = dev.admin;
  const answer = await fetch(`${dev.issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      scope: "audit:read",
      resource: new URL(url).origin,
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as JsonObject;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export type Managed = { readonly status: number; readonly body: JsonObject };

/** Calls the authorization server as the demo's administrator, with a token that is bound to a key. */
export async function manage(
  dev: DevFile,
  method: "GET" | "POST",
  at: string,
  body?: object,
): Promise<Managed> {
  const key = generateJwk("ES256");
  const { client_id: id, client_secret: secret } = dev.admin;
  const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  const send = async (
    url: string,
    init: RequestInit & { method: string },
    token?: string,
  ): Promise<Managed> => {
    const proven = (nonce?: string): Promise<Response> => {
      const more = {
        ...(token === undefined ? {} : { accessToken: token }),
        ...(nonce === undefined ? {} : { nonce }),
      };
      const dpop = makeDpopProof({ key, method: init.method, url, now: systemClock.now(), ...more });
      return fetch(url, { ...init, headers: { ...Object(init.headers), dpop } });
    };
    let answer = await proven();
    const nonce = answer.headers.get("dpop-nonce");
    if (answer.status >= 400 && nonce !== null) answer = await proven(nonce);
    return { status: answer.status, body: (await answer.json()) as JsonObject }; // every answer here is an object
  };
  const form = new URLSearchParams({ grant_type: "client_credentials", scope: "admin:orgs" });
  const granted = await send(`${dev.issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: basic },
    body: form,
  });
  const token = textOf(granted.body["access_token"]);
  const headers = {
    authorization: `DPoP ${token}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  return send(dev.issuer + at, { method, headers, ...sent }, token);
}

/** Calls the API of agents as the demo's administrator. */
export async function agentsApi(
  dev: DevFile,
): Promise<(method: string, path: string, body?: object) => Promise<JsonObject>> {
  const { client_id: id, client_secret: secret } = dev.admin;
  const answer = await fetch(`${dev.issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope: "agents:read agents:write" }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const called = await fetch(dev.issuer + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await called.json()) as JsonObject;
  };
}

export const ledgerOf = (dev: DevFile): Promise<JsonObject> =>
  read(dev, `${dev.billing}/api/v1/ledger/check`);
export const auditOf = (dev: DevFile): Promise<JsonObject> => read(dev, `${dev.issuer}/api/v1/audit/verify`);

export type PaymentIntent = {
  readonly id: string;
  readonly status: string;
  readonly amount_received: number;
  readonly metadata: { readonly charge?: string };
};

/** Every PaymentIntent that the sandbox's Stripe knows. */
export async function paymentIntentsOf(dev: Pick<DevFile, "sandbox">): Promise<PaymentIntent[]> {
  const found: PaymentIntent[] = [];
  for (let after = ""; ; ) {
    const response = await fetch(`${dev.sandbox}/v1/payment_intents?limit=100${after}`, {
      headers: { authorization: "Bearer sk_test_reader" },
    });
    const page = (await response.json()) as { data: PaymentIntent[]; has_more: boolean };
    found.push(...page.data);
    const last = page.data.at(-1);
    if (!page.has_more || last === undefined) return found;
    after = `&starting_after=${last.id}`;
  }
}
