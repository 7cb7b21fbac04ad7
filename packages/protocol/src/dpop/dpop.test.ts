import { createHmac } from "node:crypto";
import { fromNumericDate, toNumericDate } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import {
  rfc9449AccessToken,
  rfc9449ResourceProof,
  rfc9449Thumbprint,
  rfc9449TokenProof,
} from "../../test/published-values.ts";
import { codeOf, encode, now, partsOf } from "../../test/purchase.ts";
import { type JsonObject, type PrivateJwk, publicJwkOf } from "../index.ts";
import { generateJwk, makeDpopProof, signJws, thumbprint, verifyDpopProof } from "../node/index.ts";
import * as web from "../web/index.ts";
import type { DpopProofInput } from "./index.ts";

const key = generateJwk("ES256");
const request = {
  key,
  method: "POST",
  url: "https://as.example/oauth/token?x=1#y",
  now,
  accessToken: "the.access.token",
};
const proof = makeDpopProof(request);
const { accessToken } = request;
const input: DpopProofInput = {
  proof,
  method: "POST",
  url: "https://as.example/oauth/token",
  now,
  accessToken,
};

const { payload } = partsOf(proof);
const { d: _, kid: _kid, alg: _alg, ...jwk } = key;
const signed = (claims: JsonObject, header: JsonObject = {}, by: PrivateJwk = key): string =>
  signJws(by, { typ: "dpop+jwt", kid: undefined, jwk, ...header }, { ...payload, ...claims });
const refusalOf = (changes: Partial<DpopProofInput>): string =>
  codeOf(() => verifyDpopProof({ ...input, ...changes }));

describe("RFC 9449", () => {
  test("§4.2: the proof of a token request", () => {
    const at = { now: fromNumericDate(1562262616), method: "POST", url: "https://server.example.com/token" };
    expect(verifyDpopProof({ proof: rfc9449TokenProof, ...at })).toMatchObject({
      thumbprint: rfc9449Thumbprint,
      jti: "-BwC3ESc6acc2lTc",
      iat: 1562262616,
    });
  });

  test("§7.1: the proof for a protected resource, bound to its token", async () => {
    const published = {
      proof: rfc9449ResourceProof,
      now: fromNumericDate(1562262618),
      method: "GET",
      url: "https://resource.example.org/protectedresource",
      accessToken: rfc9449AccessToken,
      requiredThumbprint: rfc9449Thumbprint,
    };
    expect(verifyDpopProof(published).jti).toBe("e1j3V_bKic8-LAEB");
    await expect(web.verifyDpopProof(published)).resolves.toEqual(verifyDpopProof(published));
    expect(codeOf(() => verifyDpopProof({ ...published, accessToken: "another" }))).toBe(
      "invalid_dpop_proof",
    );
  });
});

test.each(["ES256", "EdDSA"] as const)("a proof made with %s verifies, and names its key", async (alg) => {
  const own = generateJwk(alg);
  const proofs = [makeDpopProof({ ...request, key: own }), await web.makeDpopProof({ ...request, key: own })];
  for (const made of proofs) {
    const verified = verifyDpopProof({ ...input, proof: made, requiredThumbprint: thumbprint(own) });
    expect(verified).toMatchObject({ thumbprint: thumbprint(own), iat: toNumericDate(now) });
    expect(verified.jwk).toEqual({ ...verified.jwk, kty: own.kty, x: own.x });
    await expect(web.verifyDpopProof({ ...input, proof: made })).resolves.toEqual(verified);
    expect(partsOf(made).header).not.toHaveProperty("jwk.d");
  }
  expect(partsOf(proofs[0] ?? "").payload["jti"]).not.toBe(partsOf(proofs[1] ?? "").payload["jti"]);
});

describe("A03 a proof that is not for this request is refused", () => {
  test.each([
    ["another method", { method: "GET" }],
    ["the method in lower case", { method: "post" }],
    ["another path", { url: "https://as.example/oauth/par" }],
    ["another host", { url: "https://evil.example/oauth/token" }],
    ["another port", { url: "https://as.example:8443/oauth/token" }],
    ["another scheme", { url: "http://as.example/oauth/token" }],
    ["a path that differs in case", { url: "https://as.example/OAuth/token" }],
    ["a path with a slash at its end", { url: "https://as.example/oauth/token/" }],
    ["another token", { accessToken: "another.access.token" }],
    ["another key than the token's", { requiredThumbprint: thumbprint(generateJwk("ES256")) }],
  ] satisfies [string, Partial<DpopProofInput>][])("%s", (_, changes) => {
    expect(refusalOf(changes)).toBe("invalid_dpop_proof");
  });

  test("a proof for a token where none is, or the reverse", () => {
    const { accessToken: _, ...bare } = input;
    expect(codeOf(() => verifyDpopProof(bare))).toBe("invalid_dpop_proof");
    expect(refusalOf({ proof: signed({ ath: undefined }) })).toBe("invalid_dpop_proof");
  });

  test.each([-61, 61, 3600, -86_400])("iat %i seconds from now", (offset) => {
    expect(refusalOf({ proof: signed({ iat: toNumericDate(now) + offset }) })).toBe("invalid_dpop_proof");
  });

  test.each([-60, 0, 60])("but iat %i seconds from now passes", (offset) => {
    expect(() =>
      verifyDpopProof({ ...input, proof: signed({ iat: toNumericDate(now) + offset }) }),
    ).not.toThrow();
  });

  test.each([
    { jti: undefined },
    { jti: "" },
    { jti: 1 },
    { jti: "j".repeat(257) },
    { iat: undefined },
    { iat: "1" },
    { iat: 1.5 },
    { htu: undefined },
    { htu: "/oauth/token" },
    { htu: "https://as.example@evil.example/oauth/token" },
    { htu: "https://user@as.example/oauth/token" },
    { htu: "javascript:alert(1)" },
    { htm: ["POST"] },
  ])("claims %j", (claims) => {
    expect(refusalOf({ proof: signed(claims) })).toBe("invalid_dpop_proof");
  });

  test("signed by another key than the one in its header", () => {
    expect(refusalOf({ proof: signed({}, {}, generateJwk("ES256")) })).toBe("invalid_dpop_proof");
  });

  test.each([
    ["a private key", { jwk: { ...jwk, d: key.d } }],
    ["no key", { jwk: undefined }],
    ["a symmetric key", { jwk: { kty: "oct", k: "AAAA" } }],
    ["a key of another alg", { jwk: { kty: "OKP", crv: "Ed25519", x: key.x } }],
    ["typ JWT", { typ: "JWT" }],
    ["crit", { crit: ["htm"] }],
    ["jku", { jku: "https://evil.example" }],
  ] satisfies [string, JsonObject][])("header with %s", (_, header) => {
    expect(refusalOf({ proof: signed({}, header) })).toBe("invalid_dpop_proof");
  });

  test("an HMAC or no signature at all", () => {
    const unsigned = `${encode({ typ: "dpop+jwt", alg: "HS256", jwk })}.${encode(payload)}`;
    const hmac = createHmac("sha256", JSON.stringify(publicJwkOf(key)))
      .update(unsigned)
      .digest("base64url");
    expect(refusalOf({ proof: `${unsigned}.${hmac}` })).toBe("invalid_dpop_proof");
    expect(refusalOf({ proof: `${encode({ typ: "dpop+jwt", alg: "none", jwk })}.${encode(payload)}.` })).toBe(
      "invalid_dpop_proof",
    );
  });
});

describe("A03 the server's nonce", () => {
  const withNonce = makeDpopProof({ ...request, nonce: "n-1" });

  test("is demanded when it is missing or not ours", () => {
    expect(refusalOf({ nonce: "n-1" })).toBe("use_dpop_nonce");
    expect(refusalOf({ nonce: () => true })).toBe("use_dpop_nonce");
    expect(refusalOf({ proof: withNonce, nonce: "n-2" })).toBe("use_dpop_nonce");
    expect(refusalOf({ proof: withNonce, nonce: () => false })).toBe("use_dpop_nonce");
  });

  test("passes when it is ours, and is reported", () => {
    for (const nonce of ["n-1", (text: string) => text === "n-1"])
      expect(verifyDpopProof({ ...input, proof: withNonce, nonce }).nonce).toBe("n-1");
    expect(refusalOf({ proof: signed({ nonce: 1 }) })).toBe("invalid_dpop_proof");
  });
});

test("htu is compared after normalisation, query and fragment apart", () => {
  for (const htu of [
    "https://as.example:443/oauth/token",
    "HTTPS://AS.example/oauth/token?a#b",
    "https://as.example/./oauth/token",
  ])
    expect(() => verifyDpopProof({ ...input, proof: signed({ htu }) })).not.toThrow();
  expect(payload["htu"]).toBe("https://as.example/oauth/token");
});
