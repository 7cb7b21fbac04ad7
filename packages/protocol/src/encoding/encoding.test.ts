import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf } from "../../test/purchase.ts";
import { base64url, decodeUtf8, equalBytes, isJsonObject, parseJson, utf8 } from "./index.ts";

describe("base64url", () => {
  test("RFC 4648 §10, in the alphabet of §5", () => {
    const pairs = [
      ["", ""],
      ["f", "Zg"],
      ["fo", "Zm8"],
      ["foo", "Zm9v"],
      ["foob", "Zm9vYg"],
      ["fooba", "Zm9vYmE"],
      ["foobar", "Zm9vYmFy"],
    ] as const;
    for (const [plain, encoded] of pairs) {
      expect(base64url.encode(plain)).toBe(encoded);
      expect(base64url.decode(encoded)).toEqual(utf8(plain));
    }
    expect(base64url.encode(new Uint8Array([0xfb, 0xff]))).toBe("-_8");
  });

  test("agrees with node for any bytes, both ways", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect(base64url.encode(bytes)).toBe(text);
        expect(base64url.decode(text)).toEqual(bytes);
      }),
    );
  });

  test.each([
    "A",
    "AAAAA",
    "Zg==",
    "Zm8=",
    "Zh",
    "Zm9",
    "+_8",
    "/w",
    "Zm 9v",
    "Zm9v\n",
    "Zg\u0000",
    "Zm9vé",
    "Ā",
  ])("refuses %j: one value has one spelling", (text) => {
    expect(base64url.decode(text)).toBeUndefined();
    // What is long goes another way.
    expect(base64url.decode(`${"Zm9v".repeat(20)}${text}`)).toBeUndefined();
  });
});

describe("V04 JSON is read as every program would read it, or not at all", () => {
  test.each([
    ["a member named twice", '{"a":1,"a":2}'],
    ["a member named twice, once escaped", '{"a":1,"\\u0061":2}'],
    ["a member named twice, deep down", '{"x":[{"y":{"a":1,"b":2,"a":3}}]}'],
    ["a byte order mark", '\ufeff{"a":1}'],
    ["a lone high surrogate", '{"a":"\\ud83d"}'],
    ["a lone low surrogate in a name", '{"\\ude02":1}'],
    ["NUL", '{"a":"\\u0000"}'],
    ["__proto__", '{"__proto__":{"polluted":true}}'],
    ["__proto__ escaped", '{"a":{"__pr\\u006fto__":1}}'],
    ["a number beyond a double", '{"a":1e999}'],
    ["65 levels", "[".repeat(65) + "]".repeat(65)],
    ["10 000 levels", "[".repeat(10_000) + "]".repeat(10_000)],
    ["levels that never close", '{"a":'.repeat(10_000)],
    ["a trailing comma", '{"a":1,}'],
    ["two values", "{} {}"],
    ["a comment", "{} // x"],
    ["single quotes", "{'a':1}"],
    ["NaN", '{"a":NaN}'],
    ["a leading zero", '{"a":01}'],
    ["nothing", ""],
    ["a text without its end", '{"a":"b'],
    ["a text that ends in an escape", '{"a":"b\\"}'],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => parseJson(text))).toBe("invalid_request");
    expect(codeOf(() => parseJson(Buffer.from(text)))).toBe("invalid_request");
    expect("polluted" in {}).toBe(false);
  });

  test("refuses bytes that are no UTF-8", () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xef, 0xbb, 0xbf, 0x31],
    ])
      expect(codeOf(() => parseJson(new Uint8Array(bytes)))).toBe("invalid_request");
    expect(decodeUtf8(new Uint8Array([0xff]))).toBeUndefined();
  });

  test("refuses what is too large before it reads it, under the name it is told", () => {
    const large = `"${"x".repeat(1 << 20)}"`;
    expect(codeOf(() => parseJson(large))).toBe("invalid_request");
    expect(codeOf(() => parseJson('"1234"', { bytesMax: 5, refuse: "payload_too_large" }))).toBe(
      "payload_too_large",
    );
    expect(parseJson('"1234"', { bytesMax: 6 })).toBe("1234");
  });

  test("takes 64 levels, colons and quotes within texts, and names that only look alike", () => {
    const deep = "[".repeat(64) + "]".repeat(64);
    expect(parseJson(deep)).toEqual(JSON.parse(deep));
    const text =
      '{"a:b":"c:\\"d\\":{","a":{"a":[{"a":"\\\\"}]},"A":null,"constructor":1,"e":"\\ud83d\\ude02"}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test("agrees with JSON.parse on whatever JSON.stringify writes", () => {
    const names = fc.string().filter((name) => name !== "__proto__");
    const json = fc.letrec<{ json: unknown }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 5 },
        fc.string({ unit: "binary" }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("json")),
        fc.dictionary(names, tie("json")),
      ),
    })).json;
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        if (text.includes("\\u0000")) return;
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("finds a repeated name wherever it stands", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 }),
        (name, others) => {
          const members = [name, ...others, name].map((each) => `${JSON.stringify(each)}:1`);
          expect(codeOf(() => parseJson(`{"outer":[{${members.join(",")}}]}`))).toBe("invalid_request");
        },
      ),
    );
  });
});

test("bytes are equal only when all are", () => {
  expect(equalBytes(utf8("abc"), utf8("abc"))).toBe(true);
  for (const other of ["abd", "ab", "abcd", ""]) expect(equalBytes(utf8("abc"), utf8(other))).toBe(false);
  expect(isJsonObject([]) || isJsonObject(null) || isJsonObject("x")).toBe(false);
});
