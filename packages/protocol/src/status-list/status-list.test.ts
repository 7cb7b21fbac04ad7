import { deflateSync, gzipSync } from "node:zlib";
import { after, minuteMs } from "@remit/kernel";
import { getListFromStatusListJWT, StatusList as TheirList } from "@sd-jwt/jwt-status-list";
import { describe, expect, test } from "vitest";
import { codeOf, issuer, now } from "../../test/purchase.ts";
import { type JsonObject, publicJwkOf } from "../index.ts";
import { generateJwk, sign, signJws, verifyStatusList } from "../node/index.ts";
import * as web from "../web/index.ts";
import {
  bitAt,
  bitsOfStatus,
  bytesForStatuses,
  checkStatus,
  setBit,
  setStatus,
  statusAt,
  statusList2021Credential,
  statusList2021EntriesMin,
  statusListBytesMax,
  statusListToken,
} from "./index.ts";

const key = generateJwk("ES256");
const uri = `${issuer}/oauth/status-list/1`;
const rules = { uri, issuer, keys: [publicJwkOf(key)], now };

const tokenOf = (list: Uint8Array): string =>
  sign(
    statusListToken({
      uri,
      issuer,
      bits: 2,
      compressed: deflateSync(list),
      issuedAt: now,
      expiresAt: after(now, 5 * minuteMs),
      ttlS: 60,
    }),
    key,
  );
const claims = { iss: issuer, sub: uri, iat: now / 1000, exp: now / 1000 + 300, ttl: 60 };
const lst = (bytes: Uint8Array): string => deflateSync(bytes).toString("base64url");
const signed = (changes: JsonObject, typ = "statuslist+jwt"): string =>
  signJws(key, { typ }, { ...claims, status_list: { bits: 2, lst: lst(new Uint8Array(4)) }, ...changes });

describe("Token Status List §4", () => {
  test("the example of one bit: b9 a3", () => {
    const list = new Uint8Array(2);
    const values = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    for (const [index, value] of values.entries()) setStatus(list, 1, { index, value });
    expect(Buffer.from(list).toString("hex")).toBe("b9a3");
    expect(deflateSync(list, { level: 9 }).toString("base64url")).toBe("eNrbuRgAAhcBXQ");
    expect(values.map((_, index) => statusAt(list, 1, index))).toEqual(values);
  });

  test("the example of two bits: c9 44 f9", () => {
    const list = new Uint8Array(3);
    const values = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
    for (const [index, value] of values.entries()) setStatus(list, 2, { index, value });
    expect(Buffer.from(list).toString("hex")).toBe("c944f9");
    expect(deflateSync(list, { level: 9 }).toString("base64url")).toBe("eNo76fITAAPfAgc");
    expect(values.map((_, index) => statusAt(list, 2, index))).toEqual(values);
  });

  test("an entry is overwritten without touching its neighbours", () => {
    for (const bits of [1, 2, 4, 8] as const) {
      const list = new Uint8Array(bytesForStatuses(20, bits)).fill(0xff);
      const full = (1 << bits) - 1;
      setStatus(list, bits, { index: 7, value: 0 });
      expect(statusAt(list, bits, 7)).toBe(0);
      expect([6, 8].map((index) => statusAt(list, bits, index))).toEqual([full, full]);
    }
  });
});

describe("a list token", () => {
  const list = new Uint8Array(bytesForStatuses(100, 2));
  setStatus(list, 2, { index: 42, value: 1 });
  setStatus(list, 2, { index: 43, value: 2 });

  test("is verified and inflated, in node and in a browser", async () => {
    const verified = verifyStatusList({ ...rules, token: tokenOf(list) });
    expect(verified).toMatchObject({ bits: 2, iat: now / 1000, exp: now / 1000 + 300, ttlS: 60 });
    expect(Buffer.from(verified.list).equals(list)).toBe(true);
    const inBrowser = await web.verifyStatusList({ ...rules, token: tokenOf(list) });
    expect(Buffer.from(inBrowser.list).equals(list)).toBe(true);
  });

  test("tells the valid from the revoked and the suspended", () => {
    const verified = verifyStatusList({ ...rules, token: tokenOf(list) });
    expect(() => checkStatus(verified, 41)).not.toThrow();
    expect(codeOf(() => checkStatus(verified, 42))).toBe("mandate_status_revoked");
    expect(codeOf(() => checkStatus(verified, 43))).toBe("mandate_status_suspended");
    setStatus(list, 2, { index: 44, value: 3 });
    expect(codeOf(() => checkStatus({ ...verified, list }, 44))).toBe("mandate_status_revoked");
  });

  test("is read by the public implementation", () => {
    const theirs: TheirList = getListFromStatusListJWT(tokenOf(list));
    expect([41, 42, 43].map((index) => theirs.getStatus(index))).toEqual([0, 1, 2]);
  });
});

describe("V09 a list that is not the one the credential names, or not a list, is refused", () => {
  const refusalOf = (token: string, more: object = {}): string =>
    codeOf(() => verifyStatusList({ ...rules, token, ...more }));

  test.each([
    [{ status_list: { bits: 3, lst: lst(new Uint8Array(4)) } }],
    [{ status_list: { bits: "2", lst: lst(new Uint8Array(4)) } }],
    [{ status_list: { bits: 2 } }],
    [{ status_list: { bits: 2, lst: "" } }],
    [{ status_list: { bits: 2, lst: "%%" } }],
    [{ status_list: { bits: 2, lst: "AAAA" } }],
    [{ status_list: [] }],
    [{ status_list: undefined }],
    [{ sub: `${issuer}/oauth/status-list/2` }],
    [{ sub: undefined }],
    [{ iss: "https://evil.example" }],
    [{ iat: undefined }],
    [{ exp: undefined }],
    [{ iat: now / 1000 + 61 }],
    [{ ttl: -1 }],
  ] satisfies [JsonObject][])("%j", (changes) => {
    expect(refusalOf(signed(changes))).toBe("status_list_invalid");
  });

  test("another typ or another key", () => {
    expect(refusalOf(signed({}, "JWT"))).toBe("status_list_invalid");
    expect(refusalOf(signed({}), { keys: [publicJwkOf(generateJwk("ES256"))] })).toBe("status_list_invalid");
    const stranger = { ...generateJwk("ES256"), kid: key.kid ?? "" };
    expect(refusalOf(signed({}), { keys: [publicJwkOf(stranger)] })).toBe("status_list_invalid");
  });

  test("a bomb is not inflated beyond the limit", async () => {
    const token = signed({ status_list: { bits: 2, lst: lst(new Uint8Array(statusListBytesMax + 1)) } });
    expect(refusalOf(token)).toBe("status_list_invalid");
    await expect(web.verifyStatusList({ ...rules, token })).rejects.toMatchObject({
      code: "status_list_invalid",
    });
    const garbage = signed({ status_list: { bits: 2, lst: "AAAA" } });
    await expect(web.verifyStatusList({ ...rules, token: garbage })).rejects.toMatchObject({
      code: "status_list_invalid",
    });
    const whole = signed({ status_list: { bits: 2, lst: lst(new Uint8Array(statusListBytesMax)) } });
    expect((await web.verifyStatusList({ ...rules, token: whole })).list.length).toBe(statusListBytesMax);
  });

  test("an index beyond the list or below it is not valid by default", () => {
    const verified = verifyStatusList({ ...rules, token: signed({}) });
    for (const index of [16, 2 ** 31, 2 ** 53, -1, 0.5, Number.NaN]) {
      expect(statusAt(verified.list, 2, index)).toBeUndefined();
      expect(codeOf(() => checkStatus(verified, index))).toBe("status_list_invalid");
    }
  });

  test("O08 O09 a list at its end, or older than one already seen", () => {
    const token = signed({});
    expect(() => verifyStatusList({ ...rules, token, now: after(now, 299_999) })).not.toThrow();
    expect(refusalOf(token, { now: after(now, 300_000) })).toBe("status_list_stale");
    expect(refusalOf(token, { newestIat: now / 1000 + 1 })).toBe("status_list_stale");
    expect(() => verifyStatusList({ ...rules, token, newestIat: now / 1000 })).not.toThrow();
  });
});

describe("StatusList2021", () => {
  test("§3: the first entry is the highest bit", () => {
    const list = new Uint8Array(2);
    for (const index of [0, 9]) setBit(list, index, true);
    expect([...list]).toEqual([0x80, 0x40]);
    setBit(list, 0, false);
    expect([bitAt(list, 0), bitAt(list, 9), bitAt(list, 16), bitAt(list, -1)]).toEqual([
      false,
      true,
      undefined,
      undefined,
    ]);
  });

  test("one table of states gives both lists at the same index, large enough to hide in", () => {
    const states = new Uint8Array(bytesForStatuses(100, 2));
    setStatus(states, 2, { index: 42, value: 1 });
    setStatus(states, 2, { index: 43, value: 2 });
    const revoked = bitsOfStatus(states, "invalid");
    const suspended = bitsOfStatus(states, "suspended");
    expect(revoked.length * 8).toBe(statusList2021EntriesMin);
    expect([bitAt(revoked, 42), bitAt(revoked, 43), bitAt(suspended, 42), bitAt(suspended, 43)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test("§4.2: the credential carries the list in gzip", () => {
    const compressed = gzipSync(new Uint8Array(statusList2021EntriesMin / 8));
    const credential = statusList2021Credential({
      uri,
      issuer,
      purpose: "revocation",
      compressed,
      issuedAt: now,
    });
    expect(credential).toMatchObject({
      id: uri,
      issuer,
      type: ["VerifiableCredential", "StatusList2021Credential"],
      credentialSubject: {
        id: `${uri}#list`,
        type: "StatusList2021",
        statusPurpose: "revocation",
        encodedList: compressed.toString("base64url"),
      },
    });
  });
});
