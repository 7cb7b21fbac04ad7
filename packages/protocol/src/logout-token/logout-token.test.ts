import { after, minuteMs } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { codeOf, issuer, now } from "../../test/purchase.ts";
import { type Json, type JsonObject, publicJwkOf } from "../index.ts";
import { generateJwk, signJws, verifyLogoutToken } from "../node/index.ts";
import * as web from "../web/index.ts";
import { logoutEvent } from "./index.ts";

const key = generateJwk("ES256");
const iat = now / 1000;
const whole: JsonObject = {
  iss: issuer,
  aud: "wallet",
  iat,
  exp: iat + 120,
  jti: "b1d4c0b5a5a14f6c",
  events: { [logoutEvent]: {} },
  sid: "of-this-session",
  sub: "acc_1",
};
const input = { issuer, clientId: "wallet", keys: [publicJwkOf(key)], now };
/** A claim that is undefined is left out. */
const tokenOf = (claims: Record<string, Json | undefined> = {}, typ = "logout+jwt"): string => {
  const said: Record<string, Json> = {};
  for (const [name, value] of Object.entries({ ...whole, ...claims }))
    if (value !== undefined) said[name] = value;
  return signJws(key, { typ }, said);
};
const verify = (token: string, more = {}) => verifyLogoutToken({ ...input, token, ...more });

describe("a logout token", () => {
  test.each(["ES256", "EdDSA"] as const)("signed with %s says whose session has ended", async (alg) => {
    const own = generateJwk(alg);
    const given = { ...input, token: signJws(own, { typ: "logout+jwt" }, whole), keys: [publicJwkOf(own)] };
    const read = { sub: "acc_1", sid: "of-this-session", jti: "b1d4c0b5a5a14f6c", exp: iat + 120 };
    expect(verifyLogoutToken(given)).toEqual(read);
    await expect(web.verifyLogoutToken(given)).resolves.toEqual(read);
  });

  test("names a session, a person, or both, and may be meant for several", () => {
    expect(verify(tokenOf({ sub: undefined }))).toMatchObject({ sub: undefined, sid: "of-this-session" });
    expect(verify(tokenOf({ sid: undefined }))).toMatchObject({ sub: "acc_1", sid: undefined });
    expect(verify(tokenOf({ aud: ["other", "wallet"] }))).toMatchObject({ sub: "acc_1" });
  });

  test.each<[string, Record<string, Json | undefined>]>([
    ["of another issuer", { iss: "https://other.example" }],
    ["of no issuer", { iss: undefined }],
    ["meant for another client", { aud: "other" }],
    ["meant for others", { aud: ["other"] }],
    ["meant for nobody", { aud: undefined }],
    ["that says nothing of whose", { sub: undefined, sid: undefined }],
    ["whose sid is no text", { sid: 7 }],
    ["whose sub is no text", { sub: { of: "acc_1" } }],
    ["without jti", { jti: undefined }],
    ["with a jti without end", { jti: "x".repeat(257) }],
    ["without iat", { iat: undefined }],
    ["without exp", { exp: undefined }],
    ["that lives long", { exp: iat + 301 }],
    ["of later", { iat: iat + 61, exp: iat + 100 }],
  ])("A08 one %s is refused", (_what, claims) => {
    expect(codeOf(() => verify(tokenOf(claims)))).toBe("invalid_request");
  });

  test("A08 one that is over is refused, and one of a key that is not the issuer's", () => {
    expect(codeOf(() => verify(tokenOf(), { now: after(now, 4 * minuteMs) }))).toBe("invalid_request");
    expect(codeOf(() => verify(tokenOf(), { keys: [publicJwkOf(generateJwk("ES256"))] }))).toBe(
      "invalid_request",
    );
    const [head = "", , signature = ""] = tokenOf().split(".");
    const [, other = ""] = tokenOf({ sub: "acc_2" }).split(".");
    expect(codeOf(() => verify(`${head}.${other}.${signature}`))).toBe("invalid_request");
    expect(codeOf(() => verify("nonsense"))).toBe("invalid_request");
  });
});

describe("A02 nothing else passes for a logout token", () => {
  test.each(["JWT", "at+jwt", "secevent+jwt", "id_token", ""])("A02 of typ %j", (typ) => {
    expect(codeOf(() => verify(tokenOf({}, typ)))).toBe("invalid_request");
  });

  test.each<[string, Record<string, Json | undefined>]>([
    ["a nonce, as ID tokens have", { nonce: "n" }],
    ["no events", { events: undefined }],
    ["events that are a list", { events: [logoutEvent] }],
    [
      "another event",
      { events: { "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} } },
    ],
    ["an event without a body", { events: { [logoutEvent]: true } }],
    ["an event by inheritance", { events: { __proto__x: {} } }],
  ])("A02 with %s", (_what, claims) => {
    expect(codeOf(() => verify(tokenOf(claims)))).toBe("invalid_request");
  });
});
