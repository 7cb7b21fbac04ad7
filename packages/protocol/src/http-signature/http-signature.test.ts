import { createHash } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { describe, expect, test } from "vitest";
import { base64, utf8 } from "../encoding/index.ts";
import type { PrivateJwk } from "../jose/index.ts";
import { generateJwk, holds, signatureOf } from "../node/index.ts";
import {
  type Component,
  fieldValue,
  findSignature,
  MalformedField,
  prepareSignature,
  sha256OfContentDigest,
} from "./index.ts";

// RFC 9421 §B.1 and §B.2: the published keys and messages.
const ed25519: PrivateJwk = {
  kty: "OKP",
  crv: "Ed25519",
  kid: "test-key-ed25519",
  d: "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU",
  x: "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
};
const p256: PrivateJwk = {
  kty: "EC",
  crv: "P-256",
  kid: "test-key-ecc-p256",
  d: "UpuF81l-kOxbjf7T4mNSv0r5tN67Gim7rnf6EFpcYDs",
  x: "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
  y: "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
};
const request = {
  method: "POST",
  targetUri: "https://example.com/foo?param=Value&Pet=dog",
  fields: [
    ["Host", "example.com"],
    ["Date", "Tue, 20 Apr 2021 02:07:55 GMT"],
    ["Content-Type", "application/json"],
    ["Content-Length", "18"],
  ],
} as const;
const response = {
  status: 200,
  fields: [
    ["Date", "Tue, 20 Apr 2021 02:07:56 GMT"],
    ["Content-Type", "application/json"],
    [
      "Content-Digest",
      "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
    ],
    ["Content-Length", "23"],
  ],
} as const;
const named = (...names: string[]): Component[] => names.map((name) => ({ name }));

describe("RFC 9421 published values", () => {
  const b26 = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";

  test("B.2.6 a request signed with ed25519 gives the published base and signature", () => {
    const { base, signatureInput } = prepareSignature({
      label: "sig-b26",
      components: named("date", "@method", "@path", "@authority", "content-type", "content-length"),
      parameters: { created: 1618884473, keyid: "test-key-ed25519" },
      message: { request },
    });
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
      ].join("\n"),
    );
    expect(base64.encode(signatureOf(ed25519, utf8(base)))).toBe(b26);
    expect(signatureInput).toMatch(/^sig-b26=\("date" /);
  });

  test("B.2.4 a response signed with ecdsa-p256-sha256 verifies", () => {
    const fields = [
      ...response.fields,
      [
        "Signature-Input",
        'sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"',
      ],
      [
        "Signature",
        "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:",
      ],
    ] as const;
    const found = findSignature("sig-b24", { request, response: { status: 200, fields } });
    expect(found?.parameters).toEqual({ created: 1618884473, keyid: "test-key-ecc-p256" });
    expect(
      holds({
        alg: "ES256",
        key: p256,
        data: utf8(found?.base ?? ""),
        signature: base64.decode(found?.signature ?? "") ?? new Uint8Array(),
        refuse: "offer_signature_invalid",
      }),
    ).toBe(true);
  });

  test("what we sign the public library verifies, with components taken from the request", async () => {
    const key = generateJwk("EdDSA", "k1");
    const components: Component[] = [
      { name: "@status" },
      { name: "@method", req: true },
      { name: "@authority", req: true },
      { name: "content-type" },
    ];
    const created = 1_764_000_000;
    const { base, signatureInput } = prepareSignature({
      label: "offer-sig",
      components,
      parameters: { created, expires: created + 300, keyid: "k1", alg: "ed25519" },
      message: { request, response },
    });
    const signature = `offer-sig=:${base64.encode(signatureOf(key, utf8(base)))}:`;
    let seen = "";
    const verified = await httpbis.verifyMessage(
      {
        tolerance: Number.MAX_SAFE_INTEGER,
        notAfter: new Date((created + 1) * 1000),
        keyLookup: async () => ({
          id: "k1",
          algs: ["ed25519"],
          verify: async (data: Buffer, bytes: Buffer) => {
            seen = data.toString();
            return holds({ alg: "EdDSA", key, data, signature: bytes, refuse: "offer_signature_invalid" });
          },
        }),
      },
      {
        status: 200,
        headers: {
          ...Object.fromEntries(response.fields),
          "Signature-Input": signatureInput,
          Signature: signature,
        },
      },
      { method: "POST", url: request.targetUri, headers: Object.fromEntries(request.fields) },
    );
    expect(seen).toBe(base);
    expect(verified).toBe(true);
  });
});

describe("unclear signatures are refused", () => {
  const withInput = (input: string) => ({
    request: {
      ...request,
      fields: [...request.fields, ["Signature-Input", input], ["Signature", "a=:AA==:"]] as const,
    },
  });

  test.each([
    ["a component covered twice", 'a=("@method" "@method")'],
    ["a component that the message lacks", 'a=("x-none")'],
    ["an unknown derived component", 'a=("@body")'],
    ["a component in upper case", 'a=("Date")'],
    ["the parameters themselves", 'a=("@signature-params")'],
    ["a parameter that changes a value", 'a=("date";sf)'],
    ["req without a response", 'a=("@method";req)'],
    ["a label twice", 'a=("date"), a=("@method")'],
    ["a parameter twice", 'a=("date");created=1;created=2'],
    ["an open list", 'a=("date"'],
    ["components without a space", 'a=("date""@method")'],
    ["an open string", 'a=("date)'],
    ["a created that is text", 'a=("date");created="1"'],
    ["a keyid that is a number", 'a=("date");keyid=1'],
    ["a trailing comma", 'a=("date"),'],
  ])("%s", (_, input) => {
    expect(() => findSignature("a", withInput(input))).toThrow(MalformedField);
  });

  test("a value with a line break cannot forge a line of the base", () => {
    const fields = [...request.fields, ["X-Note", 'a\n"@method": GET']] as const;
    expect(() =>
      prepareSignature({
        label: "a",
        components: named("x-note"),
        parameters: {},
        message: { request: { ...request, fields } },
      }),
    ).toThrow(MalformedField);
  });

  test("a message without the label has no signature", () => {
    expect(findSignature("b", withInput('a=("date")'))).toBeUndefined();
  });

  test("lines of one field are joined, folds become one space", () => {
    expect(
      fieldValue("x", [
        ["X", " a "],
        ["x", "b\r\n  c"],
      ]),
    ).toBe("a, b c");
  });

  test("the SHA-256 of Content-Digest is found beside others", () => {
    const digest = createHash("sha256").update("x").digest("base64");
    expect(sha256OfContentDigest([["Content-Digest", `sha-512=:AAAA:, sha-256=:${digest}:`]])).toBe(digest);
    expect(sha256OfContentDigest([["Content-Digest", "sha-512=:AAAA:"]])).toBeUndefined();
  });
});
