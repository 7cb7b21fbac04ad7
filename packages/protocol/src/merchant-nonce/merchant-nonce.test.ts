import { randomBytes } from "node:crypto";
import { instantOf } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { base64url } from "../encoding/index.ts";
import { hmacSha256 } from "../node/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import * as web from "../web/index.ts";
import { checkMerchantNonce, makeMerchantNonce } from "./index.ts";

const now = instantOf(1_764_000_000_500);
const secret = randomBytes(32);
const mac = hmacSha256(secret);
const place = { route: "rte_1", method: "GET", origin: "https://shop.example" };
const nonce = makeMerchantNonce({ mac, random: randomBytes(12), now, place });

function refusal(changes: object = {}, text = nonce): ProblemCode | undefined {
  try {
    checkMerchantNonce({ nonce: text, macs: [mac], now, place, ...changes });
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe("a merchant's nonce", () => {
  test("it is 36 bytes that need no store, and a browser checks them as well", () => {
    expect(base64url.decode(nonce)).toHaveLength(36);
    expect(refusal()).toBeUndefined();
    expect(refusal({ macs: [web.hmacSha256(secret)] })).toBeUndefined();
  });

  test("it counts for one route, one method and one origin", () => {
    for (const change of [{ route: "rte_2" }, { method: "POST" }, { origin: "https://evil.example" }])
      expect(refusal({ place: { ...place, ...change } })).toBe("merchant_nonce_invalid");
  });

  test("no route can run into its method", () => {
    const shifted = { route: 'rte_1","GET', method: "", origin: place.origin };
    expect(refusal({ place: shifted })).toBe("merchant_nonce_invalid");
  });

  test("it expires after 300 s, and its expiry cannot be moved", () => {
    expect(refusal({ now: instantOf(now + 299_000) })).toBeUndefined();
    expect(refusal({ now: instantOf(now + 300_000) })).toBe("merchant_nonce_expired");
    const bytes = base64url.decode(nonce) ?? new Uint8Array();
    bytes[7] = (bytes[7] ?? 0) + 1;
    expect(refusal({}, base64url.encode(bytes))).toBe("merchant_nonce_invalid");
  });

  test("two keys count while they rotate, an unknown one never", () => {
    const other = hmacSha256(randomBytes(32));
    expect(refusal({ macs: [other, mac] })).toBeUndefined();
    expect(refusal({ macs: [other] })).toBe("merchant_nonce_invalid");
    expect(refusal({ macs: [] })).toBe("merchant_nonce_invalid");
  });

  test.each([
    "",
    "x",
    "=".repeat(48),
    "A".repeat(47),
    "A".repeat(49),
    "A".repeat(10_000),
    `${nonce}=`,
    ` ${nonce}`,
  ])("%s is no nonce", (text) => expect(refusal({}, text)).toBe("merchant_nonce_invalid"));
});
