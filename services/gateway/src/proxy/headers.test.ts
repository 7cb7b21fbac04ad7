import { describe, expect, test } from "vitest";
import { downwardFields, type Fields, upwardFields } from "./headers.ts";

const names = (fields: Fields): string[] => fields.map(([name]) => name.toLowerCase());

describe("headers to the upstream", () => {
  test.each([
    "X-Payment-Payer",
    "x-payment-payer",
    "X_Payment_Payer",
    "X-Remit-Agent",
    "X_REMIT_MANDATE",
    "Remit-Receipt",
    "X-Forwarded-For",
    "Forwarded",
    "PAYMENT-SIGNATURE",
    "Payment_Signature",
    "X-PAYMENT",
    "Payment-Authorization",
    "SIGN-IN-WITH-X",
    "Sign_In_With_X",
    "X-Verified-Wallet",
    "X-Original-URL",
    "X-HTTP-Method-Override",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Proxy-Authorization",
    "Host",
    "Expect",
    "Range",
    "If-None-Match",
  ])("a buyer's %s does not pass", (name) => {
    expect(upwardFields([[name, "forged"]], {})).toEqual([]);
  });

  test("identity is what the gateway says, once", () => {
    const fields = upwardFields([["X-Remit-Agent", "agt_forged"]], { "X-Remit-Agent": "agt_true" });
    expect(fields).toEqual([["X-Remit-Agent", "agt_true"]]);
  });

  test("what Connection names is of this hop", () => {
    const fields = upwardFields(
      [
        ["Connection", "close, X-Secret-Hop"],
        ["X-Secret-Hop", "1"],
        ["X-Other", "2"],
      ],
      {},
    );
    expect(names(fields)).toEqual(["x-other"]);
  });

  test("a credential in Authorization stays here, the agent's own token passes", () => {
    for (const value of ["payment abc", "SIWX a.b", "Bearer siwx_abc", "bearer  SIWX_abc"])
      expect(upwardFields([["Authorization", value]], {})).toEqual([]);
    expect(upwardFields([["Authorization", "Bearer abc"]], {})).toHaveLength(1);
    expect(upwardFields([["Authorization", "DPoP abc"]], {})).toHaveLength(1);
  });
});

describe("headers to the buyer", () => {
  test.each([
    "Remit-Receipt",
    "PAYMENT-RESPONSE",
    "X-PAYMENT-RESPONSE",
    "Payment-Receipt",
    "Idempotent-Replayed",
    "Cache-Control",
    "Connection",
    "Transfer-Encoding",
  ])("an upstream's %s does not pass", (name) => {
    expect(downwardFields([[name, "forged"]])).toEqual([]);
  });

  test("the rest passes as it came, also twice", () => {
    const fields: Fields = [
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["Content-Encoding", "gzip"],
    ];
    expect(downwardFields(fields)).toEqual(fields);
  });
});
