import { after, newId, toNumericDate } from "@remit/kernel";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { codeOf, issuer, makeToken, now, shop, tokenFor } from "../../test/purchase.ts";
import { type JsonObject, parsePublicJwk, publicJwkOf } from "../index.ts";
import { generateJwk, signJws, thumbprint, verifyAccessToken } from "../node/index.ts";
import * as web from "../web/index.ts";

const key = generateJwk("ES256", "as-1");
const agentKey = generateJwk("EdDSA");
const claims = tokenFor(agentKey, newId("mandate"));
const rules = { issuer, audience: shop, keys: [publicJwkOf(key)], now };
const verify = (changes: JsonObject): unknown =>
  verifyAccessToken({ ...rules, token: makeToken(key, { ...claims, ...changes }) });

test("a token says who acts, for which tenant, with which scopes", async () => {
  const more = {
    sid: "s",
    grant_id: "g",
    act: { sub: "agent-2", act: { sub: "agent-1" } },
    acr: "urn:remit:aal2",
    amr: ["pwd"],
    auth_time: now / 1000,
  };
  const token = makeToken(key, { ...claims, ...more, scope: "oid4ac:payment wallet:read", unknown: 1 });
  const verified = verifyAccessToken({ ...rules, token });
  expect(verified).toEqual({ ...claims, ...more, scope: ["oid4ac:payment", "wallet:read"] });
  expect(verified.cnf?.jkt).toBe(thumbprint(agentKey));
  await expect(web.verifyAccessToken({ ...rules, token })).resolves.toEqual(verified);
});

test("a token of the public implementation is read, with either spelling of its typ", async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
  const jwk = parsePublicJwk(await exportJWK(publicKey));
  for (const typ of ["at+jwt", "application/at+jwt"]) {
    const token = await new SignJWT({ ...claims }).setProtectedHeader({ alg: "EdDSA", typ }).sign(privateKey);
    expect(verifyAccessToken({ ...rules, keys: jwk === undefined ? [] : [jwk], token }).client_id).toBe(
      claims["client_id"],
    );
  }
});

describe("A02 what is not an access token for this audience is refused", () => {
  test.each([
    "JWT",
    "id_token+jwt",
    "logout+jwt",
    "dc+sd-jwt",
    "kb+jwt",
    "dpop+jwt",
    "remit-receipt+jwt",
    "AT+JWT",
    "",
  ])("typ %j", (typ) => {
    expect(codeOf(() => verifyAccessToken({ ...rules, token: signJws(key, { typ }, claims) }))).toBe(
      "invalid_token",
    );
  });

  test.each([
    "https://shop.example/",
    "https://SHOP.example",
    "https://shop.example:443",
    "https://shop.example.evil.example",
    [shop],
    [shop, "https://evil.example"],
    undefined,
  ])("aud %j", (aud) => {
    expect(codeOf(() => verify({ aud }))).toBe("aud_mismatch");
  });
});

describe("O04 the token's times, to the second", () => {
  const at = (ms: number): unknown =>
    verifyAccessToken({ ...rules, now: after(now, ms), token: makeToken(key, claims) });

  test("exp", () => {
    expect(() => at(299_999)).not.toThrow();
    expect(codeOf(() => at(300_000))).toBe("invalid_token");
    expect(codeOf(() => at(301_000))).toBe("invalid_token");
  });

  test("iat and nbf in the future, beyond what clocks differ", () => {
    for (const name of ["iat", "nbf"]) {
      expect(() => verify({ [name]: now / 1000 + 60 })).not.toThrow();
      expect(codeOf(() => verify({ [name]: now / 1000 + 61 }))).toBe("invalid_token");
    }
  });
});

describe("a token with a claim amiss is refused", () => {
  test.each([
    { iss: "https://as.example/" },
    { iss: undefined },
    { sub: undefined },
    { sub: "" },
    { client_id: 1 },
    { jti: undefined },
    { iat: undefined },
    { exp: undefined },
    { exp: "9999999999" },
    { exp: 1.5 },
    { exp: 1e300 },
    { nbf: "x" },
    { scope: ["oid4ac:payment"] },
    { organization_id: undefined },
    { organization_id: "acme" },
    { livemode: undefined },
    { livemode: "false" },
    { mandate_id: "mnd_1" },
    { cnf: {} },
    { cnf: { jkt: 1 } },
    { cnf: { jwk: {} } },
    { cnf: { jkt: "x", "x5t#S256": "y" } },
    { cnf: null },
    { act: {} },
    { act: "agent" },
    { act: { sub: "a", act: { sub: 1 } } },
    { amr: "pwd" },
    { amr: [1] },
    { auth_time: "x" },
    { sid: 1 },
  ])("%j", (changes) => {
    expect(codeOf(() => verify(changes))).toBe("invalid_token");
  });

  test("an actor chain deeper than delegation goes", () => {
    const chain = (depth: number): JsonObject => ({
      sub: `a${depth}`,
      ...(depth > 1 && { act: chain(depth - 1) }),
    });
    expect(() => verify({ act: chain(8) })).not.toThrow();
    expect(codeOf(() => verify({ act: chain(9) }))).toBe("invalid_token");
  });
});

test("a token signed by an unknown key, or by another under a known kid, is refused", () => {
  const stranger = generateJwk("ES256", "as-1");
  expect(codeOf(() => verifyAccessToken({ ...rules, token: makeToken(stranger, claims) }))).toBe(
    "invalid_token",
  );
  expect(codeOf(() => verifyAccessToken({ ...rules, keys: [], token: makeToken(key, claims) }))).toBe(
    "invalid_token",
  );
});

describe("a token that was verified before", () => {
  const token = makeToken(key, claims);
  const again = (more: Partial<Parameters<typeof verifyAccessToken>[0]> = {}): unknown =>
    codeOf(() => verifyAccessToken({ ...rules, token, ...more }));

  test("is decided anew in all but its signature", () => {
    verifyAccessToken({ ...rules, token });
    expect(again({ now: after(now, 3_600_000) })).toBe("invalid_token");
    expect(again({ audience: "https://other.example" })).toBe("aud_mismatch");
    expect(again({ issuer: "https://other.example" })).toBe("invalid_token");
    expect(again({ keys: [] })).toBe("invalid_token");
    expect(verifyAccessToken({ ...rules, audience: undefined, token }).aud).toBe(rules.audience);
  });

  test("is not yet valid again for a clock that was set back", () => {
    const later = after(now, 120_000);
    const token = makeToken(key, { ...claims, nbf: toNumericDate(later) });
    verifyAccessToken({ ...rules, now: later, token });
    expect(again({ token })).toBe("invalid_token");
  });

  test("says the same to everybody: nobody can change what the next one reads", () => {
    const read = verifyAccessToken({ ...rules, token });
    expect(() => Object.assign(read.scope, ["payments:execute"])).toThrow(TypeError);
    expect(() => Object.assign(read, { sub: "somebody" })).toThrow(TypeError);
  });

  test("holds for no other key under its kid, and for no other bytes", () => {
    verifyAccessToken({ ...rules, token });
    const other = publicJwkOf(generateJwk("ES256", "as-1"));
    expect(again({ keys: [other] })).toBe("invalid_token");
    const [head = "", body = "", signature = ""] = token.split(".");
    const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    expect(again({ token: `${head}.${body}.${flipped}` })).toBe("invalid_token");
    const [, longer = ""] = makeToken(key, { ...claims, scope: "wallet:write" }).split(".");
    expect(again({ token: `${head}.${longer}.${signature}` })).toBe("invalid_token");
    verifyAccessToken({ ...rules, token });
  });

  test("is not remembered when its signature did not hold", () => {
    const [head, body] = makeToken(key, { ...claims, jti: "never-held" }).split(".");
    const forged = `${head}.${body}.${token.split(".")[2]}`;
    for (let i = 0; i < 3; i++) expect(again({ token: forged })).toBe("invalid_token");
  });
});
