import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browser } from "./browser.ts";
import { setupToken } from "./client.ts";
import { approve, mandateRequest, openConsent, redirectUri, shop } from "./consent.ts";
import { callback, through } from "./relying-party.ts";
import { principal, type Running, startServer } from "./running.ts";

// The public client libraries as they are. Tests run on http, which both allow by an option of theirs.

let running: Running;
beforeAll(async () => {
  running = await startServer();
});
afterAll(() => running.close());

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const keyPair = () => openid.randomDPoPKeyPair("ES256", { extractable: true });
const jwkOf = async (key: CryptoKey): Promise<object> => {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  return { kty, crv, x, y };
};

describe("openid-client 6, unmodified", () => {
  const registered = async (kind: "agent" | "application", metadata: object, key: CryptoKey) =>
    openid.dynamicClientRegistration(new URL(running.issuer), { ...metadata }, openid.PrivateKeyJwt(key), {
      execute: [openid.allowInsecureRequests],
      initialAccessToken: await setupToken(running, kind),
    });

  test("a relying party: registration, PAR, PKCE, DPoP, iss, ID token, userinfo, refresh", async () => {
    const [assertion, dpop] = [await keyPair(), await keyPair()];
    const config = await registered(
      "application",
      {
        client_name: "Bank",
        redirect_uris: [callback],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [await jwkOf(assertion.publicKey)] },
        id_token_signed_response_alg: "ES256",
        remit_profile: "fapi2",
      },
      assertion.privateKey,
    );
    const DPoP = openid.getDPoPHandle(config, dpop);
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()];
    const url = await openid.buildAuthorizationUrlWithPAR(
      config,
      {
        redirect_uri: callback,
        scope: "openid email profile",
        state: expectedState,
        nonce: expectedNonce,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
      },
      { DPoP },
    );
    const answer = await through(new Browser(), url.href);
    const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, undefined, { DPoP });
    const sub = tokens.claims()?.sub ?? "";
    expect(sub).toBe(running.account);
    expect(tokens.token_type).toBe("dpop");
    const info = await openid.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
    expect(info).toMatchObject({ sub, email: principal.email, name: principal.name });
    const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? "", undefined, { DPoP });
    expect(refreshed.claims()?.sub).toBe(sub);

    const mixedUp = new URL(answer);
    mixedUp.searchParams.set("iss", "https://evil.example");
    await expect(
      openid.authorizationCodeGrant(config, mixedUp, checks, undefined, { DPoP }),
    ).rejects.toThrow();
  });

  test("an agent: registration, PAR with RAR, the principal's consent, mandate, refresh", async () => {
    const [assertion, dpop] = [await keyPair(), await keyPair()];
    const config = await registered(
      "agent",
      {
        client_name: "Buyer",
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: "private_key_jwt",
        jwks: {
          keys: [
            { ...(await jwkOf(assertion.publicKey)), remit_use: "assertion" },
            { ...(await jwkOf(dpop.publicKey)), remit_use: "dpop" },
          ],
        },
      },
      assertion.privateKey,
    );
    const DPoP = openid.getDPoPHandle(config, dpop);
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const url = await openid.buildAuthorizationUrlWithPAR(
      config,
      {
        redirect_uri: redirectUri,
        scope: "oid4ac:payment",
        resource: shop,
        authorization_details: JSON.stringify([mandateRequest]),
        state: expectedState,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
      },
      { DPoP },
    );
    const browser = new Browser();
    const answer = await approve(browser, await openConsent(browser, url.href));
    const checks = { pkceCodeVerifier, expectedState };
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, undefined, { DPoP });
    expect(tokens["mandate_jwt"]).toMatch(/~$/);
    expect(tokens.authorization_details).toEqual([
      { type: "oid4ac_mandate", mandate_id: expect.stringMatching(/^mnd_/) },
    ]);
    const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? "", undefined, { DPoP });
    expect(refreshed.token_type).toBe("dpop");
  });
});

describe("oauth4webapi 3, unmodified", () => {
  const insecure = { [oauth.allowInsecureRequests]: true };

  test("a client with a secret: discovery, registration, code, ID token, userinfo, refresh, management", async () => {
    const issuer = new URL(running.issuer);
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    const initialAccessToken = await setupToken(running, "application");
    const client = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        as,
        {
          redirect_uris: [callback],
          grant_types: ["authorization_code", "refresh_token"],
          id_token_signed_response_alg: "EdDSA",
        },
        { ...insecure, initialAccessToken },
      ),
    );
    const authenticate = oauth.ClientSecretBasic(textOf(client.client_secret));
    const verifier = oauth.generateRandomCodeVerifier();
    const nonce = oauth.generateRandomNonce();
    const url = new URL(as.authorization_endpoint ?? "");
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: callback,
      response_type: "code",
      scope: "openid email",
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }).toString();
    const answer = oauth.validateAuthResponse(
      as,
      client,
      await through(new Browser(), url.href),
      oauth.expectNoState,
    );
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      authenticate,
      answer,
      callback,
      verifier,
      insecure,
    );
    const idTokens = { expectedNonce: nonce, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, idTokens);
    await oauth.validateApplicationLevelSignature(as, response, insecure);
    const { sub } = oauth.getValidatedIdTokenClaims(tokens) ?? { sub: "" };
    const info = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
    expect(await oauth.processUserInfoResponse(as, client, sub, info)).toMatchObject({
      email: principal.email,
    });
    const again = await oauth.refreshTokenGrantRequest(
      as,
      client,
      authenticate,
      tokens.refresh_token ?? "",
      insecure,
    );
    const refreshed = await oauth.processRefreshTokenResponse(as, client, again);
    expect(refreshed.refresh_token).not.toBe(tokens.refresh_token);

    const registration = new URL(textOf(client["registration_client_uri"]));
    const manage = (method: string) =>
      oauth.protectedResourceRequest(
        textOf(client["registration_access_token"]),
        method,
        registration,
        undefined,
        undefined,
        insecure,
      );
    expect(await (await manage("GET")).json()).toMatchObject({ client_id: client.client_id });
    expect((await manage("DELETE")).status).toBe(204);
    await expect(manage("GET")).rejects.toThrow();
  });

  test("where to get a token is found from the resource (RFC 9728)", async () => {
    const resource = new URL(running.issuer);
    const metadata = await oauth.processResourceDiscoveryResponse(
      resource,
      await oauth.resourceDiscoveryRequest(resource, insecure),
    );
    expect(metadata.authorization_servers).toEqual([running.issuer]);
    expect(metadata.scopes_supported).toContain("wallet:read");
  });
});
