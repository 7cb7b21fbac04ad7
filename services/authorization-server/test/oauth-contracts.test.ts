import {
  OAuthErrorBody,
  PushedRequest,
  ServerJwks,
  ServerMetadata,
  TokenBody,
} from "@remit/protocol/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { newClient, type OAuthClient, read } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

const keeps = (contract: z.ZodType, body: unknown): void =>
  expect(contract.safeParse(body).error).toBeUndefined();
const get = async (path: string): Promise<Record<string, unknown>> =>
  (await read(await fetch(running.issuer + path))).body;

describe("what the OAuth core serves is what the contracts promise", () => {
  test("metadata, under both its names, with every address on the issuer", async () => {
    const metadata = await get("/.well-known/oauth-authorization-server");
    keeps(ServerMetadata, metadata);
    keeps(ServerMetadata, await get("/.well-known/openid-configuration"));
    for (const [name, value] of Object.entries(metadata))
      if (name.endsWith("_endpoint") || name === "jwks_uri")
        expect(String(value)).toMatch(`${running.issuer}/`);
    expect(metadata["dpop_signing_alg_values_supported"]).toEqual(expect.arrayContaining(["ES256", "EdDSA"]));
    for (const [name, value] of Object.entries(metadata))
      if (name.endsWith("_alg_values_supported"))
        expect(JSON.stringify(value), name).not.toMatch(/none|HS\d+/);
  });

  test("the same public keys at both addresses", async () => {
    const keys = await get("/oauth/jwks.json");
    keeps(ServerJwks, keys);
    expect(await get("/.well-known/jwks.json")).toEqual(keys);
  });

  test("a code and its tokens", async () => {
    const code = await obtainCode(running, agent);
    const answer = await exchange(agent, code);
    expect(answer.status).toBe(200);
    keeps(TokenBody, answer.body);
    expect(answer.body["mandate_jwt"]).toMatch(/~$/);
  });

  test("a pushed request, and nothing else in its answer", async () => {
    const answer = await agent.post("/oauth/par", {
      response_type: "code",
      redirect_uri: "http://127.0.0.1/callback",
      scope: "oid4ac:payment",
      resource: "https://shop.example",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
      authorization_details: JSON.stringify([
        { type: "oid4ac_mandate", currency: "USD", amount_minor: 1000, merchants: ["https://shop.example"] },
      ]),
    });
    expect(answer.status).toBe(201);
    keeps(PushedRequest, answer.body);
    expect(answer.headers.get("cache-control")).toContain("no-store");
  });

  test("a refusal", async () => {
    const refused = await agent.post("/oauth/token", { grant_type: "authorization_code", code: "unknown" });
    expect(refused.status).toBe(400);
    keeps(OAuthErrorBody, refused.body);
  });
});
