import { Problem, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { readAsked } from "./asked.ts";
import { registrationOf } from "./metadata.ts";

const agent = { kind: "agent", name: undefined } as const;
const keys = {
  private_key_jwt_jwk: publicJwkOf(generateJwk("ES256")),
  dpop_jwk: publicJwkOf(generateJwk("EdDSA")),
};

const refusal = (metadata: Record<string, unknown>): string | undefined => {
  try {
    registrationOf(agent, readAsked({ ...keys, ...metadata }));
    return undefined;
  } catch (error) {
    return error instanceof Problem ? error.code : "not a problem";
  }
};

describe("A09 redirect addresses", () => {
  test.each([
    "https://app.example/callback",
    "https://app.example",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:8085/callback",
    "http://[::1]/callback",
    "http://localhost/callback",
  ])("A09 %s is taken", (uri) => {
    expect(registrationOf(agent, { ...keys, redirect_uris: [uri] }).redirectUris).toEqual([uri]);
  });

  test.each([
    "http://app.example/callback",
    "http://127.0.0.2/callback",
    "http://localhost.evil.example/callback",
    "https://app.example/callback#f",
    "https://app.example/callback#",
    "https://user@app.example/callback",
    "https://*.app.example/callback",
    "https://app.example/../callback",
    "HTTPS://app.example/callback",
    "https://APP.example/callback",
    "https://app.example:443/callback",
    "https://аpp.example/callback",
    "https:\\\\app.example",
    "myapp:/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    " https://app.example/callback",
    "",
  ])("A09 %s is refused", (uri) => {
    expect(refusal({ redirect_uris: [uri] })).toBe("invalid_redirect_uri");
  });

  test("A09 at most ten, and none for a merchant", () => {
    const uris = Array.from({ length: 11 }, (_, i) => `https://app.example/${i}`);
    expect(refusal({ redirect_uris: uris })).toBe("invalid_redirect_uri");
    const merchant = { kind: "merchant", name: "Shop" } as const;
    expect(() => registrationOf(merchant, { ...keys, redirect_uris: ["https://app.example/c"] })).toThrow(
      Problem,
    );
  });
});

describe("A09 names", () => {
  test("A09 a name is trimmed and normalised; without one the setup token's or a plain one is used", () => {
    expect(registrationOf(agent, { ...keys, client_name: "  Cafe\u0301  " }).name).toBe("Café");
    expect(registrationOf({ kind: "agent", name: "Buyer" }, keys).name).toBe("Buyer");
    expect(registrationOf(agent, keys).name).toBe("Unnamed agent");
  });

  test.each(["\u202eevil", "a\u0000b", "a\nb", "zero\u200bwidth", "<b>", "x".repeat(81), "   "])(
    "A09 %j is refused",
    (client_name) => {
      expect(refusal({ client_name })).toBe("invalid_client_metadata");
    },
  );
});

describe("A09 scopes", () => {
  test.each(["oid4ac:payment", "payment.charge", "oid4ac:payment offline_access", "", undefined])(
    "A09 an agent may ask for %j",
    (scope) => expect(refusal({ scope })).toBeUndefined(),
  );

  test.each(["wallet:write", "oid4ac:payment agents:write", "openid", "payments", "__proto__"])(
    "A09 %j is refused rather than dropped",
    (scope) => expect(refusal({ scope })).toBe("invalid_client_metadata"),
  );

  test("A09 a merchant may ask for its own, and no agent's", () => {
    const ask = (scope: string) => registrationOf({ kind: "merchant", name: "Shop" }, { ...keys, scope });
    expect(ask("charges:write directory:write").kind).toBe("merchant");
    for (const scope of ["oid4ac:payment", "charges:write offline_access"])
      expect(() => ask(scope)).toThrow(Problem);
  });
});

describe("A09 keys", () => {
  test("A09 two marked keys are ambiguous, and one key cannot do both", () => {
    const jwk = publicJwkOf(generateJwk("ES256"));
    const twice = {
      keys: [
        { ...jwk, remit_use: "dpop" },
        { ...keys.dpop_jwk, remit_use: "dpop" },
      ],
    };
    expect(refusal({ dpop_jwk: undefined, jwks: twice })).toBe("invalid_client_metadata");
    expect(refusal({ dpop_jwk: jwk, private_key_jwt_jwk: jwk })).toBe("invalid_client_metadata");
    expect(refusal({ dpop_jwk: generateJwk("ES256") })).toBe("invalid_client_metadata");
    expect(refusal({ dpop_jwk: "key" })).toBe("invalid_client_metadata");
  });
});
