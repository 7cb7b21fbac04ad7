import { describe, expect, test } from "vitest";
import { base64 } from "../encoding/index.ts";
import type { HeaderPair } from "../http-signature/index.ts";
import { formatCredential } from "../mpp/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import { encodeHeader } from "../x402/index.ts";
import { readPaymentCredential } from "./index.ts";

const accepted = {
  scheme: "mandate",
  network: "remit:0",
  amount: "1",
  asset: "iso4217:USD",
  payTo: "mrc",
  maxTimeoutSeconds: 300,
  extra: {},
};
const v2 = encodeHeader({ x402Version: 2, accepted, payload: { a: 1 } });
const v1 = base64.encode(
  JSON.stringify({ x402Version: 1, scheme: "exact", network: "base", payload: { b: 2 } }),
);
const challenge = { id: "a", realm: "api", method: "oid4ac", intent: "charge", request: "e30" };
const mpp = formatCredential({ challenge, payload: {} });
const refusal = (...headers: HeaderPair[]): ProblemCode | undefined => {
  try {
    readPaymentCredential(headers);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe("the payment credential of a request", () => {
  test("each door is known, whatever the letter case", () => {
    expect(readPaymentCredential([["Payment-Signature", v2]])).toMatchObject({
      kind: "x402",
      version: 2,
      raw: v2,
    });
    expect(readPaymentCredential([["X-PAYMENT", v1]])).toMatchObject({
      kind: "x402",
      version: 1,
      scheme: "exact",
    });
    expect(readPaymentCredential([["authorization", mpp]])).toMatchObject({
      kind: "mpp",
      header: "authorization",
    });
    expect(
      readPaymentCredential([["Payment-Authorization", mpp.replace("Payment", "PAYMENT")]]),
    ).toMatchObject({
      kind: "mpp",
      header: "payment-authorization",
    });
  });

  test("the older card form is known, bare and in a payload", () => {
    const card = { spt: "spt_1", externalId: "o-1" };
    for (const value of [card, { payload: card }])
      expect(readPaymentCredential([["X-PAYMENT", base64.encode(JSON.stringify(value))]])).toMatchObject({
        kind: "spt",
        ...card,
      });
    expect(refusal(["X-PAYMENT", base64.encode('{"spt":"4242424242424242"}')])).toBe("credential_malformed");
  });

  test("a request without one, or with another kind of authorization, has none", () => {
    expect(readPaymentCredential([])).toBeUndefined();
    expect(readPaymentCredential([["Authorization", "DPoP abc"]])).toBeUndefined();
    expect(readPaymentCredential([["Authorization", "Bearer payment"]])).toBeUndefined();
  });

  test("an agent's token may stand beside the payment", () => {
    expect(refusal(["Authorization", "DPoP abc"], ["Payment-Authorization", mpp])).toBeUndefined();
  });

  test("V05 two credentials are refused, of one kind or of two, equal or not", () => {
    expect(refusal(["PAYMENT-SIGNATURE", v2], ["payment-signature", v2])).toBe("credential_ambiguous");
    expect(refusal(["X-PAYMENT", v1], ["X-PAYMENT", v1])).toBe("credential_ambiguous");
    expect(refusal(["X-PAYMENT", v1], ["PAYMENT-SIGNATURE", v2])).toBe("credential_ambiguous");
    expect(refusal(["Authorization", mpp], ["Payment-Authorization", mpp])).toBe("credential_ambiguous");
    expect(refusal(["Authorization", mpp], ["Authorization", mpp])).toBe("credential_ambiguous");
  });

  test.each<HeaderPair>([
    ["PAYMENT-SIGNATURE", ""],
    ["PAYMENT-SIGNATURE", `${v2}, ${v2}`],
    ["PAYMENT-SIGNATURE", v1],
    ["X-PAYMENT", v2],
    ["X-PAYMENT", `${v1}\r\n ${v1}`],
    ["X-PAYMENT", "A".repeat(65_536)],
    ["X-PAYMENT", base64.encode("{}")],
    ["Authorization", "Payment"],
    ["Authorization", `${mpp}, ${mpp}`],
    ["Authorization", "Payment a b"],
    ["Payment-Authorization", "DPoP abc"],
    ["Payment-Authorization", "Payment !!!"],
  ])("V05 %s: %s is refused", (name, value) => expect(refusal([name, value])).toBe("credential_malformed"));
});
