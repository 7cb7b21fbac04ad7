import { instantOf } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { expect, test } from "vitest";
import { mandateAsked } from "./interactions.ts";

const now = instantOf(1_795_305_600_000);
const mandate = { type: "oid4ac_mandate", currency: "EUR", amount_minor: 100 };

test.each([
  ["no details", undefined],
  ["an empty list", []],
  ["two mandates", [mandate, mandate]],
])("A06 an agent that came through with %s is not shown to a principal", (_what, details) => {
  expect(() => mandateAsked({ kind: "agent" }, details, now)).toThrow(Problem);
});

test("an agent asks for one mandate, and the wallet for none", () => {
  expect(mandateAsked({ kind: "agent" }, [mandate], now)?.details.amount_minor).toBe(100);
  expect(mandateAsked({ kind: "wallet" }, undefined, now)).toBeUndefined();
});
