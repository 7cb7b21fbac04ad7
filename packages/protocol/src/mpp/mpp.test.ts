import { instantOf } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { base64url, utf8 } from "../encoding/index.ts";
import { canonicalise } from "../jcs/index.ts";
import { hmacSha256 } from "../node/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import {
  type Challenge,
  challengeId,
  challengeRequest,
  checkChallenge,
  formatChallenge,
  formatCredential,
  formatReceipt,
  makeChallenge,
  parseChallenges,
  parseCredential,
  parseReceipt,
} from "./index.ts";

const refusal = (work: () => unknown): ProblemCode | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe("challenge ids", () => {
  const mac = hmacSha256(utf8("test-vector-secret-minimum-32-byte-secret"));
  const published = (changes: Partial<Challenge>, request: Record<string, string>) =>
    challengeId(mac, {
      realm: "api.example.com",
      method: "tempo",
      intent: "charge",
      request: base64url.encode(canonicalise(request)),
      ...changes,
    });

  test("published answers are met, with and without the optional parts", () => {
    const amount = { amount: "1000000" };
    expect(published({}, amount)).toBe("6QDs0BmhrI_v67iWeCMvGqQJEFQ6ErWKlk7zi5xL6t0");
    expect(published({ expires: "2025-01-06T12:00:00Z" }, amount)).toBe(
      "ZcHgfEi5_Qyda9NQwUzamsCgCcWXw6N6EH2NLyaSTlg",
    );
    expect(published({ opaque: "trace-123" }, amount)).toBe("1XJ-Ti0DACNe3E1zHvwH6OdnKlhUx6xKxDbhJyexng4");
    expect(published({ header: "Payment-Authorization" }, amount)).toBe(
      "re8MIMJYpIJ0r_aiizscg6ghtipQM8IpOa_NtpwIU8E",
    );
    expect(published({}, {})).toBe("SMpxo_gPWGquX9vAZ-b_OIPsHO3kfdY2s73946Mnwc0");
  });
});

describe("challenges we made", () => {
  const now = instantOf(1_764_000_000_000);
  const mac = hmacSha256(new Uint8Array(32).fill(7));
  const binding = { route: "rte_1", method: "GET", host: "shop.example" };
  const challenge = makeChallenge({
    mac,
    realm: "shop.example",
    method: "oid4ac",
    intent: "charge",
    request: { scheme: "mandate", amount: "1000" },
    expires: instantOf(now + 300_000),
    binding,
    header: "Payment-Authorization",
  });
  const checking = (changes: object = {}, altered: object = {}) =>
    refusal(() =>
      checkChallenge({
        challenge: { ...challenge, ...altered },
        macs: [mac],
        realm: "shop.example",
        now,
        binding,
        ...changes,
      }),
    );

  test("they are known again without a store, from the header a client echoes", () => {
    expect(checking()).toBeUndefined();
    const [read] = parseChallenges([formatChallenge(challenge)]);
    expect(read).toEqual(challenge);
    expect(challengeRequest(challenge)).toEqual({ scheme: "mandate", amount: "1000" });
  });

  test("O12 a challenge of one route, method or host pays no other", () => {
    for (const change of [{ route: "rte_2" }, { method: "POST" }, { host: "other.example" }])
      expect(checking({ binding: { ...binding, ...change } })).toBe("challenge_invalid");
    expect(checking({ realm: "other.example" })).toBe("challenge_invalid");
  });

  test("O02 any altered part is refused", () => {
    const request = base64url.encode('{"amount":"1"}');
    for (const change of [
      { request },
      { expires: "2099-01-01T00:00:00.000Z" },
      { opaque: base64url.encode("{}") },
      { method: "stripe" },
      { header: "Authorization" },
      { id: "" },
      { id: "A".repeat(43) },
    ])
      expect(checking({}, change), JSON.stringify(change)).toBe("challenge_invalid");
  });

  test("they expire, and two keys count while they rotate", () => {
    expect(checking({ now: instantOf(now + 300_000) })).toBe("payment_expired");
    const other = hmacSha256(new Uint8Array(32).fill(8));
    expect(checking({ macs: [other, mac] })).toBeUndefined();
    expect(checking({ macs: [other] })).toBe("challenge_invalid");
  });

  test("a line break cannot forge a header", () => {
    expect(() => formatChallenge({ ...challenge, description: "Line one\r\nSet-Cookie: a=b" })).toThrow();
  });
});

describe("WWW-Authenticate from strangers", () => {
  const rest = 'realm="api", method="tempo", intent="charge", request="e30"';
  const only = (value: string): Challenge | undefined => parseChallenges([value])[0];

  test.each([
    ["plain", `Payment id="a", ${rest}`, "a"],
    ["in any letter case", `payment ID="a", ${rest}`, "a"],
    ["with spaces around commas", `Payment  id="a" ,  ${rest.replaceAll(", ", " ,  ")}`, "a"],
    ["with unknown parameters", `Payment id="a", ${rest}, foo="bar", baz=qux`, "a"],
    [
      "with the scheme's name inside a quote",
      `Payment id="a", ${rest.replace("api", "contact Payment support")}`,
      "a",
    ],
    ["after another scheme", `Bearer realm="x", DPoP algs="ES256", Payment id="a", ${rest}`, "a"],
  ])("a challenge %s is read", (_, value, id) => expect(only(value)?.id).toBe(id));

  test("escapes are undone, and an unescaped quote ends a description early without harm", () => {
    expect(only(`Payment id="a", ${rest}, description="Pay \\"premium\\" C:\\\\x"`)?.description).toBe(
      'Pay "premium" C:\\x',
    );
    const early = only(`Payment id="a", ${rest}, description="Payment for "Premium" service — 50% off!"`);
    expect(early?.description).toBe("Payment for ");
  });

  test("several challenges in one value or in several are all read", () => {
    const value = `Payment id="a", ${rest}, Payment id="b", ${rest}`;
    expect(parseChallenges([value, `Payment id="c", ${rest}`]).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  test.each([
    "",
    "Payment",
    "Bearer token123",
    `Payment ${rest}`,
    `Payment id="", ${rest}`,
    `Payment id="a", ${rest}, id="b"`,
    `Payment id="a", ${rest.replace('request="e30"', 'request="not-valid!!!"')}`,
    `Payment id="a", ${rest.replace('request="e30"', 'request="bm90IGpzb24"')}`,
    `Payment id="a", ${rest.replace('request="e30"', 'request="W10"')}`,
    `Payment id="a", ${rest}, foo="${"\\".repeat(12_000)}`,
  ])("%s is passed over", (value) => expect(only(value)).toBeUndefined());
});

describe("credentials and receipts", () => {
  const challenge = { id: "a", realm: "api", method: "oid4ac", intent: "charge", request: "e30" };
  const token = (value: unknown) => base64url.encode(JSON.stringify(value));

  test("a credential echoes the challenge byte for byte", () => {
    const credential = { challenge: { ...challenge, opaque: "x" }, payload: { presentation: "p" } };
    const text = formatCredential(credential);
    expect(text).toMatch(/^Payment [\w-]+$/);
    expect(parseCredential(text.slice("Payment ".length))).toEqual(credential);
  });

  test.each([
    ["nothing", ""],
    ["padding", `${token({ challenge, payload: {} })}=`],
    ["text", "!!"],
    ["an array", token([])],
    ["no challenge", token({ payload: {} })],
    ["no payload", token({ challenge })],
    [
      "a challenge without a request",
      token({ challenge: { ...challenge, request: undefined }, payload: {} }),
    ],
    ["a request that is no JSON", token({ challenge: { ...challenge, request: "bm90" }, payload: {} })],
    ["a number for an id", token({ challenge: { ...challenge, id: 1 }, payload: {} })],
    ["a payload that is a list", token({ challenge, payload: [] })],
    ["V06 a member named __proto__", base64url.encode('{"__proto__":{},"challenge":{},"payload":{}}')],
    ["V05 64 kB", token({ challenge, payload: { x: "y".repeat(65_536) } })],
  ])("%s is refused", (_, text) => expect(refusal(() => parseCredential(text))).toBe("credential_malformed"));

  test("a receipt comes back as it was given", () => {
    const at = instantOf(1_764_000_000_000);
    const receipt = parseReceipt(
      formatReceipt({ method: "oid4ac", at, reference: "chg_1", receipt: "a.b.c" }),
    );
    expect(receipt).toEqual({
      status: "success",
      method: "oid4ac",
      timestamp: "2025-11-24T16:00:00.000Z",
      reference: "chg_1",
      receipt: "a.b.c",
    });
    expect(refusal(() => parseReceipt(token({ status: "failed" })))).toBe("credential_malformed");
  });
});
