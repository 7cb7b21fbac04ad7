import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { PrivateJwk } from "@remit/protocol";
import { startProcess, type TestProcess, testDatabase } from "@remit/testkit";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newClient, OAuthClient } from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { freePort, type Running, startServer } from "./running.ts";

// Two public OAuth clients as they are, against the server and against the services that accept its tokens, each of
// which is a program of its own.
const closing: (() => Promise<unknown>)[] = [];
let running: Running;
let directory: string;
let billing: string;
let services: readonly TestProcess[];

beforeAll(async () => {
  const ports = { directory: await freePort(), billing: await freePort() };
  directory = `http://localhost:${ports.directory}`;
  billing = `http://localhost:${ports.billing}`;
  running = await startServer({
    billing,
    directory,
    peers: { billing, directory },
    outboundAllow: [`localhost:${ports.directory}`, `localhost:${ports.billing}`],
  });
  services = await Promise.all([
    startService("directory", { port: ports.directory, env: {} }),
    startService("billing", {
      port: ports.billing,
      env: { REMIT_STRIPE_ORIGIN: "http://localhost:1", REMIT_STRIPE_KEY: "sk_test_none" },
    }),
  ]);
});
afterAll(async () => {
  await Promise.all((services ?? []).map((each) => each.kill()));
  await running.close();
  for (const close of closing) await close();
});

async function startService(
  service: "directory" | "billing",
  { port, env }: { port: number; env: Record<string, string> },
): Promise<TestProcess> {
  const at = (relative: string): URL => new URL(`../../${service}/${relative}`, import.meta.url);
  const sources = [{ name: service, directory: at("migrations/") }];
  const database = await testDatabase({ service, sources });
  const dataDir = await mkdtemp(path.join(tmpdir(), `remit-${service}-`));
  closing.push(
    () => database.drop(),
    () => rm(dataDir, { recursive: true, force: true }),
  );
  return startProcess({
    main: fileURLToPath(at("src/main.ts")),
    env: {
      NODE_ENV: "test",
      DATABASE_URL: database.url,
      REMIT_ORIGIN: `http://localhost:${port}`,
      REMIT_ISSUER: running.issuer,
      REMIT_PORT: String(port),
      REMIT_SCHEMA: database.schema,
      REMIT_ROLE_APP: database.roles.app,
      REMIT_ROLE_RELAY: database.roles.relay,
      REMIT_ROLE_LOOKUP: database.roles.lookup,
      REMIT_DATA_DIR: dataDir,
      REMIT_OUTBOUND_ALLOW: new URL(running.issuer).host,
      ...env,
    },
    readyWhen: /listening/,
  });
}

const parameters = { name: "ECDSA", namedCurve: "P-256" };

/** The keys as WebCrypto has them. */
async function cryptoKeys({ d, ...jwk }: PrivateJwk): Promise<CryptoKeyPair> {
  const { kty, crv, x } = jwk;
  const bare = { kty, crv, x, ...("y" in jwk ? { y: jwk.y } : {}) };
  return {
    privateKey: await crypto.subtle.importKey("jwk", { ...bare, d }, parameters, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", bare, parameters, true, ["verify"]),
  };
}

describe("openid-client", () => {
  const configurationOf = async (client: OAuthClient, metadata: Partial<openid.ClientMetadata> = {}) => {
    const { privateKey } = await cryptoKeys(client.keys.assertion);
    const execute = [openid.allowInsecureRequests, openid.enableNonRepudiationChecks];
    const issuer = new URL(running.issuer);
    return openid.discovery(issuer, client.id, metadata, openid.PrivateKeyJwt(privateKey), { execute });
  };

  test.each(["directory", "billing"] as const)(
    "A11 gets a token, introspects it, uses it at the %s, revokes it, and finds it dead everywhere at once",
    async (service) => {
      const { client, token, call } = service === "directory" ? await merchantAt() : await principalAt();
      const config = await configurationOf(client);
      expect(await openid.tokenIntrospection(config, token)).toMatchObject({
        active: true,
        client_id: client.id,
        aud: service === "directory" ? directory : billing,
        token_type: "DPoP",
      });
      expect(await call(config)).not.toBe(401);
      await openid.tokenRevocation(config, token);
      expect(await openid.tokenIntrospection(config, token)).toEqual({ active: false });
      expect(await call(config)).toBe(401);
    },
  );

  test("asks for signed answers and verifies them", async () => {
    const { client, token } = await merchantAt();
    const config = await configurationOf(client, { introspection_signed_response_alg: "ES256" });
    expect(await openid.tokenIntrospection(config, token)).toMatchObject({
      active: true,
      client_id: client.id,
    });
    await openid.tokenRevocation(config, token);
    expect(await openid.tokenIntrospection(config, token)).toEqual({ active: false });
  });
});

describe("oauth4webapi", () => {
  test("A11 introspects and revokes a refresh token, and with it its access token", async () => {
    const agent = await newClient(running, "agent");
    const { body } = await exchange(agent, await obtainCode(running, agent));
    const { privateKey } = await cryptoKeys(agent.keys.assertion);
    const options = { [oauth.allowInsecureRequests]: true };
    const server = await oauth.processDiscoveryResponse(
      new URL(running.issuer),
      await oauth.discoveryRequest(new URL(running.issuer), { ...options, algorithm: "oauth2" }),
    );
    const client: oauth.Client = { client_id: agent.id };
    const ask = async (token: unknown, as: oauth.Client = client) => {
      const authentication = oauth.PrivateKeyJwt(privateKey);
      const response = await oauth.introspectionRequest(server, as, authentication, String(token), options);
      return oauth.processIntrospectionResponse(server, as, response);
    };
    expect(await ask(body["refresh_token"])).toMatchObject({ active: true, client_id: agent.id });
    expect(await ask(body["access_token"])).toMatchObject({ active: true, mandate_id: body["mandate_id"] });
    const authentication = oauth.PrivateKeyJwt(privateKey);
    const token = String(body["refresh_token"]);
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, authentication, token, options),
    );
    for (const each of [body["refresh_token"], body["access_token"]])
      expect(await ask(each, { ...client, introspection_signed_response_alg: "ES256" })).toEqual({
        active: false,
      });
  });
});

type At = {
  readonly client: OAuthClient;
  readonly token: string;
  /** The status of a call that needs the token. */
  readonly call: (config: openid.Configuration) => Promise<number>;
};

async function merchantAt(): Promise<At> {
  const client = await newClient(running, "merchant");
  const { body } = await client.credentials({ scope: "directory:write", resource: directory });
  const unknown = new URL("/api/v1/merchants/mrc_01h00000000000000000000000/verify", directory);
  return at(client, String(body["access_token"]), { url: unknown, method: "POST" });
}

async function principalAt(): Promise<At> {
  const client = new OAuthClient(running, "wallet", running.wallet);
  const scope = { scope: "openid wallet:read", resource: billing, authorization_details: "[]" };
  const { body } = await exchange(client, await obtainCode(running, client, scope));
  const url = new URL("/api/v1/payment-methods", billing);
  return at(client, String(body["access_token"]), { url, method: "GET" });
}

function at(client: OAuthClient, token: string, { url, method }: { url: URL; method: string }): At {
  return {
    client,
    token,
    call: async (config) => {
      const DPoP = openid.getDPoPHandle(config, await cryptoKeys(client.keys.dpop));
      const send = () => openid.fetchProtectedResource(config, token, url, method, null, undefined, { DPoP });
      try {
        return (await send()).status;
      } catch (error) {
        if (error instanceof openid.WWWAuthenticateChallengeError) return error.status;
        throw error;
      }
    },
  };
}
