import { after, dayMs, instantOf, newId } from "@remit/kernel";
import { expect, test } from "vitest";
import { type AnswerStore, createAnswerMemory, type KeptPurchase } from "./answers.ts";

const at = { now: instantOf(1_764_000_000_000), ns: 0n };
const memory = (): AnswerStore => createAnswerMemory({ now: () => at.now, monotonicNs: () => at.ns });
const mebibyte = 1024 * 1024;
const open: KeptPurchase = { request: "r", state: "open" };
const captured = (bytes: number, state: KeptPurchase["state"] = "captured"): KeptPurchase => ({
  request: "r",
  charge: newId("charge"),
  answer: { status: 200, headers: [], body: new Uint8Array(bytes) },
  receipt: "eyJ",
  state,
});
const claim = (store: AnswerStore, key: string): unknown => store.claim(key, open, after(at.now, dayMs));
const keep = (store: AnswerStore, purchase: KeptPurchase): string => {
  const key = purchase.charge ?? "";
  claim(store, key);
  void store.keep(key, purchase);
  return key;
};

test("M17 of what was sold longest ago the body goes first, and the receipt stays", () => {
  const store = memory();
  const keys = Array.from({ length: 20 }, () => keep(store, captured(8 * mebibyte)));
  expect(store.find(keys[0] ?? "")).toMatchObject({ state: "captured", receipt: "eyJ" });
  expect(store.find(keys[0] ?? "")).not.toHaveProperty("answer");
  expect(store.find(keys[19] ?? "")).toHaveProperty("answer");
});

test("M09 what was served and is not known to be paid loses nothing: a full store refuses to sell", () => {
  const store = memory();
  const keys = Array.from({ length: 8 }, () => keep(store, captured(8 * mebibyte, "served")));
  expect(() => claim(store, "another")).toThrow("unavailable");
  for (const key of keys) expect(store.find(key)).toHaveProperty("answer");
  at.now = after(at.now, dayMs);
  at.ns += BigInt(dayMs) * 1_000_000n;
  expect(claim(store, "another")).toBeUndefined();
});

test("50,000 purchases in a day are sold, and one that is under way is not forgotten for them", () => {
  const store = memory();
  claim(store, "under way");
  const sold = captured(1);
  for (let count = 0; count < 50_000; count++) keep(store, { ...sold, charge: newId("charge") });
  expect(claim(store, "under way")).toEqual(open);
});

test("20,000 purchases under way at once are as many as it takes", () => {
  const store = memory();
  for (let count = 0; count < 20_000; count++) claim(store, `${count}`);
  expect(() => claim(store, "another")).toThrow("unavailable");
});
