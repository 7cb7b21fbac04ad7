import { createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { CompactSign, compactVerify, importJWK } from "jose";
import { describe, expect, test, vi } from "vitest";
import {
  rfc7515Jwk,
  rfc7515Jws,
  rfc7638Jwk,
  rfc7638Thumbprint,
  rfc8037Jwk,
  rfc8037Signature,
  rfc8037SigningInput,
  rfc8037Thumbprint,
} from "../../test/published-values.ts";
import { codeOf, encode } from "../../test/purchase.ts";
import { base64url, utf8 } from "../encoding/index.ts";
import { generateJwk, holds, settle, signatureOf, signJws, thumbprint } from "../node/index.ts";
import * as web from "../web/index.ts";
import {
  checkOf,
  type JwsRules,
  keyFor,
  keyIdOf,
  type PublicJwk,
  parseJwks,
  parseJws,
  parsePrivateJwk,
  parsePublicJwk,
  payloadOf,
  publicJwkOf,
} from "./index.ts";

const rules: JwsRules = { typ: ["test+jwt"], algs: ["ES256", "EdDSA"], refuse: "invalid_token" };
const key = generateJwk("ES256", "key-1");
const good = signJws(key, { typ: "test+jwt" }, { sub: "x" });
const jwsWith = (header: object, payload: unknown = { sub: "x" }): string => {
  const input = `${encode(header)}.${typeof payload === "string" ? payload : encode(payload)}`;
  return `${input}.${base64url.encode(signatureOf(key, utf8(input)))}`;
};
const header = { alg: "ES256", typ: "test+jwt", kid: "key-1" };
const refusalOf = (jws: string, more: Partial<JwsRules> = {}): string =>
  codeOf(() => parseJws(jws, { ...rules, ...more }));

describe("published signatures", () => {
  test("RFC 7515 appendix A.3: ES256", async () => {
    const jws = parseJws(rfc7515Jws, { typ: [undefined], algs: ["ES256"], refuse: "invalid_token" });
    expect(jws.payload).toEqual({ iss: "joe", exp: 1300819380, "http://example.com/is_root": true });
    const check = checkOf(jws, rfc7515Jwk, "invalid_token");
    expect(holds(check)).toBe(true);
    expect(await web.holds(check)).toBe(true);
  });

  test("RFC 8037 appendix A: Ed25519, signed and checked", async () => {
    const jwk = parsePrivateJwk(rfc8037Jwk);
    if (jwk === undefined) throw new Error("the key of RFC 8037 was refused");
    const data = utf8(rfc8037SigningInput);
    expect(base64url.encode(signatureOf(jwk, data))).toBe(rfc8037Signature);
    expect(base64url.encode(await web.signatureOf(jwk, data))).toBe(rfc8037Signature);
    const signature = base64url.decode(rfc8037Signature) ?? new Uint8Array();
    expect(holds({ alg: "EdDSA", key: publicJwkOf(jwk), data, signature, refuse: "invalid_token" })).toBe(
      true,
    );
    expect(thumbprint(jwk)).toBe(rfc8037Thumbprint);
  });

  test("RFC 7638 §3.1: the thumbprint of an RSA key, whatever its labels", () => {
    expect(thumbprint({ ...rfc7638Jwk, kid: "2011-04-29", alg: "RS256" })).toBe(rfc7638Thumbprint);
    expect(web.thumbprint(rfc7638Jwk)).toBe(rfc7638Thumbprint);
  });
});

describe.each(["ES256", "EdDSA"] as const)("%s", (alg) => {
  const jwk = generateJwk(alg);

  test("signed by us in node or a browser, verified by the public implementation", async () => {
    const theirKey = await importJWK(publicJwkOf(jwk), alg);
    for (const jws of [
      signJws(jwk, { typ: "test+jwt" }, { sub: "x" }),
      await web.signJws(jwk, { typ: "test+jwt" }, { sub: "x" }),
    ]) {
      const { payload, protectedHeader } = await compactVerify(jws, theirKey);
      expect(Buffer.from(payload).toString()).toBe('{"sub":"x"}');
      expect(protectedHeader).toEqual({ alg, kid: jwk.kid, typ: "test+jwt" });
    }
  });

  test("signed by the public implementation, verified by us in node and a browser", async () => {
    const jws = await new CompactSign(utf8('{"sub":"x"}'))
      .setProtectedHeader({ alg, typ: "test+jwt" })
      .sign(await importJWK(jwk, alg));
    const check = checkOf(parseJws(jws, rules), publicJwkOf(jwk), "invalid_token");
    expect(settle({ checks: [check], value: "proven" })).toBe("proven");
    await expect(web.settle({ checks: [check], value: "proven" })).resolves.toBe("proven");
  });

  test("a signature of another key or over other bytes proves nothing", async () => {
    const check = checkOf(
      parseJws(signJws(jwk, { typ: "test+jwt" }, {}), rules),
      publicJwkOf(jwk),
      "invalid_token",
    );
    const spoiled = [
      { ...check, key: publicJwkOf(generateJwk(alg)) },
      { ...check, data: utf8("other") },
      { ...check, signature: check.signature.with(5, (check.signature[5] ?? 0) ^ 1) },
      { ...check, signature: new Uint8Array(64) },
    ];
    for (const wrong of spoiled) {
      expect(holds(wrong)).toBe(false);
      expect(await web.holds(wrong)).toBe(false);
      expect(codeOf(() => settle({ checks: [check, wrong], value: 0 }))).toBe("invalid_token");
      await expect(web.settle({ checks: [check, wrong], value: 0 })).rejects.toMatchObject({
        code: "invalid_token",
      });
    }
  });

  test("keys made in a browser sign in node", async () => {
    const made = await web.generateJwk(alg, "mine");
    expect(made).toMatchObject({ kid: "mine", alg });
    expect(
      holds(
        checkOf(parseJws(signJws(made, { typ: "test+jwt" }, {}), rules), publicJwkOf(made), "invalid_token"),
      ),
    ).toBe(true);
  });
});

test("RS256 of a partner is verified with 2048 bits and refused with fewer", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = parsePublicJwk(publicKey.export({ format: "jwk" }));
  if (jwk === undefined) throw new Error("a key of 2048 bits was refused");
  const input = `${encode({ alg: "RS256", typ: "test+jwt" })}.${encode({})}`;
  const jws = `${input}.${signBytes("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
  const check = checkOf(parseJws(jws, { ...rules, algs: ["RS256"] }), jwk, "invalid_token");
  expect(holds(check)).toBe(true);
  expect(await web.holds(check)).toBe(true);
  expect(refusalOf(jws)).toBe("invalid_token");
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  expect(parsePublicJwk(small)).toBeUndefined();
});

describe("A01 a token that brings its own rules is refused, and nothing is fetched for it", () => {
  test("alg none", () => {
    for (const alg of ["none", "None", "NONE", "nOnE"])
      for (const signature of ["", "AA"])
        expect(refusalOf(`${encode({ ...header, alg })}.${encode({})}.${signature}`)).toBe("invalid_token");
  });

  test("HS256 with the public key as its secret", () => {
    for (const secret of [JSON.stringify(publicJwkOf(key)), key.x]) {
      const input = `${encode({ ...header, alg: "HS256" })}.${encode({})}`;
      expect(refusalOf(`${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`)).toBe(
        "invalid_token",
      );
    }
  });

  test.each(["RS256", "ES384", "PS256", "es256", "ES256K", "", undefined, null, ["ES256"]])(
    "alg %j",
    (alg) => {
      expect(refusalOf(jwsWith({ ...header, alg }))).toBe("invalid_token");
    },
  );

  test.each([
    ["crit", ["exp"]],
    ["crit", []],
    ["b64", false],
    ["zip", "DEF"],
    ["jku", "https://evil.example/jwks.json"],
    ["x5u", "https://evil.example/key.pem"],
    ["x5c", ["MIIB"]],
    ["jwk", publicJwkOf(key)],
    ["jwk", null],
  ])("header %s: %j", (name, value) => {
    const fetching = vi.spyOn(globalThis, "fetch");
    expect(refusalOf(jwsWith({ ...header, [name]: value }))).toBe("invalid_token");
    expect(fetching).not.toHaveBeenCalled();
    fetching.mockRestore();
  });

  test.each([
    "../../etc/passwd",
    "' or 1=1 --",
    "https://evil.example/key",
    "file:///dev/null",
    "key-1\u0000",
    "Key-1",
    "",
  ])("kid %j names no key", (kid) => {
    expect(keyFor([publicJwkOf(key)], { alg: "ES256", kid })).toBeUndefined();
  });

  test("a kid that is no short text", () => {
    for (const kid of [1, {}, ["key-1"], "k".repeat(257)])
      expect(refusalOf(jwsWith({ ...header, kid }))).toBe("invalid_token");
  });
});

describe("A02 the typ decides what a token is", () => {
  test.each(["JWT", "TEST+JWT", "test+jwt ", "application/test+jwt", undefined, null])(
    "%j is not what was expected",
    (typ) => {
      expect(refusalOf(jwsWith({ ...header, typ }))).toBe("invalid_token");
    },
  );

  test("a missing typ passes only where it is allowed", () => {
    expect(parseJws(jwsWith({ alg: "ES256" }), { ...rules, typ: ["JWT", undefined] }).header).toEqual({
      alg: "ES256",
    });
  });
});

test("V10 one JWS has one spelling", () => {
  const [first = "", second = "", third = ""] = good.split(".");
  const texts = [
    "",
    "..",
    `${first}.${second}`,
    `${first}..${third}`,
    `${good}.`,
    `${good}.${third}`,
    ` ${good}`,
    `${good}\n`,
    `${good}=`,
    `${first}=.${second}.${third}`,
    `${first}.${second}.${third.slice(0, -1)}`,
    `${first}.${second}.${third}AA`,
    `${first}.${encode([])}.${third}`,
    `${first}.${encode("x")}.${third}`,
    `${first}.${base64url.encode('{"a":1,"a":2}')}.${third}`,
    `${base64url.encode('{"alg":"none","alg":"ES256","typ":"test+jwt"}')}.${second}.${third}`,
    `${base64url.encode(`${JSON.stringify(header)} x`)}.${second}.${third}`,
    good.replaceAll(".", "%2E"),
    jwsWith(header, encode({ pad: "x".repeat(16_384) })),
  ];
  for (const text of texts) expect(refusalOf(text), text.slice(0, 80)).toBe("invalid_token");
  expect(parseJws(good, rules).payload).toEqual({ sub: "x" });
});

describe("keys", () => {
  test.each([
    ["a private one", key],
    ["a symmetric one", { kty: "oct", k: "AAAA" }],
    ["another curve", { ...publicJwkOf(key), crv: "P-384" }],
    ["a short coordinate", { ...publicJwkOf(key), x: "AAAA" }],
    ["a padded coordinate", { ...publicJwkOf(key), x: `${key.x}=` }],
    ["X25519", { kty: "OKP", crv: "X25519", x: key.x }],
    ["RSA with a leading zero", { ...rfc7638Jwk, n: base64url.encode(new Uint8Array(257)) }],
    ["RSA with an odd exponent", { ...rfc7638Jwk, e: "AQ" }],
    ["another alg than its own", { ...publicJwkOf(key), alg: "EdDSA" }],
    ["a kid that is no text", { ...publicJwkOf(key), kid: 1 }],
    ["a list", [publicJwkOf(key)]],
    ["nothing", undefined],
  ])("%s is refused", (_, jwk) => {
    expect(parsePublicJwk(jwk)).toBeUndefined();
  });

  test("a point off its curve proves nothing and breaks nothing", async () => {
    const off: PublicJwk = { kty: "EC", crv: "P-256", x: key.x, y: key.x };
    const check = checkOf(parseJws(good, rules), off, "invalid_token");
    expect(holds(check)).toBe(false);
    expect(await web.holds(check)).toBe(false);
  });

  test("unknown members stay behind", () => {
    const { d: _, ...jwk } = key;
    expect(parsePublicJwk({ ...jwk, key_ops: ["verify"], evil: true })).toEqual(jwk);
  });

  test("a set keeps what is usable, and none is no set", () => {
    const jwk = publicJwkOf(key);
    expect(parseJwks({ keys: [jwk, { kty: "oct", k: "AAAA" }, null, jwk] })).toEqual([jwk, jwk]);
    for (const wrong of [undefined, [], { keys: {} }, { keys: Array.from({ length: 101 }, () => jwk) }])
      expect(parseJwks(wrong)).toBeUndefined();
  });

  test("the header picks exactly one key", () => {
    const one = publicJwkOf(key);
    const two = publicJwkOf(generateJwk("ES256", "key-2"));
    const ed = publicJwkOf(generateJwk("EdDSA", "key-1"));
    expect(keyFor([one, two, ed], { alg: "ES256", kid: "key-1" })).toBe(one);
    expect(keyFor([one, two, ed], { alg: "EdDSA", kid: "key-1" })).toBe(ed);
    expect(keyFor([one, ed], { alg: "ES256" })).toBe(one);
    expect(keyFor([one, two], { alg: "ES256" })).toBeUndefined();
    expect(keyFor([one, { ...two, kid: "key-1" }], { alg: "ES256", kid: "key-1" })).toBeUndefined();
    expect(keyFor([{ ...one, use: "enc" }], { alg: "ES256", kid: "key-1" })).toBeUndefined();
  });

  test("what a token claims can be read without trusting it", () => {
    expect(keyIdOf(good)).toBe("key-1");
    expect(payloadOf(good)).toEqual({ sub: "x" });
    for (const text of ["", "x", "a.b.c", `${encode([])}.x.y`]) {
      expect(keyIdOf(text)).toBeUndefined();
      expect(payloadOf(text)).toBeUndefined();
    }
  });
});
