import { newId } from "@remit/kernel";
import { compactVerify, decodeProtectedHeader, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { codeOf, issuer, now } from "../../test/purchase.ts";
import { type Json, type JsonObject, Problem, publicJwkOf } from "../index.ts";
import { generateJwk, sign, signJws, verifySecurityEvent } from "../node/index.ts";
import * as web from "../web/index.ts";
import {
  isOfStream,
  makeSecurityEvent,
  readPaymentSignal,
  setErrorOf,
  signalNameOf,
  signalNames,
  signalTypes,
} from "./index.ts";

const key = generateJwk("ES256");
const audience = "https://billing.example";
const input = { issuer, audience, keys: [publicJwkOf(key)], now };
const iat = now / 1000;
const charge = newId("charge");
const said = { organization_id: newId("tenant"), charge, operation: "capture", ordinal: 1 };
const told = {
  issuer,
  audience,
  jti: newId("signal"),
  txn: newId("event"),
  seq: 7,
  now,
  subject: { format: "opaque", id: charge },
  name: "oid4ac.payment.succeeded",
  data: said,
} as const;
const whole: JsonObject = {
  iss: issuer,
  aud: audience,
  jti: told.jti,
  iat,
  txn: told.txn,
  seq: 7,
  sub_id: told.subject,
  events: { [signalTypes[told.name]]: said },
};
/** A claim that is undefined is left out. */
const tokenOf = (claims: Record<string, Json | undefined> = {}, typ = "secevent+jwt"): string => {
  const kept: Record<string, Json> = {};
  for (const [name, value] of Object.entries({ ...whole, ...claims }))
    if (value !== undefined) kept[name] = value;
  return signJws(key, { typ }, kept);
};
const refusalOf = (token: string, more = {}): Problem => {
  try {
    verifySecurityEvent({ ...input, token, ...more });
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error("it was taken");
};

describe("the catalogue of signals", () => {
  test("is in order, and each name has one URI that leads back to it", () => {
    expect(signalNames).toEqual([...signalNames].sort());
    expect(new Set(Object.values(signalTypes)).size).toBe(signalNames.length);
    for (const name of signalNames) expect(signalNameOf(signalTypes[name])).toBe(name);
    expect(signalNameOf("toString")).toBeUndefined();
  });

  test("Remit's own stand under a name that nobody has to own, the others where their specifications say", () => {
    expect(signalTypes["oid4ac.mandate.revoked"]).toBe("urn:oid4ac:event-type:mandate.revoked");
    expect(signalTypes["caep.session-revoked"]).toBe(
      "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    );
    expect(signalTypes["risc.account-purged"]).toBe(
      "https://schemas.openid.net/secevent/risc/event-type/account-purged",
    );
    expect(signalTypes["ssf.verification"]).toBe(
      "https://schemas.openid.net/secevent/ssf/event-type/verification",
    );
    expect(signalNames.filter(isOfStream)).toEqual(["ssf.stream-updated", "ssf.verification"]);
  });
});

describe("a security event token", () => {
  test.each(["ES256", "EdDSA"] as const)("signed with %s is read as it was told", async (alg) => {
    const own = generateJwk(alg);
    const token = sign(makeSecurityEvent(told), own);
    const given = { ...input, token, keys: [publicJwkOf(own)] };
    const read = {
      jti: told.jti,
      txn: told.txn,
      seq: 7,
      issuedAt: now,
      subject: told.subject,
      type: signalTypes[told.name],
      name: told.name,
      data: said,
    };
    expect(verifySecurityEvent(given)).toEqual(read);
    await expect(web.verifySecurityEvent(given)).resolves.toEqual(read);
  });

  test("is one to the public implementation, with neither sub nor exp", async () => {
    const token = sign(makeSecurityEvent(told), key);
    const { payload } = await compactVerify(token, await importJWK(publicJwkOf(key), "ES256"));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(whole);
    expect(decodeProtectedHeader(token).typ).toBe("secevent+jwt");
  });

  test("may be meant for several, and tell what this release does not know", () => {
    const type = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";
    const token = tokenOf({ aud: ["https://other.example", audience], events: { [type]: {} } });
    expect(verifySecurityEvent({ ...input, token })).toMatchObject({ type, name: undefined, data: {} });
  });

  test.each<[string, string, Record<string, Json | undefined>]>([
    ["of another issuer", "invalid_issuer", { iss: "https://other.example" }],
    ["of no issuer", "invalid_issuer", { iss: undefined }],
    ["meant for another", "invalid_audience", { aud: "https://other.example" }],
    ["meant for nobody", "invalid_audience", { aud: undefined }],
    ["with sub", "invalid_request", { sub: "acc_1" }],
    ["that ends", "invalid_request", { exp: iat + 60 }],
    ["of no id", "invalid_request", { jti: undefined }],
    ["of no event", "invalid_request", { txn: "" }],
    ["without a place", "invalid_request", { seq: undefined }],
    ["before the first", "invalid_request", { seq: 0 }],
    ["between two places", "invalid_request", { seq: 1.5 }],
    ["of later", "invalid_request", { iat: iat + 61 }],
    ["of no time", "invalid_request", { iat: undefined }],
    ["about nobody", "invalid_request", { sub_id: undefined }],
    ["about somebody in no format", "invalid_request", { sub_id: { id: "mnd_1" } }],
    ["that says nothing", "invalid_request", { events: {} }],
    ["that says two things", "invalid_request", { events: { a: {}, b: {} } }],
    ["that says no object", "invalid_request", { events: { a: "b" } }],
  ])("%s is refused with %s", (_, err, claims) => {
    const problem = refusalOf(tokenOf(claims));
    expect(problem.code).toBe("invalid_request");
    expect(setErrorOf(problem)).toBe(err);
  });

  test.each(["JWT", "at+jwt", "logout+jwt", "id_token", ""])("A02 of typ %j is refused", (typ) => {
    expect(setErrorOf(refusalOf(tokenOf({}, typ)))).toBe("invalid_request");
  });

  test("A01 of a key that is not the issuer's, or changed after it was signed, is refused with invalid_key", () => {
    const strange = generateJwk("ES256");
    expect(setErrorOf(refusalOf(sign(makeSecurityEvent(told), strange)))).toBe("invalid_key");
    const token = tokenOf();
    const [head = "", , tail = ""] = token.split(".");
    const [, other = ""] = tokenOf({ seq: 8 }).split(".");
    expect(setErrorOf(refusalOf(`${head}.${other}.${tail}`))).toBe("invalid_key");
    expect(setErrorOf(refusalOf(token, { keys: [{ ...publicJwkOf(strange), kid: key.kid }] }))).toBe(
      "invalid_key",
    );
  });
});

describe("what a payment's signal says", () => {
  test("names the row to look up, and whatever else it says is passed on", () => {
    const refund = newId("refund");
    const data = { ...said, operation: "refund", refund, amount_minor: 500, of_later: true };
    expect(readPaymentSignal({ data })).toEqual({
      organization_id: said.organization_id,
      charge,
      operation: "refund",
      ordinal: 1,
      refund,
      amount_minor: 500,
      mandate: undefined,
      payment: undefined,
      currency: undefined,
      because: undefined,
    });
  });

  test.each([
    { charge: "chg_1" },
    { operation: "transfer" },
    { ordinal: 0 },
    { ordinal: "1" },
    { organization_id: undefined },
    { amount_minor: -1 },
    { refund: newId("charge") },
  ])("V01 with %j it is refused", (change) => {
    const data = JSON.parse(JSON.stringify({ ...said, ...change }));
    expect(codeOf(() => readPaymentSignal({ data }))).toBe("invalid_request");
  });
});
