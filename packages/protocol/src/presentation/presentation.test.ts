import { createHmac } from "node:crypto";
import { after } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import {
  codeOf,
  details,
  encode,
  makePurchase,
  makeToken,
  now,
  type Purchase,
  partsOf,
  shop,
  tokenFor,
} from "../../test/purchase.ts";
import { type PresentationInput, type PrivateJwk, publicJwkOf } from "../index.ts";
import {
  generateJwk,
  makePresentation,
  sha256b64url,
  signJws,
  thumbprint,
  verifyPresentation,
} from "../node/index.ts";
import * as web from "../web/index.ts";

const purchase = makePurchase();
const bound = purchase.input.presentation.slice(0, purchase.input.presentation.lastIndexOf("~") + 1);
const keyBinding = purchase.input.presentation.slice(bound.length);

const refusalOf = (changes: Partial<PresentationInput>): string =>
  codeOf(() => verifyPresentation({ ...purchase.input, ...changes }));

/** The purchase's presentation with another key binding, rightly signed unless another key is given. */
const rebound = (claims: object, key: PrivateJwk = purchase.agentKey, header: object = {}): string =>
  bound + signJws(key, { typ: "kb+jwt", ...header }, { ...partsOf(keyBinding).payload, ...claims });

describe.each(["ES256", "EdDSA"] as const)("a presentation signed with %s", (alg) => {
  const { input, mandateId, agentKey } = makePurchase({ alg });

  test("verifies, and says who pays what on whose behalf", async () => {
    const verified = verifyPresentation(input);
    expect(verified.mandate.jti).toBe(mandateId);
    expect(verified.agentThumbprint).toBe(thumbprint(agentKey));
    expect(verified.holderJwk).toMatchObject({ kty: publicJwkOf(agentKey).kty, x: agentKey.x });
    const { instrument: _, ...shown } = details;
    expect(verified.details).toEqual({ ...shown, limits_hidden: true });
    expect(verified.accessToken.mandate_id).toBe(mandateId);
    expect(verified.presentationHash).toBe(sha256b64url(input.presentation));
    expect(verified.mandateHash).toBe(sha256b64url(input.presentation.split("~")[0] ?? ""));
    expect(verified.kbIat).toBe(now / 1000);
    await expect(web.verifyPresentation(input)).resolves.toEqual(verified);
  });

  test("no longer verifies after any character of it is changed", () => {
    const text = input.presentation;
    for (let at = 0; at < text.length; at += 7) {
      const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      expect(
        codeOf(() => verifyPresentation({ ...input, presentation: changed })),
        `at ${at}`,
      ).toMatch(/^mandate_/);
    }
  });

  test("never carries the instrument", () => {
    const shown = input.presentation
      .split("~")
      .slice(1, -1)
      .map((part) => Buffer.from(part, "base64url").toString());
    expect(JSON.stringify(partsOf(input.presentation).payload) + shown.join()).not.toContain("ins_");
  });
});

describe("O05 a presentation replayed elsewhere is refused", () => {
  test("at another merchant", () => {
    expect(refusalOf({ merchantOrigin: "https://other.example" })).toBe("mandate_kb_audience_mismatch");
  });

  test("at a merchant the mandate is not meant for, though agent and token name it", () => {
    const other = "https://other.example";
    const token = makeToken(purchase.issuerKey, {
      ...tokenFor(purchase.agentKey, purchase.mandateId),
      aud: other,
    });
    const presentation = rebound({ aud: other, ath: sha256b64url(token) });
    expect(refusalOf({ merchantOrigin: other, accessToken: token, presentation })).toBe(
      "mandate_merchant_not_allowed",
    );
  });

  test("for another offer", () => {
    expect(refusalOf({ offerDigest: sha256b64url("another offer") })).toBe("mandate_kb_nonce_mismatch");
  });

  test("by another agent with its own token", () => {
    const thief = generateJwk("ES256");
    const token = makeToken(purchase.issuerKey, tokenFor(thief, purchase.mandateId));
    expect(refusalOf({ accessToken: token })).toBe("mandate_kb_token_mismatch");
    expect(refusalOf({ accessToken: token, presentation: rebound({ ath: sha256b64url(token) }) })).toBe(
      "mandate_holder_mismatch",
    );
    expect(
      refusalOf({ accessToken: token, presentation: rebound({ ath: sha256b64url(token) }, thief) }),
    ).toBe("mandate_holder_mismatch");
  });

  test("with a token of another mandate", () => {
    const token = makeToken(purchase.issuerKey, tokenFor(purchase.agentKey, makePurchase().mandateId));
    expect(refusalOf({ accessToken: token, presentation: rebound({ ath: sha256b64url(token) }) })).toBe(
      "mandate_holder_mismatch",
    );
  });
});

describe("O06 a key binding that is not of this purchase is refused, each for its own reason", () => {
  test("the nonce of an earlier purchase", () => {
    expect(refusalOf({ merchantNonce: "another nonce" })).toBe("mandate_kb_nonce_mismatch");
  });

  test("no nonce", () => {
    expect(refusalOf({ presentation: rebound({ nonce: undefined }) })).toBe("mandate_kb_nonce_mismatch");
  });

  test.each(["https://shop.example/", "https://shop.example:443", "http://shop.example", [shop]])(
    "aud %j",
    (aud) => {
      expect(refusalOf({ presentation: rebound({ aud }) })).toBe("mandate_kb_audience_mismatch");
    },
  );

  test("sd_hash of another presentation", () => {
    expect(refusalOf({ presentation: rebound({ sd_hash: sha256b64url("x") }) })).toBe(
      "mandate_kb_hash_mismatch",
    );
  });

  test("a disclosure withheld after the key binding was signed", () => {
    const [jws, , ...rest] = purchase.input.presentation.split("~");
    expect(refusalOf({ presentation: [jws, ...rest].join("~") })).toBe("mandate_kb_hash_mismatch");
  });

  test("no digest of the access token, or of another one", () => {
    expect(refusalOf({ presentation: rebound({ ath: undefined }) })).toBe("mandate_kb_token_mismatch");
    expect(refusalOf({ presentation: rebound({ ath: sha256b64url("x") }) })).toBe(
      "mandate_kb_token_mismatch",
    );
  });

  test.each([
    [-61, "mandate_kb_stale"],
    [-60, undefined],
    [60, undefined],
    [61, "mandate_kb_stale"],
  ])("iat %i seconds from now: %s", (offset, refusal) => {
    const check = (): unknown =>
      verifyPresentation({ ...purchase.input, presentation: rebound({ iat: now / 1000 + offset }) });
    if (refusal === undefined) expect(check).not.toThrow();
    else expect(codeOf(check)).toBe(refusal);
  });

  test("iat missing or broken", () => {
    for (const iat of [undefined, "1", 1.5, -1])
      expect(refusalOf({ presentation: rebound({ iat }) })).toBe("mandate_kb_stale");
  });

  test("signed by another key", () => {
    expect(refusalOf({ presentation: rebound({}, generateJwk("ES256")) })).toBe(
      "mandate_kb_signature_invalid",
    );
  });

  test("signed with another algorithm than the mandate's key", () => {
    expect(refusalOf({ presentation: rebound({}, generateJwk("EdDSA")) })).toBe("mandate_kb_invalid");
  });

  test("alg none, or an HMAC with the public key as its secret", () => {
    const { payload } = partsOf(keyBinding);
    const none = `${encode({ alg: "none", typ: "kb+jwt" })}.${encode(payload)}.`;
    const input = `${encode({ alg: "HS256", typ: "kb+jwt" })}.${encode(payload)}`;
    const secret = JSON.stringify(publicJwkOf(purchase.agentKey));
    const hmac = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    expect(refusalOf({ presentation: bound + none })).toBe("mandate_kb_invalid");
    expect(refusalOf({ presentation: bound + hmac })).toBe("mandate_kb_invalid");
  });

  test("another typ, or a key in its header", () => {
    expect(refusalOf({ presentation: rebound({}, purchase.agentKey, { typ: "jwt" }) })).toBe(
      "mandate_kb_invalid",
    );
    const thief = generateJwk("ES256");
    expect(refusalOf({ presentation: rebound({}, thief, { jwk: publicJwkOf(thief) }) })).toBe(
      "mandate_kb_invalid",
    );
  });
});

describe("O07 a mandate without its key binding is refused", () => {
  test.each([
    ["cut off", bound, "mandate_kb_missing"],
    ["with its last tilde too", bound.slice(0, -1), "mandate_kb_invalid"],
    ["the issuer's JWS alone", bound.split("~")[0] ?? "", "mandate_malformed"],
    ["replaced by a disclosure", `${bound}${bound.split("~")[1]}`, "mandate_kb_invalid"],
  ])("%s", (_, presentation, refusal) => {
    expect(refusalOf({ presentation })).toBe(refusal);
  });
});

describe("O04 a mandate is valid from nbf until exp, to the second", () => {
  const day = 24 * 3600;
  const at = (seconds: number): Purchase => {
    const then = after(now, seconds * 1000);
    const made = makePurchase({
      mandate: { issuedAt: now, validFrom: now, validUntil: after(now, day * 1000) },
      token: { iat: then / 1000, exp: then / 1000 + 300 },
    });
    const { input, mandate, agentKey } = made;
    const request = { ...input, mandate, disclose: "all" as const, audience: shop, key: agentKey, now: then };
    return { ...made, input: { ...input, now: then, presentation: makePresentation(request) } };
  };

  test.each([
    [0, undefined],
    [day - 1, undefined],
    [day, "mandate_expired"],
    [day + 1, "mandate_expired"],
    [-60, undefined],
    [-61, "mandate_not_yet_valid"],
  ])("%i seconds after its start: %s", (seconds, refusal) => {
    const check = (): unknown => verifyPresentation(at(seconds).input);
    if (refusal === undefined) expect(check).not.toThrow();
    else expect(codeOf(check)).toBe(refusal);
  });

  test("to the millisecond at its end", () => {
    const { input } = at(day - 1);
    expect(() => verifyPresentation({ ...input, now: after(input.now, 999) })).not.toThrow();
    expect(codeOf(() => verifyPresentation({ ...input, now: after(input.now, 1000) }))).toBe(
      "mandate_expired",
    );
  });
});

describe("the access token belongs to the presentation", () => {
  const withToken = (claims: object): string => {
    const token = makeToken(purchase.issuerKey, {
      ...tokenFor(purchase.agentKey, purchase.mandateId),
      ...claims,
    });
    return refusalOf({ accessToken: token, presentation: rebound({ ath: sha256b64url(token) }) });
  };

  test.each([
    [{ aud: "https://other.example" }, "aud_mismatch"],
    [{ aud: [shop] }, "aud_mismatch"],
    [{ iss: "https://evil.example" }, "invalid_token"],
    [{ exp: now / 1000 }, "invalid_token"],
    [{ cnf: undefined }, "mandate_holder_mismatch"],
    [{ scope: "wallet:read" }, "insufficient_scope"],
    [{ scope: undefined }, "insufficient_scope"],
    [{ livemode: true }, "livemode_mismatch"],
  ])("%j: %s", (claims, refusal) => {
    expect(withToken(claims)).toBe(refusal);
  });

  test("A02 a mandate, a key binding or an ID token is no access token", () => {
    const idToken = signJws(
      purchase.issuerKey,
      { typ: "JWT" },
      tokenFor(purchase.agentKey, purchase.mandateId),
    );
    for (const accessToken of [bound.split("~")[0] ?? "", keyBinding, idToken])
      expect(refusalOf({ accessToken, presentation: rebound({ ath: sha256b64url(accessToken) }) })).toBe(
        "invalid_token",
      );
  });

  test("live and test never mix", () => {
    expect(refusalOf({ livemode: true })).toBe("livemode_mismatch");
    const live = makePurchase({ mandate: { livemode: true } });
    expect(codeOf(() => verifyPresentation(live.input))).toBe("livemode_mismatch");
  });
});

test("a mandate signed by somebody else is refused, also under the issuer's key id", () => {
  const forger: PrivateJwk = { ...generateJwk("ES256"), kid: purchase.issuerKey.kid ?? "" };
  const { presentation } = purchase.input;
  const rest = presentation.slice(presentation.indexOf("~"));
  const forged =
    signJws(forger, { typ: "dc+sd-jwt" }, partsOf(presentation.split("~")[0] ?? "").payload) + rest;
  const sdHash = sha256b64url(forged.slice(0, forged.lastIndexOf("~") + 1));
  const key = signJws(
    purchase.agentKey,
    { typ: "kb+jwt" },
    { ...partsOf(keyBinding).payload, sd_hash: sdHash },
  );
  const whole = forged.slice(0, forged.lastIndexOf("~") + 1) + key;
  expect(refusalOf({ presentation: whole })).toBe("mandate_signature_invalid");
  expect(refusalOf({ issuerKeys: [] })).toBe("mandate_signature_invalid");
});

test("a limit that was withheld is marked as hidden, never read as absent", () => {
  const { agentKey, mandate, input } = purchase;
  const request = { ...input, mandate, audience: shop, key: agentKey };
  const presentation = makePresentation({
    ...request,
    disclose: [["authorization_details", 0, "merchants", 0]],
  });
  const shown = verifyPresentation({ ...input, presentation }).details;
  expect(shown).toEqual({
    type: "oid4ac_mandate",
    oid4ac_version: "1.0",
    currency: "EUR",
    uses: "multiple",
    merchants: [shop],
    limits_hidden: true,
  });
});
