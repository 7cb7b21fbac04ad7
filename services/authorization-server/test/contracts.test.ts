import { request } from "node:http";
import { clientAssertionType, mandateVct } from "@remit/protocol";
import {
  OAuthErrorBody,
  PushedRequest,
  ServerJwks,
  ServerMetadata,
  TokenBody,
} from "@remit/protocol/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newClient, type OAuthClient, read } from "./client.ts";
import { exchange, newAsking, obtainCode, pushedForm } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

// fetch chooses the Host itself.
function sendRaw(
  origin: string,
  { body, ...how }: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; text: string }> {
  const { port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sending = request({ host: "127.0.0.1", port, ...how }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    sending.on("error", reject).end(body);
  });
}

const get = async (path: string): Promise<unknown> => (await read(await fetch(running.issuer + path))).body;

describe("what the OAuth core serves is what the contracts say", () => {
  test("metadata under both its names, and every endpoint in it answers", async () => {
    for (const name of ["openid-configuration", "oauth-authorization-server"]) {
      const metadata = ServerMetadata.parse(await get(`/.well-known/${name}`));
      for (const endpoint of [
        metadata.token_endpoint,
        metadata.pushed_authorization_request_endpoint,
        metadata.revocation_endpoint,
        metadata.introspection_endpoint,
        metadata.registration_endpoint,
      ])
        expect([404, 405]).not.toContain((await fetch(endpoint, { method: "POST" })).status);
      expect(metadata.grant_types_supported).not.toContain("implicit");
      for (const [name, value] of Object.entries(metadata))
        if (name.includes("_alg_values_supported"))
          expect(JSON.stringify(value), name).not.toMatch(/HS\d|RS\d|"none"/);
    }
  });

  test("A03 a forged Host changes no URL of ours, and a proof made for that host is not taken", async () => {
    const host = "evil.example";
    const metadata = await sendRaw(running.issuer, {
      method: "GET",
      path: "/.well-known/openid-configuration",
      headers: { host, "x-forwarded-host": host, "x-forwarded-proto": "https" },
    });
    expect(ServerMetadata.parse(JSON.parse(metadata.text)).token_endpoint).toBe(
      `${running.issuer}/oauth/token`,
    );
    expect(metadata.text).not.toContain(host);
    await agent.learnNonce();
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      resource: running.issuer,
      client_id: agent.id,
      client_assertion_type: clientAssertionType,
      client_assertion: agent.assertion(),
    });
    const stolen = await sendRaw(running.issuer, {
      method: "POST",
      path: "/oauth/token",
      headers: {
        host,
        "content-type": "application/x-www-form-urlencoded",
        dpop: agent.proof(`http://${host}/oauth/token`),
      },
      body: form.toString(),
    });
    expect(JSON.parse(stolen.text)).toMatchObject({ error: "invalid_dpop_proof" });
  });

  test("an agent may run in a page: its keys prove it, and no credential of the browser's is ever allowed", async () => {
    await agent.learnNonce();
    const origin = "https://agent.example";
    const dpop = agent.proof(agent.url("/oauth/token"));
    const form = {
      grant_type: "client_credentials",
      resource: running.issuer,
      client_id: agent.id,
      client_assertion_type: clientAssertionType,
      client_assertion: agent.assertion(),
    };
    const answer = await agent.raw("/oauth/token", form, { dpop, origin });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  test("the key set under both its names, with ES256 and EdDSA keys and no private half", async () => {
    const first = ServerJwks.parse(await get("/oauth/jwks.json"));
    expect(await get("/.well-known/jwks.json")).toEqual(first);
    const text = JSON.stringify(await get("/oauth/jwks.json"));
    expect(text).not.toContain('"d":');
    expect(new Set(first.keys.map(({ kty }) => kty))).toEqual(new Set(["EC", "OKP"]));
    expect((await fetch(`${running.issuer}/oauth/jwks.json`)).headers.get("cache-control")).toContain(
      "max-age=30",
    );
  });

  test("a pushed request, a token, and their refusals", async () => {
    const pushed = await agent.post("/oauth/par", pushedForm(newAsking()));
    expect(PushedRequest.parse(pushed.body)).toEqual(pushed.body);
    expect(pushed.headers.get("cache-control")).toContain("no-store");
    const tokens = await exchange(agent, await obtainCode(running, agent));
    expect(TokenBody.parse(tokens.body).mandate_jwt).toBeTruthy();
    expect(tokens.headers.get("cache-control")).toContain("no-store");
    const refused = await agent.post("/oauth/token", { grant_type: "password" });
    expect(OAuthErrorBody.parse(refused.body).error).toBe("unsupported_grant_type");
  });

  test("what a verifier of mandates looks up", async () => {
    const vct = mandateVct(running.issuer);
    expect(await get(vct.slice(running.issuer.length))).toMatchObject({ vct });
    expect(await get("/.well-known/jwt-vc-issuer")).toEqual({
      issuer: running.issuer,
      jwks_uri: `${running.issuer}/.well-known/jwks.json`,
    });
    const keys = Object(await get("/.well-known/remit-keys"))["keys"] as {
      purpose: string;
      not_before: string;
    }[];
    expect(new Set(keys.map(({ purpose }) => purpose))).toEqual(new Set(["mandate", "audit", "receipt"]));
  });
});
