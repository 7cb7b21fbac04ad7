import { describe, expect, test } from "vitest";
import {
  evmChainIdOf,
  exactEvmPayload,
  type Hex,
  mppTransferNonce,
  parseExactEvmPayload,
  transferDigest,
} from "./exact-evm.ts";

const domain = {
  name: "USDC",
  version: "2",
  chainId: 84_532,
  verifyingContract: "0x036cbd53842c5426634e7929541ec2318f3dcf7e",
} as const;
const sent = {
  signature: `0x${"b0".repeat(64)}1c`,
  authorization: {
    from: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    to: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    value: "10000",
    validAfter: "0",
    validBefore: "4102444800",
    nonce: `0x${"11".repeat(32)}`,
  },
};

describe("an EIP-3009 authorization", () => {
  test("digests to what the reference wallets sign", () => {
    const { authorization } = parseExactEvmPayload(sent);
    expect(transferDigest(domain, authorization)).toBe(
      "0x986e5446370ce046b1d9e8c169dfa6f72dbe4a1d6297eec339324857464946fd",
    );
    const nonce: Hex = "0x899e3a8fe6830644e150b972d4ba1fce69bcdf0bf9ea7f13d57cada71c6f281d";
    expect(transferDigest(domain, { ...authorization, nonce })).toBe(
      "0x9cc2d8c8600687cf913ef00df49fb987b73da0a8a7c3f25794788cb7dbb8d999",
    );
  });

  test("has one spelling once it is read, whatever the letter case it came in", () => {
    const read = parseExactEvmPayload(sent);
    expect(read.authorization.from).toBe("0x70997970c51812dc3a010c7d01b50e0d17dc79c8");
    expect(parseExactEvmPayload(exactEvmPayload(read))).toEqual(read);
  });

  test.each([
    ["an amount with a sign", { value: "-1" }],
    ["an amount in hex", { value: "0x10" }],
    ["an amount as a number", { value: 10_000 }],
    ["an amount with a leading zero", { value: "010000" }],
    ["more than 256 bits", { value: (2n ** 256n).toString() }],
    ["a short address", { to: "0x3C44" }],
    ["a nonce of 31 bytes", { nonce: `0x${"11".repeat(31)}` }],
    ["no validBefore", { validBefore: undefined }],
  ])("V05 with %s is malformed", (_, wrong) => {
    // What JSON drops is left out, as on the wire.
    const payload = JSON.parse(
      JSON.stringify({ ...sent, authorization: { ...sent.authorization, ...wrong } }),
    );
    expect(() => parseExactEvmPayload(payload)).toThrow(
      expect.objectContaining({ code: "credential_malformed" }),
    );
  });

  test.each(["0x", `0x${"b0".repeat(64)}`, `0x${"b0".repeat(65)}f`, "b0".repeat(65)])(
    "V05 with the signature %s is malformed",
    (signature) => {
      expect(() => parseExactEvmPayload({ ...sent, signature })).toThrow(
        expect.objectContaining({ code: "credential_malformed" }),
      );
    },
  );
});

test("networks are known by both their names, and nothing else is one", () => {
  expect(["base-sepolia", "eip155:84532"].map(evmChainIdOf)).toEqual([84_532, 84_532]);
  for (const other of ["solana", "eip155:0", "eip155:1x", "toString", "eip155:99999999999999999"])
    expect(evmChainIdOf(other)).toBeUndefined();
});

test("the nonce of MPP's authorization binds id and realm", () => {
  const nonce = mppTransferNonce({ id: "x7Tg2pLqR9mKvNwY3hBcZa", realm: "api.example.com" });
  expect(nonce).toMatch(/^0x[0-9a-f]{64}$/);
  expect(mppTransferNonce({ id: "x7Tg2pLqR9mKvNwY3hBcZb", realm: "api.example.com" })).not.toBe(nonce);
});
