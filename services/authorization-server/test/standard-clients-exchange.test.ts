import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newClient, type OAuthClient } from "./client.ts";
import { Management } from "./management.ts";
import { nowS, Partner, randomJti } from "./partner.ts";
import { type Running, startServer } from "./running.ts";

// The public clients, unmodified: what they cannot do with us, nobody can.

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange";
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const accessToken = "urn:ietf:params:oauth:token-type:access_token";

let running: Running;
let partner: Partner;
let ann: OAuthClient;
let ben: OAuthClient;

beforeAll(async () => {
  partner = new Partner();
  await partner.listen();
  running = await startServer({ tenantOutboundAllow: [partner.host] });
  [ann, ben] = [await newClient(running, "agent"), await newClient(running, "agent")];
  const rules = {
    kind: "federation",
    issuer: "https://partner.example",
    keys: { jwks_uri: partner.jwksUri },
    subject: "workload-7",
  };
  const body = { name: "Partner", client_id: ben.id, scopes: ["oid4ac:payment"], rules };
  const answer = await new Management(running).call("POST", "/api/v1/trusts", body);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
});
afterAll(async () => {
  await running.close();
  await partner.close();
});

const imported = async (jwk: object): Promise<CryptoKeyPair> => {
  const { d: _, ...publicJwk } = Object(jwk);
  const alg = { name: "ECDSA", namedCurve: "P-256" };
  return {
    privateKey: await crypto.subtle.importKey("jwk", jwk, alg, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", publicJwk, alg, true, ["verify"]),
  };
};

const said = (): string =>
  partner.sign(
    {
      iss: "https://partner.example",
      sub: "workload-7",
      aud: running.issuer,
      iat: nowS(),
      exp: nowS() + 60,
      jti: randomJti(),
    },
    { kid: "partner-es" },
  );

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));

const expectNested = (token: string): void =>
  expect(claimsOf(token)).toMatchObject({ sub: ann.id, client_id: ben.id, act: { sub: ben.id } });

describe("openid-client 6", () => {
  const configured = async (client: OAuthClient) => {
    const { privateKey } = await imported(client.keys.assertion);
    const config = await openid.discovery(
      new URL(running.issuer),
      client.id,
      undefined,
      openid.PrivateKeyJwt(privateKey),
      { execute: [openid.allowInsecureRequests] },
    );
    return { config, options: { DPoP: openid.getDPoPHandle(config, await imported(client.keys.dpop)) } };
  };

  test("exchanges a token that was offered, and calls our API with it", async () => {
    const [a, b] = [await configured(ann), await configured(ben)];
    const own = await openid.clientCredentialsGrant(a.config, { resource: running.issuer }, a.options);
    const offered = await openid.genericGrantRequest(
      a.config,
      tokenExchange,
      { subject_token: own.access_token, subject_token_type: accessToken, requested_actor: ben.id },
      a.options,
    );
    expect(offered["issued_token_type"]).toBe(accessToken);
    const taken = await openid.genericGrantRequest(
      b.config,
      tokenExchange,
      { subject_token: offered.access_token, subject_token_type: accessToken },
      b.options,
    );
    expectNested(taken.access_token);
    const url = new URL("/api/v1/mandates", running.issuer);
    const { access_token } = taken;
    const call = () =>
      openid.fetchProtectedResource(b.config, access_token, url, "GET", null, undefined, b.options);
    // The resource server has nonces of its own.
    const answer = await call().catch(call);
    expect(answer.status).toBe(200);
  });

  test("redeems a partner's assertion", async () => {
    const { config, options } = await configured(ben);
    const answer = await openid.genericGrantRequest(config, jwtBearer, { assertion: said() }, options);
    expect(answer.token_type).toBe("dpop");
    expect(claimsOf(answer.access_token)).toMatchObject({ sub: ben.id, scope: "oid4ac:payment" });
  });
});

describe("oauth4webapi 3", () => {
  const insecure = { [oauth.allowInsecureRequests]: true };

  const server = async (): Promise<oauth.AuthorizationServer> => {
    const issuer = new URL(running.issuer);
    const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
    return oauth.processDiscoveryResponse(issuer, answer);
  };

  async function ask(
    client: OAuthClient,
    grant: string,
    form: Record<string, string>,
    auth?: oauth.ClientAuth,
  ) {
    const as = await server();
    const self: oauth.Client = { client_id: client.id };
    const DPoP = oauth.DPoP(self, await imported(client.keys.dpop));
    const proof = auth ?? oauth.PrivateKeyJwt((await imported(client.keys.assertion)).privateKey);
    const send = async () => {
      const answer = await oauth.genericTokenEndpointRequest(as, self, proof, grant, form, {
        DPoP,
        ...insecure,
      });
      return oauth.processGenericTokenEndpointResponse(as, self, answer);
    };
    try {
      return await send();
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return send();
    }
  }

  test("exchanges a token that was offered", async () => {
    const own = await ask(ann, "client_credentials", { resource: running.issuer });
    const subject = { subject_token_type: accessToken };
    const offered = await ask(ann, tokenExchange, {
      ...subject,
      subject_token: own.access_token,
      requested_actor: ben.id,
    });
    const taken = await ask(ben, tokenExchange, { ...subject, subject_token: offered.access_token });
    expectNested(taken.access_token);
    expect(taken.token_type).toBe("dpop");
  });

  test("redeems an assertion with client_id alone, and is told for good when it may not", async () => {
    const answer = await ask(ben, jwtBearer, { assertion: said() }, oauth.None());
    expect(claimsOf(answer.access_token)["cnf"]).toEqual({ jkt: expect.any(String) });
    const spent = said();
    await ask(ben, jwtBearer, { assertion: spent }, oauth.None());
    await expect(ask(ben, jwtBearer, { assertion: spent }, oauth.None())).rejects.toMatchObject({
      error: "invalid_grant",
    });
    await expect(ask(ann, jwtBearer, { assertion: said() }, oauth.None())).rejects.toMatchObject({
      error: "unauthorized_client",
    });
    await expect(
      ask(ben, jwtBearer, { assertion: said(), scope: "agents:write" }, oauth.None()),
    ).rejects.toMatchObject({ error: "invalid_scope" });
  });
});
