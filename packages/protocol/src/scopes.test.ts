import { describe, expect, test } from "vitest";
import { mayBeBearer, parseScope, scopes } from "./scopes.ts";

describe("scopes", () => {
  test("a plain bearer token carries no scope that moves money or changes who may pay", () => {
    const bearer = scopes.filter(mayBeBearer);
    expect(bearer.sort()).toEqual([
      "agents:read",
      "agents:write",
      "audit:read",
      "offers:read",
      "ssf.manage",
      "ssf.read",
      "tokens:read",
      "webhooks:read",
      "webhooks:write",
    ]);
  });

  test("the alias of the older protocol means the same scope", () => {
    expect(parseScope("payment.charge")).toBe("oid4ac:payment");
    expect(parseScope("oid4ac:payment")).toBe("oid4ac:payment");
  });

  test.each(["__proto__", "toString", "OID4AC:PAYMENT", "agents:*", ""])("%s is no scope", (name) =>
    expect(parseScope(name)).toBeUndefined(),
  );
});
