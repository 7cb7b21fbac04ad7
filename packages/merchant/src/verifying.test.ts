import { instantOf, newId, toNumericDate, toRfc3339 } from "@remit/kernel";
import { makeReceipt, publicJwkOf } from "@remit/protocol";
import { generateJwk, sha256, sha256b64url, sign, verifyOffer as verifyOfferJws } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import {
  clockAt,
  fakeFetch,
  issuer,
  issuerKey,
  issuerKeys,
  merchantNonce,
  now,
  offer,
  origin,
  presented,
  shopKey,
  statusListAt,
} from "../test/counterparts.ts";
import {
  createStatusLists,
  fetchIssuerKeys,
  fetchStatusList,
  MandateVerifyError,
  OfferVerifyError,
  signOffer,
  signOfferToken,
  verifyMandate,
  verifyOffer,
  verifyReceipt,
} from "./index.ts";

const targetUri = `${origin}/products/report-1`;
const jwks = { keys: [publicJwkOf(shopKey)] };
const later = (ms: number) => instantOf(now + ms);

describe("offers", () => {
  const signed = () => signOffer(offer, { privateJwk: shopKey, targetUri, now });

  test("what one merchant signs another reads, as a response and as a token", async () => {
    const response = await signed();
    const verified = await verifyOffer(response, jwks, {
      targetUri,
      now,
      merchant: offer.merchant,
      livemode: false,
    });
    expect(verified).toMatchObject({
      offer,
      keyid: "shop-1",
      alg: "ed25519",
      method: "GET",
      targetUri,
      authority: "shop.example",
      bodyDigest: sha256b64url(response.body),
    });
    const headers = new Headers(response.headers);
    await expect(verifyOffer({ ...response, headers }, jwks, { targetUri, now })).resolves.toMatchObject({
      offer,
    });
    expect(verifyOfferJws(await signOfferToken(offer, shopKey), { keys: jwks.keys, now })).toEqual(offer);
  });

  test("O02 O03 O04 altered, foreign and expired offers have each their own code", async () => {
    const response = await signed();
    const code = async (change: object, options: object = {}, keys = jwks): Promise<string> =>
      verifyOffer({ ...response, ...change }, keys, { targetUri, now, ...options }).then(
        () => "verified",
        (error: unknown) => (error instanceof OfferVerifyError ? error.code : String(error)),
      );
    expect(await code({ body: response.body.replace("1000", "1") })).toBe("offer_body_digest_mismatch");
    expect(await code({}, { now: later(300_000) })).toBe("offer_signature_expired");
    expect(await code({}, { now: later(-60_000) })).toBe("offer_not_yet_valid");
    expect(await code({}, { targetUri: "https://evil.example/products/report-1" })).toBe(
      "offer_target_uri_mismatch",
    );
    expect(await code({}, { targetUri: `${targetUri}2` })).toBe("offer_signature_invalid");
    expect(await code({}, { method: "POST" })).toBe("offer_signature_invalid");
    expect(await code({}, { merchant: newId("merchant") })).toBe("offer_merchant_mismatch");
    expect(await code({}, {}, { keys: [] })).toBe("offer_keyid_unknown");
    expect(await code({}, {}, { keys: [{ ...publicJwkOf(generateJwk("ES256")), kid: "shop-1" }] })).toBe(
      "offer_alg_rejected",
    );
  });

  test("a merchant cannot sign an offer that no buyer would read", async () => {
    await expect(
      signOffer({ ...offer, currency: "usd" }, { privateJwk: shopKey, targetUri }),
    ).rejects.toMatchObject({
      code: "offer_malformed",
    });
  });
});

describe("mandates", () => {
  const base = { offer, merchantNonce, issuer, issuerKeys, now };
  const lists = createStatusLists(issuer, {
    issuerKeys,
    clock: clockAt({ now }),
    fetch: fakeFetch({ "/oauth/status-list/1": () => new Response(statusListAt(now)) }).fetch,
  });
  const code = (options: Parameters<typeof verifyMandate>[0]): Promise<string> =>
    verifyMandate(options).then(
      () => "verified",
      (error: unknown) => (error instanceof MandateVerifyError ? error.code : String(error)),
    );

  test("a presentation for this offer verifies, and its state is looked up where lists are given", async () => {
    const verified = await verifyMandate({ ...base, ...presented(), statusLists: lists });
    expect(verified).toMatchObject({ state: "valid", details: { amount_minor: 10_000, currency: "USD" } });
    expect((await verifyMandate({ ...base, ...presented() })).state).toBe("unchecked");
  });

  test("O05 O06 another offer, nonce, merchant, issuer key or time is refused, each with its code", async () => {
    const sent = presented();
    expect(await code({ ...base, ...sent, offer: { ...offer, amount_minor: 1 } })).toBe(
      "mandate_kb_nonce_mismatch",
    );
    expect(await code({ ...base, ...sent, merchantNonce: "m".repeat(48) })).toBe("mandate_kb_nonce_mismatch");
    const elsewhere = { ...offer, merchant_origin: "https://other.example" };
    expect(await code({ ...base, ...sent, offer: elsewhere })).toBe("mandate_kb_audience_mismatch");
    expect(await code({ ...base, ...sent, issuerKeys: [publicJwkOf(generateJwk("ES256", "as-1"))] })).toBe(
      "mandate_signature_invalid",
    );
    expect(await code({ ...base, ...sent, now: later(61_000) })).toBe("mandate_kb_stale");
    expect(await code({ ...base, ...sent, offer: { ...offer, livemode: true } })).not.toBe("verified");
  });

  test("O08 a mandate that is revoked or suspended in the list is refused", async () => {
    const state = (statusIndex: number) =>
      code({ ...base, ...presented({ statusIndex }), statusLists: lists });
    expect(await state(1)).toBe("mandate_status_revoked");
    expect(await state(2)).toBe("mandate_status_suspended");
    expect(await state(999_999)).toBe("status_list_invalid");
  });
});

describe("status lists", () => {
  const serving = (token: () => string) =>
    fakeFetch({
      "/oauth/status-list/1": () => new Response(token()),
      "/oauth/jwks.json": () => Response.json({ keys: issuerKeys }),
    });
  const code = (token: string, changes: object = {}): Promise<string> =>
    fetchStatusList(issuer, "1", { ...serving(() => token), clock: clockAt({ now }), ...changes }).then(
      () => "verified",
      (error: unknown) => (error instanceof MandateVerifyError ? error.code : String(error)),
    );

  test("the bitmap is decoded, with keys from the issuer", async () => {
    const list = await fetchStatusList(issuer, "1", {
      ...serving(() => statusListAt(now)),
      clock: clockAt({ now }),
    });
    expect(list).toMatchObject({ bits: 2, ttlS: 60 });
    expect(list.bitmap[0]).toBe(0b0010_0100);
  });

  test("V09 O09 a list that is too large, old, foreign or rolled back is refused", async () => {
    expect(await code(statusListAt(now))).toBe("verified");
    expect(await code(statusListAt(now, { bytes: (1 << 20) + 1 }))).toBe("status_list_invalid");
    expect(await code(statusListAt(now, { uri: `${issuer}/oauth/status-list/2` }))).toBe(
      "status_list_invalid",
    );
    expect(await code(statusListAt(instantOf(now - 3_600_000)))).toBe("status_list_stale");
    expect(await code(statusListAt(now), { newestIat: toNumericDate(now) + 1 })).toBe("status_list_stale");
    expect(await code("not a token")).toBe("status_list_invalid");
    expect(await code(statusListAt(now), { issuerKeys: [publicJwkOf(generateJwk("ES256", "as-1"))] })).toBe(
      "status_list_invalid",
    );
  });

  test("O08 O09 a kept list is used for its time to live and never replaced by an older one", async () => {
    const at = { now };
    let issuedAt = now;
    const { fetch, seen } = serving(() => statusListAt(issuedAt));
    const lists = createStatusLists(issuer, { fetch, issuerKeys, clock: clockAt(at) });
    const reference = { uri: `${issuer}/oauth/status-list/1`, idx: 5 };
    expect(await lists.statusOf(reference)).toBe("valid");
    at.now = later(59_999);
    await lists.statusOf(reference);
    expect(seen).toHaveLength(1);
    at.now = later(60_000);
    issuedAt = instantOf(now - 1_000);
    await expect(lists.statusOf(reference)).rejects.toMatchObject({ code: "status_list_stale" });
  });

  test("a mandate cannot send the merchant to a list elsewhere", async () => {
    const { fetch, seen } = serving(() => statusListAt(now));
    const lists = createStatusLists(issuer, { fetch, issuerKeys, clock: clockAt({ now }) });
    for (const uri of [
      "https://evil.example/oauth/status-list/1",
      "http://169.254.169.254/",
      "file:///etc/passwd",
      "",
    ])
      await expect(lists.statusOf({ uri, idx: 1 })).rejects.toMatchObject({ code: "status_list_invalid" });
    expect(seen).toHaveLength(0);
  });
});

describe("receipts", () => {
  const facts = {
    jti: newId("receipt"),
    charge: newId("charge"),
    merchant: { id: offer.merchant, origin },
    offer_digest: sha256b64url("o"),
    mandate_hash: sha256b64url("m"),
    presentation_hash: sha256b64url("p"),
    amount_minor: 1000,
    currency: "USD",
    rail: "card",
    payment_reference: "pi_1",
    held_at: toNumericDate(now),
    captured_at: toNumericDate(now),
    livemode: false,
    log: `${issuer}/logs/receipts`,
  };
  const receipt = sign(makeReceipt({ facts, issuer, now, sha256 }), issuerKey);
  const published = (of: string) => ({
    issuer: of,
    keys: [{ ...publicJwkOf(issuerKey), purpose: "receipt", not_before: toRfc3339(later(-1000)) }],
  });

  test("they verify with the issuer's keys and fail once changed", async () => {
    const { fetch } = fakeFetch({ "/.well-known/remit-keys": () => Response.json(published(issuer)) });
    const keys = await fetchIssuerKeys(issuer, fetch);
    expect(await verifyReceipt(receipt, keys)).toMatchObject(facts);
    await expect(verifyReceipt(`${receipt.slice(0, -4)}AAAA`, keys)).rejects.toMatchObject({
      code: "receipt_invalid",
    });
  });

  test("keys that are another issuer's are refused", async () => {
    const { fetch } = fakeFetch({
      "/.well-known/remit-keys": () => Response.json(published("https://evil.example")),
    });
    await expect(fetchIssuerKeys(issuer, fetch)).rejects.toMatchObject({ code: "receipt_invalid" });
  });
});
