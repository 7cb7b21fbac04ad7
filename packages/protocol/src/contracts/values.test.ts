import { newId } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { parseJson } from "../encoding/index.ts";
import {
  AmountMinor,
  CreateCharge,
  Currency,
  EventBatch,
  InvoiceQuery,
  idOf,
  Origin,
  PayoutAccountQuery,
  RegisterMerchant,
  Timestamp,
  text,
} from "./index.ts";

const refuses = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown): void =>
  expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);

describe("money on the wire", () => {
  test.each([
    ["a negative amount", -1],
    ["nothing", 0],
    ["a fraction", 1.5],
    ["a text with an exponent", "1e3"],
    ["a text of digits", "100"],
    ["2^53", 2 ** 53],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["twenty digits", "12345678901234567890"],
    ["digits of another script", "١٢٣"],
    ["null", null],
    ["true", true],
    ["an array", [100]],
  ])("V01 an amount is never %s", (_, value) => refuses(AmountMinor, value));

  test("V01 an amount of 1 and of 2^53-1 passes unchanged", () => {
    expect(AmountMinor.parse(1)).toBe(1);
    expect(AmountMinor.parse(Number.MAX_SAFE_INTEGER)).toBe(9_007_199_254_740_991);
  });

  test("V01 a number that a double would round is refused after parsing too", () => {
    refuses(AmountMinor, parseJson("9007199254740993"));
    refuses(AmountMinor, parseJson("1e30"));
  });

  test.each(["usd", "Usd", "USDT", "XXX", "ZZZ", "US", "", "USDC_BASE", "ＵＳＤ", 840])(
    "V02 %s is no currency",
    (value) => refuses(Currency, value),
  );

  test("V02 currencies of 0, 2 and 3 places are known", () => {
    for (const code of ["JPY", "USD", "EUR", "BHD"]) expect(Currency.parse(code)).toBe(code);
  });

  test.each(["100.00", "1.234", "100"])("V02 the decimal text %s is no amount in any currency", (value) =>
    refuses(AmountMinor, value),
  );
});

describe("values of the wire", () => {
  test("an id of another kind is refused", () => {
    refuses(idOf("charge"), newId("mandate"));
    refuses(idOf("charge"), "chg_1");
    const id = newId("charge");
    expect(idOf("charge").parse(id)).toBe(id);
  });

  test.each([
    "https://shop.example/",
    "https://SHOP.example",
    "https://shop.example:443",
    "https://user@shop.example",
    "ftp://shop.example",
    "javascript:alert(1)",
    "shop.example",
    "null",
    "https://shop.example?x",
  ])("%s is no origin", (value) => refuses(Origin, value));

  test("an origin with another port is one", () => {
    expect(Origin.parse("http://localhost:3402")).toBe("http://localhost:3402");
  });

  test.each(["2026-11-22", "2026-11-22 10:00:00Z", "2026-13-22T10:00:00Z", "1764000000", ""])(
    "%s is no time",
    (value) => refuses(Timestamp, value),
  );

  test.each(["a\u0000b", "line\nbreak", "\ud800", "", "x".repeat(121)])(
    "V06 text for people holds no control characters and has a limit",
    (value) => refuses(text(120), value),
  );

  test.each(["'; drop table charges; --", "{{7*7}}", "${jndi:ldap://x}", "*)(uid=*"])(
    "V06 %s is stored as the text it is",
    (value) => expect(text(120).parse(value)).toBe(value),
  );
});

describe("V06 members named __proto__", () => {
  const hostile = JSON.parse(
    '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}',
  );

  test("they never become a prototype", () => {
    CreateCharge.safeParse(hostile);
    RegisterMerchant.safeParse(hostile);
    EventBatch.safeParse({ events: [hostile] });
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("a request made of them is refused", () => {
    refuses(CreateCharge, hostile);
    refuses(RegisterMerchant, hostile);
  });

  test("a charge takes no member that it does not know", () => {
    const charge = { offer: "a.b.c", presentation: "x", access_token: "y", merchant_nonce: "z" };
    expect(CreateCharge.safeParse(charge).success).toBe(true);
    refuses(CreateCharge, { ...charge, amount_minor: 1 });
  });
});

describe("a merchant's keys", () => {
  const merchant = {
    display_name: "Shop",
    origin: "https://shop.example",
    client_id: "cli_1",
    jwks_uri: "https://shop.example/.well-known/jwks.json",
    country: "NL",
    currencies: ["EUR"],
    categories: ["books"],
    rails: ["card"],
  };

  test("a registration passes, with other categories than slugs, no rails or an unknown country it does not", () => {
    expect(RegisterMerchant.safeParse(merchant).success).toBe(true);
    refuses(RegisterMerchant, { ...merchant, categories: ["Books & More"] });
    refuses(RegisterMerchant, { ...merchant, rails: [] });
    refuses(RegisterMerchant, { ...merchant, country: "nl" });
    refuses(RegisterMerchant, { ...merchant, jwks_uri: "https://user:pass@shop.example/jwks" });
    refuses(RegisterMerchant, { ...merchant, verification_status: "verified" });
  });
});

test("what was given whole before it had pages is given as far as a page goes to whoever names no length", () => {
  for (const query of [InvoiceQuery, PayoutAccountQuery]) {
    expect(query.parse({})).toEqual({ limit: 500 });
    expect(query.safeParse({ limit: "501" }).success).toBe(false);
  }
});
