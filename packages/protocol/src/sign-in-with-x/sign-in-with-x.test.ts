import { instantOf, toRfc3339 } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { base64 } from "../encoding/index.ts";
import { Problem } from "../problems.ts";
import {
  examineSignIn,
  formatSignIn,
  parseSignInText,
  readSignIn,
  type SignIn,
  signInText,
} from "./index.ts";

const now = instantOf(1_790_000_000_000);
const origin = "https://shop.example";
const signIn: SignIn = {
  domain: "shop.example",
  address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  uri: "https://shop.example/reports/7",
  version: "1",
  chainId: "eip155:8453",
  nonce: "32891756abcdef00",
  issuedAt: toRfc3339(now),
};
const full: SignIn = {
  ...signIn,
  statement: "Read your own report.",
  expirationTime: toRfc3339(instantOf(now + 60_000)),
  notBefore: toRfc3339(now),
  requestId: "r-1",
  resources: ["https://shop.example/reports/7", "ipfs://x"],
};

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe("the text that is signed", () => {
  test("is the one of EIP-4361, letter for letter", () => {
    expect(signInText(full)).toBe(
      `shop.example wants you to sign in with your Ethereum account:
0x70997970C51812dc3A010C7d01b50e0d17dc79C8

Read your own report.

URI: https://shop.example/reports/7
Version: 1
Chain ID: 8453
Nonce: 32891756abcdef00
Issued At: ${full.issuedAt}
Expiration Time: ${full.expirationTime}
Not Before: ${full.notBefore}
Request ID: r-1
Resources:
- https://shop.example/reports/7
- ipfs://x`,
    );
    expect(signInText(signIn)).toContain("79C8\n\n\nURI: ");
  });

  test("has one reading", () => {
    for (const each of [signIn, full]) expect(parseSignInText(signInText(each))).toEqual(each);
  });

  test.each([
    ["a carriage return", signInText(signIn).replaceAll("\n", "\r\n")],
    ["another version", signInText(signIn).replace("Version: 1", "Version: 2")],
    ["a short nonce", signInText(signIn).replace(signIn.nonce, "short")],
    ["a line of its own at the end", `${signInText(signIn)}\nURI: https://evil.example`],
    [
      "members in another order",
      signInText(full).replace(/(Expiration Time: .*)\n(Not Before: .*)/, "$2\n$1"),
    ],
    [
      "a domain with a path",
      signInText(signIn).replace("shop.example wants", "evil.example/shop.example wants"),
    ],
    ["nothing", ""],
  ])("%s is refused", (_, text) => {
    expect(codeOf(() => parseSignInText(text))).toBe("sign_in_invalid");
  });
});

describe("the header", () => {
  const signature = `0x${"ab".repeat(65)}`;
  const encoded = (members: object): string => base64.encode(JSON.stringify(members));

  test("carries the members, of which the text is made", () => {
    const read = readSignIn(formatSignIn({ signIn: full, signature }));
    expect(read).toEqual({ signIn: full, text: signInText(full), signature });
  });

  test.each([
    ["no base64", "{}"],
    ["no JSON", base64.encode("x")],
    ["no object", base64.encode("[]")],
    ["another kind of signature", encoded({ ...signIn, type: "ed25519", signature })],
    [
      "another chain",
      encoded({ ...signIn, chainId: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", type: "eip191", signature }),
    ],
    ["no signature", encoded({ ...signIn, type: "eip191" })],
    [
      "a statement that writes lines",
      encoded({ ...signIn, statement: "x\n\nURI: https://evil.example", type: "eip191", signature }),
    ],
    [
      "a nonce that writes lines",
      encoded({ ...signIn, nonce: "12345678\nIssued At: x", type: "eip191", signature }),
    ],
    ["an empty statement", encoded({ ...signIn, statement: "", type: "eip191", signature })],
    ["resources that are none", encoded({ ...signIn, resources: [1], type: "eip191", signature })],
    ["too much", base64.encode("x".repeat(10_000))],
  ])("%s is refused", (_, header) => {
    expect(codeOf(() => readSignIn(header))).toBe("sign_in_invalid");
  });
});

describe("a sign-in counts", () => {
  test("at its own origin, within ten minutes, and inside its own times", () => {
    const judge = (change: Partial<SignIn>, at = now): string | undefined =>
      codeOf(() => examineSignIn({ ...signIn, ...change }, { origin, now: at }));
    const from = (ms: number): string => toRfc3339(instantOf(now + ms));
    expect(judge({})).toBeUndefined();
    expect(judge({}, instantOf(now + 599_999))).toBeUndefined();
    expect(judge({}, instantOf(now + 600_000))).toBe("sign_in_invalid");
    expect(judge({ issuedAt: from(60_000) })).toBeUndefined();
    for (const change of [
      { domain: "evil.example" },
      { uri: "https://evil.example/reports/7" },
      { uri: "http://shop.example/reports/7" },
      { uri: "nowhere" },
      { issuedAt: from(120_000) },
      { issuedAt: "yesterday" },
      { expirationTime: from(0) },
      { notBefore: from(120_000) },
    ])
      expect([change, judge(change)]).toEqual([change, "sign_in_invalid"]);
  });
});
