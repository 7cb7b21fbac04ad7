import { after } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { codeOf, encode, issuer, now, partsOf } from "../../test/purchase.ts";
import { type JsonObject, publicJwkOf } from "../index.ts";
import { generateJwk, makeClientAssertion, signJws, verifyClientAssertion } from "../node/index.ts";
import * as web from "../web/index.ts";
import { claimedClientOf } from "./index.ts";

const key = generateJwk("ES256");
const clientId = "agt_1";
const assertion = makeClientAssertion({ key, clientId, audience: issuer, now });
const { payload } = partsOf(assertion);
const input = {
  assertion,
  clientId,
  audiences: [issuer, `${issuer}/oauth/token`],
  keys: [publicJwkOf(key)],
  now,
};
const verify = (claims: JsonObject, typ = "JWT"): unknown =>
  verifyClientAssertion({ ...input, assertion: signJws(key, { typ }, { ...payload, ...claims }) });

test.each(["ES256", "EdDSA"] as const)(
  "an assertion made with %s authenticates its client once",
  async (alg) => {
    const own = generateJwk(alg);
    const request = { key: own, clientId, audience: issuer, now };
    for (const made of [makeClientAssertion(request), await web.makeClientAssertion(request)]) {
      const verified = verifyClientAssertion({ ...input, assertion: made, keys: [publicJwkOf(own)] });
      expect(verified).toEqual({ clientId, jti: partsOf(made).payload["jti"], exp: now / 1000 + 60 });
      await expect(
        web.verifyClientAssertion({ ...input, assertion: made, keys: [publicJwkOf(own)] }),
      ).resolves.toEqual(verified);
      expect(claimedClientOf(made)).toBe(clientId);
    }
  },
);

describe("A08 an assertion for somebody else, or for too long, is refused", () => {
  test.each([
    [`${issuer}/oauth/token`, undefined],
    [`${issuer}/`, "invalid_client"],
    ["https://other.example", "invalid_client"],
    ["https://other.example/oauth/token", "invalid_client"],
    [[issuer], "invalid_client"],
    [[issuer, "https://other.example"], "invalid_client"],
    [undefined, "invalid_client"],
  ])("aud %j: %s", (aud, refusal) => {
    if (refusal === undefined) expect(() => verify({ aud })).not.toThrow();
    else expect(codeOf(() => verify({ aud }))).toBe(refusal);
  });

  test.each([
    [{ exp: now / 1000 + 300 }, undefined],
    [{ exp: now / 1000 + 301 }, "invalid_client"],
    [{ exp: now / 1000 + 365 * 86_400 }, "invalid_client"],
    [{ exp: now / 1000 }, "invalid_client"],
    [{ iat: undefined }, "invalid_client"],
    [{ exp: undefined }, "invalid_client"],
    [{ iat: now / 1000 + 61, exp: now / 1000 + 100 }, "invalid_client"],
    [{ nbf: now / 1000 + 61 }, "invalid_client"],
  ])("times %j: %s", (claims, refusal) => {
    if (refusal === undefined) expect(() => verify(claims)).not.toThrow();
    else expect(codeOf(() => verify(claims))).toBe(refusal);
  });

  test.each([
    { iss: "agt_2" },
    { sub: "agt_2" },
    { sub: undefined },
    { jti: undefined },
    { jti: "" },
    { jti: "j".repeat(257) },
  ])("claims %j", (claims) => {
    expect(codeOf(() => verify(claims))).toBe("invalid_client");
  });

  test("after it has expired", () => {
    expect(() => verifyClientAssertion({ ...input, now: after(now, 59_999) })).not.toThrow();
    expect(codeOf(() => verifyClientAssertion({ ...input, now: after(now, 60_000) }))).toBe("invalid_client");
  });

  test("signed by a key that is not the client's, or by none", () => {
    const stranger = makeClientAssertion({
      key: { ...generateJwk("ES256"), kid: key.kid ?? "" },
      clientId,
      audience: issuer,
      now,
    });
    expect(codeOf(() => verifyClientAssertion({ ...input, assertion: stranger }))).toBe("invalid_client");
    const none = `${encode({ alg: "none", typ: "JWT" })}.${encode(payload)}.`;
    expect(codeOf(() => verifyClientAssertion({ ...input, assertion: none }))).toBe("invalid_client");
  });

  test("a token or a proof in its place", () => {
    for (const typ of ["at+jwt", "dpop+jwt", "dc+sd-jwt"])
      expect(codeOf(() => verify({}, typ))).toBe("invalid_client");
    expect(() => verify({}, "client-authentication+jwt")).not.toThrow();
  });
});

test("no client asks for more than five minutes", () => {
  const long = makeClientAssertion({ key, clientId, audience: issuer, now, lifetimeS: 86_400 });
  expect(partsOf(long).payload["exp"]).toBe(now / 1000 + 300);
  expect(claimedClientOf("x.y.z")).toBeUndefined();
  expect(claimedClientOf(signJws(key, { typ: "JWT" }, { iss: 1 }))).toBeUndefined();
});
