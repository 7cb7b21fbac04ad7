import type { Instant } from "@remit/kernel";
import { expect, test } from "vitest";
import { isFor, rememberedOf, type SettlementRow } from "./settlements.ts";

const row: SettlementRow = {
  scheme: "exact",
  network: "eip155:84532",
  asset: "0x01",
  from: "0x02",
  nonce: "0x03",
  owner: "ours",
  told: false,
  to: "0x04",
  value: 1n,
  validBefore: 1n,
  call: "0x",
  gas: 1n,
  confirmations: 1,
  signer: "0x05",
  txNonce: 0,
  state: "settled",
  reason: undefined,
  transaction: "0x06",
  createdAt: 0 as Instant,
};

test("C05 what another has settled is not ours, neither when it is settled nor when it is read back", () => {
  expect(rememberedOf(row, "ours")).toEqual({ kind: "settled", transaction: "0x06", value: 1n });
  const duplicate = { kind: "failed", reason: "duplicate_settlement", transaction: "0x06" };
  expect(rememberedOf(row, "theirs")).toEqual(duplicate);
  expect(rememberedOf({ ...row, owner: undefined }, "ours")).toEqual(duplicate);
  expect(rememberedOf(undefined, "ours")).toEqual({ kind: "absent" });
  expect(isFor(row, undefined)).toBe(false);
});

test("without a key the first who asks is told, and nobody after", () => {
  expect(isFor({ ...row, owner: undefined }, undefined)).toBe(true);
  expect(isFor({ ...row, owner: undefined, told: true }, undefined)).toBe(false);
});
