import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { after } from "@remit/kernel";
import { SDJwtInstance } from "@sd-jwt/core";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import * as fc from "fast-check";
import { compactVerify, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import {
  rfc9901Disclosures,
  rfc9901IssuerJwk,
  rfc9901Jws,
  rfc9901KeyBinding,
} from "../../test/published-values.ts";
import { codeOf, encode, issuer, makePurchase, now, partsOf } from "../../test/purchase.ts";
import {
  base64url,
  checkOf,
  isJsonObject,
  type JsonObject,
  mandateVct,
  type PrivateJwk,
  parseJws,
  publicJwkOf,
  setStatus,
  statuses,
  statusListToken,
  type Unsigned,
} from "../index.ts";
import {
  generateJwk,
  holds,
  randomText,
  settle,
  sha256b64url,
  sign,
  signatureOf,
  signJws,
  verifyPresentation,
} from "../node/index.ts";
import { type ClaimPath, issueSdJwt, openClaims, presentSdJwt, splitSdJwt } from "./index.ts";

const refuse = "mandate_malformed";
const open = (payload: JsonObject, ...disclosures: string[]): JsonObject =>
  openClaims(payload, disclosures, { digest: sha256b64url, refuse }).claims;
const present = (text: string, disclose: "all" | readonly ClaimPath[]): string =>
  presentSdJwt(text, disclose, { digest: sha256b64url, refuse });
const issue = (claims: JsonObject, disclosable: readonly ClaimPath[], key: PrivateJwk): string =>
  sign(
    issueSdJwt(
      { header: { typ: "dc+sd-jwt" }, claims, disclosable },
      { digest: sha256b64url, salt: randomText },
    ),
    key,
  );
const opened = (text: string): JsonObject => {
  const parts = splitSdJwt(text);
  return open(partsOf(parts?.jws ?? "").payload, ...(parts?.disclosures ?? []));
};

describe("RFC 9901 §5", () => {
  const { address, family_name, given_name, us } = rfc9901Disclosures;
  const presented = [rfc9901Jws, family_name, address, given_name, us, rfc9901KeyBinding].join("~");
  const parts = splitSdJwt(presented);
  const rules = { algs: ["ES256"], refuse } as const;
  const jws = parseJws(rfc9901Jws, { typ: ["example+sd-jwt"], ...rules });

  test("the issuer's signature holds, and the claims are the processed payload of §5.2", () => {
    expect(() => settle({ checks: [checkOf(jws, rfc9901IssuerJwk, refuse)], value: 0 })).not.toThrow();
    expect(open(jws.payload, ...(parts?.disclosures ?? []))).toEqual({
      iss: "https://issuer.example.com",
      iat: 1683000000,
      exp: 1883000000,
      sub: "user_42",
      nationalities: ["US"],
      cnf: jws.payload["cnf"],
      family_name: "Doe",
      address: { street_address: "123 Main St", locality: "Anytown", region: "Anystate", country: "US" },
      given_name: "John",
    });
  });

  test("all disclosures of §5.1 open, and none leaves only what always shows", () => {
    const all = open(jws.payload, ...Object.values(rfc9901Disclosures));
    expect(all).toMatchObject({
      email: "johndoe@example.com",
      phone_number_verified: true,
      nationalities: ["US", "DE"],
    });
    expect(Object.keys(open(jws.payload)).toSorted()).toEqual([
      "cnf",
      "exp",
      "iat",
      "iss",
      "nationalities",
      "sub",
    ]);
  });

  test("the key binding of §5.2 is over exactly these disclosures, by the key in cnf", () => {
    const keyBinding = parseJws(parts?.keyBinding ?? "", { typ: ["kb+jwt"], ...rules });
    expect(keyBinding.payload["sd_hash"]).toBe(sha256b64url(parts?.bound ?? ""));
    const holder = {
      kty: "EC",
      crv: "P-256",
      x: "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
      y: "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ",
    } as const;
    expect(holds(checkOf(keyBinding, holder, refuse))).toBe(true);
    expect(holds(checkOf(keyBinding, rfc9901IssuerJwk, refuse))).toBe(false);
  });

  test("a holder's choice of claims is the presentation of §5.2", () => {
    const issued = `${[rfc9901Jws, ...Object.values(rfc9901Disclosures)].join("~")}~`;
    const chosen = present(issued, [["family_name"], ["address"], ["given_name"], ["nationalities", 0]]);
    expect(new Set(chosen.split("~"))).toEqual(new Set(parts?.bound.split("~")));
  });
});

describe("V10 a disclosure that does not stand for exactly one hidden claim is refused", () => {
  const disclosure = (...values: unknown[]): string => encode(values);
  const digest = sha256b64url;
  const email = disclosure("salt", "email", "ada@example.com");
  const refusalOf = (payload: JsonObject, ...disclosures: string[]): string =>
    codeOf(() => open(payload, ...disclosures));

  test("a digest that stands twice, also in two places, also undisclosed", () => {
    const d = digest(email);
    expect(refusalOf({ _sd: [d, d] }, email)).toBe(refuse);
    expect(refusalOf({ _sd: [d, d] })).toBe(refuse);
    expect(refusalOf({ _sd: [d], address: { _sd: [d] } }, email)).toBe(refuse);
    const element = disclosure("salt", "US");
    expect(refusalOf({ list: [{ "...": digest(element) }, { "...": digest(element) }] }, element)).toBe(
      refuse,
    );
  });

  test("a digest that stands again within a disclosure", () => {
    const outer = disclosure("salt", "outer", { _sd: [digest(email)] });
    expect(refusalOf({ _sd: [digest(outer), digest(email)] }, outer, email)).toBe(refuse);
  });

  test.each(["sha-512", "md5", "SHA-256", "", null, ["sha-256"]])("_sd_alg %j", (algorithm) => {
    expect(refusalOf({ _sd_alg: algorithm, _sd: [digest(email)] }, email)).toBe(refuse);
  });

  test("_sd_alg anywhere but at the top", () => {
    expect(refusalOf({ within: { _sd_alg: "sha-256" } })).toBe(refuse);
  });

  test("a disclosure whose digest the issuer did not sign", () => {
    expect(refusalOf({ _sd: [] }, email)).toBe(refuse);
    expect(refusalOf({ _sd: [digest(email)] }, email, disclosure("salt", "role", "admin"))).toBe(refuse);
  });

  test("a disclosure that was tampered with", () => {
    expect(refusalOf({ _sd: [digest(email)] }, disclosure("salt", "email", "eve@example.com"))).toBe(refuse);
  });

  test("a disclosure that comes twice", () => {
    expect(refusalOf({ _sd: [digest(email)] }, email, email)).toBe(refuse);
  });

  test.each(["exp", "nbf", "iat", "cnf", "iss", "aud", "jti", "vct", "status", "livemode"])(
    "a disclosure of %s",
    (name) => {
      const hidden = disclosure("salt", name, 9_999_999_999);
      expect(refusalOf({ _sd: [digest(hidden)] }, hidden)).toBe(refuse);
      expect(refusalOf({ [name]: 1, _sd: [digest(hidden)] }, hidden)).toBe(refuse);
    },
  );

  test("a disclosure that overwrites a claim, open or disclosed", () => {
    expect(refusalOf({ email: "eve@example.com", _sd: [digest(email)] }, email)).toBe(refuse);
    const again = disclosure("other salt", "email", "eve@example.com");
    expect(refusalOf({ _sd: [digest(email), digest(again)] }, email, again)).toBe(refuse);
  });

  test.each(["_sd", "...", "_sd_alg", "__proto__"])("a disclosure named %s, at the top or below", (name) => {
    const hidden = disclosure("salt", name, { polluted: true });
    expect(refusalOf({ _sd: [digest(hidden)] }, hidden)).toBe(refuse);
    expect(refusalOf({ address: { _sd: [digest(hidden)] } }, hidden)).toBe(refuse);
    expect("polluted" in {}).toBe(false);
  });

  test("a member's disclosure in a list, or an element's as a member", () => {
    const element = disclosure("salt", "US");
    expect(refusalOf({ list: [{ "...": digest(email) }] }, email)).toBe(refuse);
    expect(refusalOf({ _sd: [digest(element)] }, element)).toBe(refuse);
  });

  test("placeholders that are not what they must be", () => {
    expect(refusalOf({ _sd: "digest" })).toBe(refuse);
    expect(refusalOf({ _sd: [1] })).toBe(refuse);
    expect(refusalOf({ list: [{ "...": "digest", more: 1 }] })).toBe(refuse);
    expect(refusalOf({ list: [{ "...": 1 }] })).toBe(refuse);
    expect(refusalOf({ "...": "digest" })).toBe(refuse);
    expect(refusalOf({ within: { "...": "digest" } })).toBe(refuse);
  });

  test.each([
    ["not base64url", "%%"],
    ["padded base64", `${encode(["salt", "a", 1])}==`],
    ["no JSON", base64url.encode("{")],
    ["no array", encode({ salt: 1 })],
    ["too few parts", encode(["salt"])],
    ["too many parts", encode(["salt", "a", 1, 2])],
    ["a salt that is no text", encode([1, "a", 1])],
    ["a name that is no text", encode(["salt", 1, 1])],
    ["a member named twice", base64url.encode('["salt","a",{"x":1,"x":2}]')],
    ["empty", ""],
  ])("a disclosure that is %s", (_, hidden) => {
    expect(refusalOf({ _sd: [digest(hidden)] }, hidden)).toBe(refuse);
  });

  test("more disclosures than anybody needs", () => {
    expect(splitSdJwt(`a.b.c~${"d~".repeat(101)}`)).toBeUndefined();
  });
});

describe("what is issued", () => {
  const key = generateJwk("ES256");
  const claims = { a: 1, nested: { b: [1, { c: "x" }, 3], d: "y" }, list: ["one", "two"] };
  const paths: ClaimPath[] = [
    ["a"],
    ["nested"],
    ["nested", "b", 1],
    ["nested", "b", 1, "c"],
    ["list", 0],
    ["list", 1],
    ["absent"],
    ["nested", 0],
  ];
  const issued = issue(claims, paths, key);

  test("opens to the claims, nested ones included, and hides what is withheld", () => {
    expect(opened(issued)).toEqual(claims);
    expect(opened(present(issued, []))).toEqual({ list: [] });
    expect(opened(present(issued, [["list", 1]]))).toEqual({ list: ["two"] });
    expect(opened(present(issued, [["nested", "b", 1, "c"]]))).toEqual({
      nested: { b: [1, { c: "x" }, 3], d: "y" },
      list: [],
    });
  });

  test("carries decoys that open to nothing", () => {
    const draft = { header: { typ: "dc+sd-jwt" }, claims: { a: 1, b: 2 }, disclosable: [["a"]], decoys: 3 };
    const text = sign(issueSdJwt(draft, { digest: sha256b64url, salt: randomText }), key);
    expect(partsOf(text.split("~")[0] ?? "").payload["_sd"]).toHaveLength(4);
    expect(opened(text)).toEqual({ a: 1, b: 2 });
  });

  test("opens to the claims whatever they are and whichever are hidden", () => {
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(
          fc.string().filter((name) => !["_sd", "...", "_sd_alg", "__proto__"].includes(name)),
          tie("value"),
          { maxKeys: 4 },
        ),
      ),
    })).value;
    const name = fc
      .stringMatching(/^[a-z]{1,8}$/)
      .filter(
        (text) =>
          !["iss", "nbf", "exp", "iat", "jti", "aud", "cnf", "vct", "status", "livemode"].includes(text),
      );
    fc.assert(
      fc.property(
        fc.dictionary(name, value, { minKeys: 1, maxKeys: 5 }),
        fc.infiniteStream(fc.boolean()),
        (random, coins) => {
          const plain: unknown = JSON.parse(JSON.stringify(random).replaceAll("\\u0000", ""));
          if (!isJsonObject(plain) || !JSON.stringify(plain).isWellFormed()) return;
          const disclosable = pathsOf(plain)
            .filter(() => coins.next().value)
            .slice(0, 90);
          expect(opened(issue(plain, disclosable, key))).toEqual(plain);
        },
      ),
      { numRuns: 60 },
    );
  });
});

const pathsOf = (value: unknown, path: ClaimPath = []): ClaimPath[] => {
  const steps: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : isJsonObject(value)
      ? Object.entries(value)
      : [];
  return steps.flatMap(([step, within]) => [[...path, step], ...pathsOf(within, [...path, step])]);
};

describe("the public implementation agrees", () => {
  const hasher = async (data: string | ArrayBuffer): Promise<Uint8Array> =>
    createHash("sha256")
      .update(typeof data === "string" ? data : Buffer.from(data))
      .digest();
  const verifier = (key: PrivateJwk) => async (data: string, signature: string) => {
    const jwk = await importJWK(publicJwkOf(key), key.alg);
    return compactVerify(`${data}.${signature}`, jwk).then(
      () => true,
      () => false,
    );
  };

  test("issued by them, opened by us", async () => {
    const key = generateJwk("ES256");
    const theirs = new SDJwtInstance({
      hasher,
      hashAlg: "sha-256",
      saltGenerator: async () => randomText(),
      signer: async (data: string) => base64url.encode(signatureOf(key, Buffer.from(data))),
      signAlg: "ES256",
    });
    const claims = { sub: "user", address: { city: "Delft", street: "Oude Delft" }, list: ["a", "b"] };
    const text = await theirs.issue(claims, {
      _sd: ["sub", "address"],
      address: { _sd: ["city"] },
      list: { _sd: [0] },
    });
    const { sub, address, list } = opened(text);
    expect({ sub, address, list }).toEqual(claims);
  });

  test.each(["ES256", "EdDSA"] as const)(
    "issued, bound and listed by us with %s, verified by them",
    async (alg) => {
      const { issuerKey, agentKey, input } = makePurchase({ alg });
      const list = new Uint8Array(16);
      const theirs = new SDJwtVcInstance({
        hasher,
        verifier: verifier(issuerKey),
        kbVerifier: verifier(agentKey),
        statusListFetcher: async (uri) => sign(statusListFor(uri, list), issuerKey),
      });
      const keyBinding = input.presentation.slice(input.presentation.lastIndexOf("~") + 1);
      const { nonce } = partsOf(keyBinding).payload;
      const options = {
        requiredClaimKeys: ["principal_email"],
        currentDate: input.now / 1000,
        keyBindingNonce: typeof nonce === "string" ? nonce : "",
      };
      const verified = await theirs.verify(input.presentation, options);
      expect(verified.payload).toMatchObject({
        vct: mandateVct(input.issuer),
        principal_email: "ada@example.com",
        consent_evidence: { ip: "192.0.2.1" },
        authorization_details: [verifyPresentation(input).details],
      });
      expect(verified.kb?.payload.aud).toBe(input.merchantOrigin);
      setStatus(list, 2, { index: 42, value: statuses.invalid });
      await expect(theirs.verify(input.presentation, options)).rejects.toThrow("Status is not valid");
    },
  );

  const statusListFor = (uri: string, list: Uint8Array): Unsigned<string> =>
    statusListToken({
      uri,
      issuer,
      bits: 2,
      compressed: deflateSync(list),
      issuedAt: now,
      expiresAt: after(now, 300_000),
      ttlS: 60,
    });
});

test("a text that is no SD-JWT is refused", () => {
  for (const text of ["", "~", "a.b.c", "~a.b.c~"]) expect(splitSdJwt(text)).toBeUndefined();
  expect(codeOf(() => present("a.b.c", "all"))).toBe(refuse);
  expect(codeOf(() => present(`${signJws(generateJwk("ES256"), { typ: "x" }, { _sd: 1 })}~`, []))).toBe(
    refuse,
  );
});
