import * as oauth from "oauth4webapi";
import * as client from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approvalsOf, openWallet, type Wallet } from "./asking.ts";
import { consentAtDevice, decide } from "./at-device.ts";
import { Browser } from "./browser.ts";
import { newClient, type OAuthClient } from "./client.ts";
import { mandateRequest, shop } from "./consent.ts";
import { principal, type Running, startServer } from "./running.ts";

// Two published clients as they are, against the server as it is: what they refuse, we did wrong.

let running: Running;
let agent: OAuthClient;
let wallet: Wallet;
let assertionKey: CryptoKey;
let dpopKeys: CryptoKeyPair;

const ecdsa = { name: "ECDSA", namedCurve: "P-256" };

type EcJwk = Readonly<Record<"kty" | "crv" | "x" | "y" | "d", string>>;

async function importPair({ kty, crv, x, y, d }: EcJwk): Promise<CryptoKeyPair> {
  const open = { kty, crv, x, y };
  const jwk = { ...open, d };
  const privateKey = await crypto.subtle.importKey("jwk", jwk, ecdsa, false, ["sign"]);
  return { privateKey, publicKey: await crypto.subtle.importKey("jwk", open, ecdsa, true, ["verify"]) };
}

const ecOf = (jwk: OAuthClient["keys"]["dpop"]): EcJwk => jwk as unknown as EcJwk; // the keys of tests are of P-256

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
  wallet = await openWallet(running);
  assertionKey = (await importPair(ecOf(agent.keys.assertion))).privateKey;
  dpopKeys = await importPair(ecOf(agent.keys.dpop));
});
afterAll(() => running.close());

const details = JSON.stringify([mandateRequest]);
const forMandate = { resource: shop, authorization_details: details };

async function allowAtDevice(code: string): Promise<void> {
  const browser = new Browser();
  await decide(browser, await consentAtDevice({ issuer: running.issuer, browser, code }), "approve");
}

async function answerInWallet(verb: "approve" | "deny"): Promise<void> {
  const [waiting] = await approvalsOf(wallet, "pending");
  await wallet.send({ method: "POST", path: `/api/v1/approvals/${String(waiting?.["id"])}/${verb}` });
}

/** The clients wait for the interval before each poll; the answer is there already, so the test need not. */
const atOnce = <T extends { readonly interval?: number }>(answer: T): T => ({ ...answer, interval: 0.001 });

const given = (answer: Readonly<Record<string, unknown>>): void => {
  expect(answer["access_token"]).toBeTypeOf("string");
  expect(String(answer["token_type"]).toLowerCase()).toBe("dpop");
  expect(answer["refresh_token"]).toBeTypeOf("string");
  expect(answer["mandate_jwt"]).toMatch(/~$/);
  expect(answer["authorization_details"]).toEqual([
    { type: "oid4ac_mandate", mandate_id: answer["mandate_id"] },
  ]);
};

describe("openid-client, unmodified", () => {
  async function configured(): Promise<{ config: client.Configuration; DPoP: client.DPoPHandle }> {
    const config = await client.discovery(
      new URL(running.issuer),
      agent.id,
      { id_token_signed_response_alg: "ES256" },
      client.PrivateKeyJwt(assertionKey),
      { execute: [client.allowInsecureRequests] },
    );
    return { config, DPoP: client.getDPoPHandle(config, dpopKeys) };
  }

  test("runs the device flow with RAR and DPoP to a token and a mandate", async () => {
    const { config, DPoP } = await configured();
    const asked = await client.initiateDeviceAuthorization(config, {
      scope: "oid4ac:payment",
      ...forMandate,
    });
    expect(asked).toMatchObject({ verification_uri: `${running.issuer}/device`, interval: 5 });
    await allowAtDevice(asked.user_code);
    given(await client.pollDeviceAuthorizationGrant(config, atOnce(asked), {}, { DPoP }));
  });

  test("runs CIBA in poll mode with RAR and DPoP to a token, an ID token and a mandate", async () => {
    const { config, DPoP } = await configured();
    const asked = await client.initiateBackchannelAuthentication(config, {
      scope: "openid oid4ac:payment",
      login_hint: principal.email,
      binding_message: "Order 17",
      ...forMandate,
    });
    await answerInWallet("approve");
    const answer = await client.pollBackchannelAuthenticationGrant(config, atOnce(asked), {}, { DPoP });
    given(answer);
    expect(answer.claims()?.iss).toBe(running.issuer);
    expect(answer.claims()?.aud).toBe(agent.id);
  });

  test("hears that the principal declined", async () => {
    const { config, DPoP } = await configured();
    const asked = await client.initiateBackchannelAuthentication(config, {
      scope: "openid oid4ac:payment",
      login_hint: principal.email,
      ...forMandate,
    });
    await answerInWallet("deny");
    const polling = client.pollBackchannelAuthenticationGrant(config, atOnce(asked), {}, { DPoP });
    await expect(polling).rejects.toMatchObject({ error: "access_denied" });
  });
});

describe("oauth4webapi, unmodified", () => {
  const insecure = { [oauth.allowInsecureRequests]: true };

  async function configured() {
    const issuer = new URL(running.issuer);
    const response = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" });
    const server = await oauth.processDiscoveryResponse(issuer, response);
    const self: oauth.Client = { client_id: agent.id, id_token_signed_response_alg: "ES256" };
    return { server, self, proves: oauth.PrivateKeyJwt(assertionKey), DPoP: oauth.DPoP(self, dpopKeys) };
  }

  /** As its documentation shows: once more with the nonce that the server asked for. */
  async function withNonce<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return send();
    }
  }

  test("runs the device flow with RAR and DPoP to a token and a mandate", async () => {
    const { server, self, proves, DPoP } = await configured();
    const parameters = { scope: "oid4ac:payment", ...forMandate };
    const sent = await oauth.deviceAuthorizationRequest(server, self, proves, parameters, insecure);
    const asked = await oauth.processDeviceAuthorizationResponse(server, self, sent);
    const poll = () =>
      withNonce(async () => {
        const options = { ...insecure, DPoP };
        const answer = await oauth.deviceCodeGrantRequest(server, self, proves, asked.device_code, options);
        return oauth.processDeviceCodeResponse(server, self, answer);
      });
    await expect(poll()).rejects.toMatchObject({ error: "authorization_pending" });
    await expect(poll()).rejects.toMatchObject({ error: "slow_down" });
    await allowAtDevice(asked.user_code);
    given(await poll());
  });

  test("runs CIBA in poll mode with RAR and DPoP to a token, an ID token and a mandate", async () => {
    const { server, self, proves, DPoP } = await configured();
    const parameters = { scope: "openid oid4ac:payment", login_hint: running.account, ...forMandate };
    const sent = await oauth.backchannelAuthenticationRequest(server, self, proves, parameters, insecure);
    const asked = await oauth.processBackchannelAuthenticationResponse(server, self, sent);
    await answerInWallet("approve");
    const options = { ...insecure, DPoP };
    const answer = await withNonce(async () => {
      const got = await oauth.backchannelAuthenticationGrantRequest(
        server,
        self,
        proves,
        asked.auth_req_id,
        options,
      );
      return oauth.processBackchannelAuthenticationGrantResponse(server, self, got);
    });
    given(answer);
    expect(oauth.getValidatedIdTokenClaims(answer)?.sub).toBeTypeOf("string");
  });
});
