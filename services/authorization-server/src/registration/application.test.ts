import { Problem, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { applicationOf } from "./application.ts";
import { readAsked } from "./asked.ts";

const callback = "https://reader.example/callback";
const asked = (more: object = {}) => readAsked({ redirect_uris: [callback], ...more });

const refusal = (more: object): string | undefined => {
  try {
    applicationOf(asked(more), undefined);
    return undefined;
  } catch (error) {
    return error instanceof Problem ? error.code : "not a problem";
  }
};

const jwks = { keys: [{ ...publicJwkOf(generateJwk("ES256")), use: "sig", kid: "one" }] };

describe("A09 what an application may not be", () => {
  test.each([
    { token_endpoint_auth_method: "tls_client_auth" },
    { token_endpoint_auth_method: "client_secret_jwt" },
    { token_endpoint_auth_method: "private_key_jwt" },
    { token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [generateJwk("ES256")] } },
    { token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [{ kty: "oct", k: "c2VjcmV0" }] } },
    { token_endpoint_auth_method: "private_key_jwt", jwks, jwks_uri: "https://reader.example/jwks" },
    { token_endpoint_auth_signing_alg: "HS256" },
    { grant_types: ["implicit"] },
    { grant_types: ["password"] },
    { grant_types: ["client_credentials"] },
    { response_types: ["code id_token"] },
    { response_types: [] },
    { grant_types: ["refresh_token"], response_types: ["code"] },
    { id_token_signed_response_alg: "none" },
    { id_token_signed_response_alg: "HS256" },
    { id_token_signed_response_alg: "RS256" },
    { userinfo_signed_response_alg: "ES256" },
    { id_token_encrypted_response_alg: "RSA-OAEP" },
    { require_signed_request_object: true },
    { tls_client_certificate_bound_access_tokens: true },
    { software_statement: "a.b.c" },
    { subject_type: "secret" },
    { subject_type: "pairwise", scope: "openid wallet:read" },
    { subject_type: "pairwise", redirect_uris: [callback, "https://other.example/callback"] },
    { scope: "openid wallet:write" },
    { scope: "oid4ac:payment" },
    { scope: "made:up" },
    { authorization_details_types: ["oid4ac_mandate"] },
    { backchannel_token_delivery_mode: "push" },
    { backchannel_token_delivery_mode: "ping" },
    { logo_uri: "http://169.254.169.254/latest" },
    { logo_uri: "javascript:alert(1)" },
    { client_uri: "https://user@reader.example" },
    { post_logout_redirect_uris: ["http://reader.example"] },
    { default_max_age: -1 },
    { require_auth_time: "yes" },
    { remit_profile: "fapi1" },
    { remit_profile: "fapi2" },
    {
      remit_profile: "fapi2",
      token_endpoint_auth_method: "private_key_jwt",
      jwks,
      dpop_bound_access_tokens: false,
    },
    { client_name: "Stripe\u202egnp.exe" },
    { client_name: 7 },
    { client_name: "<b>" },
    JSON.parse('{"__proto__": {"polluted": true}, "client_name": {"__proto__": 1}}'),
  ])("A09 %j is refused", (more) => {
    expect(refusal(more)).toBe("invalid_client_metadata");
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  test.each([["http://reader.example/cb"], ["myapp:/cb"], ["https://reader.example/cb#f"], [7]])(
    "A09 the redirect %s is refused",
    (uri) => expect(refusal({ redirect_uris: [uri] })).toBe("invalid_redirect_uri"),
  );

  test("A09 a client that wants codes says where they go", () => {
    expect(refusal({ redirect_uris: [] })).toBe("invalid_redirect_uri");
    expect(refusal({ redirect_uris: undefined })).toBe("invalid_redirect_uri");
  });
});

describe("what an application may be", () => {
  test("nothing said: a web client with a secret, that may ask for all that applications may", () => {
    const { metadata, scopes, name } = applicationOf(asked(), undefined);
    expect(metadata).toMatchObject({
      token_endpoint_auth_method: "client_secret_basic",
      application_type: "web",
      grant_types: ["authorization_code"],
      subject_type: "public",
      id_token_signed_response_alg: "ES256",
    });
    expect(scopes).toEqual(["openid", "email", "profile", "offline_access", "wallet:read"]);
    expect(name).toBe("Unnamed application");
  });

  test("on the person's own machine it is native, so that the port of its redirect is free", () => {
    const { metadata } = applicationOf(asked({ redirect_uris: ["http://127.0.0.1/callback"] }), undefined);
    expect(metadata.application_type).toBe("native");
  });

  test("with pairwise subjects it gets no scope whose tokens name the account", () => {
    expect(applicationOf(asked({ subject_type: "pairwise" }), undefined).scopes).not.toContain("wallet:read");
  });

  test("FAPI 2.0: PAR and DPoP are set whether it asked or not", () => {
    const more = { remit_profile: "fapi2", token_endpoint_auth_method: "private_key_jwt", jwks };
    expect(applicationOf(asked(more), undefined).metadata).toMatchObject({
      remit_profile: "fapi2",
      dpop_bound_access_tokens: true,
      require_pushed_authorization_requests: true,
    });
  });
});
