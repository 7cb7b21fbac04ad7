import { connect } from "node:net";
import { minuteMs } from "@remit/kernel";
import {
  base64,
  encodeHeader,
  mandatePayload,
  offerExpiresAt,
  parseChallenges,
  parsePaymentRequired,
  peekOffer,
  publicJwkOf,
} from "@remit/protocol";
import { generateJwk, signOffer, verifyCatalogue, verifyOffer } from "@remit/protocol/node";
import { checkCatalogue, eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tables } from "../src/index.ts";
import {
  type Answer,
  clientId,
  createAgent,
  entryOf,
  merchantId,
  offerOf,
  origin,
  signature,
  startWorld,
  type World,
} from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.calls.length = 0;
  world.upstream.requests.length = 0;
});

const codeOf = ({ body }: Answer): string => JSON.parse(body.toString()).code;
const url = `${origin}/demo/report`;

/** Whatever was refused has cost nothing: no claim, no call, no delivery. */
async function nothingHappened(): Promise<void> {
  expect(await world.claims()).toEqual([]);
  expect(world.issuer.calls).toEqual([]);
  expect(world.upstream.requests).toEqual([]);
}

describe("a 402", () => {
  test("says the same to x402 v2, MPP and x402 v1, and is bound to its request", async () => {
    const answer = await world.ask("/demo/report?q=1");
    expect(answer.headers).toMatchObject({
      "cache-control": "no-store",
      "content-type": "application/problem+json",
    });
    const required = parsePaymentRequired(String(answer.headers["payment-required"]));
    const entry = entryOf(answer);
    expect(entry).toMatchObject({
      scheme: "mandate",
      asset: "iso4217:USD",
      amount: "1000",
      payTo: merchantId,
      resource: `${url}?q=1`,
    });
    expect(required.resource.url).toBe(`${url}?q=1`);
    const offer = verifyOffer(offerOf(entry), {
      keys: [publicJwkOf(world.offerKey)],
      now: world.clock.now(),
      origin,
      merchant: merchantId,
      resource: { method: "GET", url: `${url}?q=1` },
    });
    expect(offer.livemode).toBe(false);
    const [challenge] = parseChallenges([String(answer.headers["www-authenticate"])]);
    expect(challenge).toMatchObject({ method: "oid4ac", intent: "charge", realm: "shop.test" });
    const body = JSON.parse(answer.body.toString());
    expect(body).toMatchObject({ status: 402, code: "payment_required", x402Version: 1, accepts: [] });
    await nothingHappened();
  });

  test("is a page for a browser, with the merchant's words escaped", async () => {
    const answer = await world.ask("/demo/report", {
      headers: { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" },
    });
    expect([answer.status, answer.headers["content-type"]]).toEqual([402, "text/html; charset=utf-8"]);
    expect(answer.headers).toHaveProperty("payment-required");
    expect(answer.body.toString()).toContain("The &lt;b&gt;report&lt;/b&gt;");
    expect(answer.body.toString()).toContain("<li>Mandate: 10.00 USD");
  });

  test("O12 C03 shows an offer for a second to all who ask for the same, and to each a nonce and a challenge of its own", async () => {
    const asked = async (path = "/demo/report") => {
      const answer = await world.ask(path);
      const entry = entryOf(answer);
      const [challenge] = parseChallenges([String(answer.headers["www-authenticate"])]);
      const own = [entry.extra["merchant_nonce"], challenge?.id, challenge?.opaque];
      return { offer: peekOffer(offerOf(entry)), own };
    };
    const [first, second, elsewhere] = [await asked(), await asked(), await asked("/demo/report?q=2")];
    expect(second.offer).toEqual(first.offer);
    expect(elsewhere.offer).toMatchObject({ resource: { url: `${url}?q=2` } });
    expect(new Set([...first.own, ...second.own, ...elsewhere.own]).size).toBe(9);
    world.clock.advance(1_000);
    const later = await asked();
    expect(later.offer.id).not.toBe(first.offer.id);
    expect(offerExpiresAt(later.offer) - offerExpiresAt(first.offer)).toBe(1_000);
  });
});

describe("V05 a credential that is not one clear credential", () => {
  test.each<[string, Record<string, string | string[]>]>([
    ["twice in one header", { "X-PAYMENT": ["e30=", "e30="] }],
    ["in two headers", { "X-PAYMENT": "e30=", "PAYMENT-SIGNATURE": "e30=" }],
    ["of two protocols", { "PAYMENT-SIGNATURE": "e30=", Authorization: "Payment e30" }],
    ["bad base64", { "X-PAYMENT": "!!!!" }],
    ["base64url where base64 is meant", { "PAYMENT-SIGNATURE": "eyJ4Ijoi_-8ifQ" }],
    ["base64 without padding", { "PAYMENT-SIGNATURE": "e30" }],
    ["64 kB", { "X-PAYMENT": "A".repeat(65_536) }],
    ["no JSON", { "PAYMENT-SIGNATURE": base64.encode("{") }],
    [
      "JSON that names a member twice",
      { "PAYMENT-SIGNATURE": base64.encode('{"x402Version":2,"x402Version":2}') },
    ],
    ["deep JSON", { "X-PAYMENT": base64.encode("[".repeat(10_000) + "]".repeat(10_000)) }],
  ])("V05 %s is 400", async (_, headers) => {
    const answer = await world.ask("/demo/report", { headers });
    expect(answer.status).toBe(400);
    expect(["credential_malformed", "credential_ambiguous"]).toContain(codeOf(answer));
    await nothingHappened();
  });

  test.each<[string, Record<string, string>]>([
    ["an empty challenge answer", { Authorization: "Payment" }],
    ["two answers in one header", { Authorization: "Payment e30, Payment e30" }],
    ["an answer that is no JSON", { "Payment-Authorization": "Payment e30x" }],
  ])("V05 %s is a failed payment with a fresh challenge, as MPP has it", async (_, headers) => {
    const answer = await world.ask("/demo/report", { headers });
    expect([answer.status, codeOf(answer)]).toEqual([402, "credential_malformed"]);
    expect(answer.headers).toHaveProperty("www-authenticate");
    expect(JSON.parse(answer.body.toString()).type).toBe(
      "https://paymentauth.org/problems/malformed-credential",
    );
    await nothingHappened();
  });

  test("V05 a folded header is not paid", async () => {
    const { port, hostname } = new URL(world.address);
    const text = await new Promise<string>((resolve) => {
      let got = "";
      const socket = connect(Number(port), hostname, () => {
        socket.end(
          "GET /demo/report HTTP/1.1\r\nHost: shop.test\r\nX-PAYMENT: e30\r\n =\r\nConnection: close\r\n\r\n",
        );
      });
      socket.on("data", (chunk) => {
        got += chunk.toString();
      });
      socket.on("close", () => resolve(got));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    await nothingHappened();
  });

  test("another scheme gets a 402 that says what is sold", async () => {
    const accepted = { ...entryOf(await world.ask("/demo/report")), scheme: "deferred" };
    const headers = { "PAYMENT-SIGNATURE": encodeHeader({ x402Version: 2, accepted, payload: {} }) };
    const answer = await world.ask("/demo/report", { headers });
    expect([answer.status, codeOf(answer)]).toEqual([402, "no_acceptable_payment"]);
    expect(answer.headers).toHaveProperty("payment-required");
    const card = await world.ask("/demo/report", {
      headers: { "X-PAYMENT": base64.encode('{"spt":"spt_1"}') },
    });
    expect([card.status, codeOf(card)]).toEqual([402, "no_acceptable_payment"]);
  });
});

describe("a payment for something else", () => {
  test("O12 a credential for a sibling at the same price is refused", async () => {
    const headers = createAgent(world).pay(await world.ask("/demo/other"));
    const answer = await world.ask("/demo/report", { headers });
    expect([answer.status, codeOf(answer)]).toEqual([402, "offer_resource_mismatch"]);
    await nothingHappened();
  });

  test("O12 nor is one for another query, or an answer to another route's challenge", async () => {
    const agent = createAgent(world);
    const query = await world.ask("/demo/report?b", {
      headers: agent.pay(await world.ask("/demo/report?a")),
    });
    expect([query.status, codeOf(query)]).toEqual([402, "offer_resource_mismatch"]);
    const { headers } = agent.payChallenge(await world.ask("/demo/other"));
    const challenge = await world.ask("/demo/report", { headers });
    expect([challenge.status, codeOf(challenge)]).toEqual([402, "challenge_invalid"]);
    await nothingHappened();
  });

  test("O12 a nonce of another route does not do", async () => {
    const [mine, theirs] = [
      entryOf(await world.ask("/demo/report")),
      entryOf(await world.ask("/demo/other")),
    ];
    const mixed = { ...mine, extra: { ...mine.extra, merchant_nonce: theirs.extra["merchant_nonce"] ?? "" } };
    const answer = await world.ask("/demo/report", {
      headers: signature(mixed, createAgent(world).present(mixed), url),
    });
    expect([answer.status, codeOf(answer)]).toEqual([402, "merchant_nonce_invalid"]);
    await nothingHappened();
  });

  test("O02 O03 an offer that is not ours is refused, whatever it says", async () => {
    const entry = entryOf(await world.ask("/demo/report"));
    const offer = peekOffer(offerOf(entry));
    const { kid } = world.offerKey;
    const forged = [
      signOffer({ ...generateJwk("ES256"), ...(kid !== undefined && { kid }) }, offer),
      signOffer(generateJwk("ES256"), offer),
      signOffer(world.offerKey, { ...offer, livemode: true }),
    ];
    for (const jws of forged) {
      const bent = { ...entry, extra: { ...entry.extra, offer: jws } };
      const answer = await world.ask("/demo/report", {
        headers: signature(bent, createAgent(world).present(bent), url),
      });
      expect(answer.status).toBe(402);
      expect(["offer_signature_invalid", "offer_keyid_unknown", "livemode_mismatch"]).toContain(
        codeOf(answer),
      );
    }
    const cheaper = { ...entry, amount: "1" };
    const echo = {
      "PAYMENT-SIGNATURE": encodeHeader({
        x402Version: 2,
        accepted: cheaper,
        payload: mandatePayload(createAgent(world).present(entry)),
      }),
    };
    expect((await world.ask("/demo/report", { headers: echo })).status).toBe(400);
    await nothingHappened();
  });

  test("O05 a presentation for another merchant, or by another key, is refused", async () => {
    const entry = entryOf(await world.ask("/demo/report"));
    const agent = createAgent(world);
    const elsewhere = await world.ask("/demo/report", {
      headers: signature(entry, agent.present(entry, { audience: "https://other.test" }), url),
    });
    expect([elsewhere.status, codeOf(elsewhere)]).toEqual([402, "mandate_kb_audience_mismatch"]);
    const stolen = await world.ask("/demo/report", {
      headers: signature(entry, agent.present(entry, { key: generateJwk("ES256") }), url),
    });
    expect([stolen.status, codeOf(stolen)]).toEqual([402, "mandate_kb_signature_invalid"]);
    const { presentation } = agent.present(entry);
    const { accessToken } = createAgent(world).present(entry);
    const mixed = await world.ask("/demo/report", {
      headers: signature(entry, { presentation, accessToken }, url),
    });
    expect([mixed.status, codeOf(mixed)]).toEqual([402, "mandate_kb_token_mismatch"]);
    await nothingHappened();
  });

  test("O04 terms that have expired are refused with new ones", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    world.clock.advance(5 * minuteMs);
    const answer = await world.ask("/demo/report", { headers });
    expect(answer.status).toBe(402);
    expect((await world.ask("/demo/report", { headers: agent.pay(answer) })).status).toBe(200);
  });

  test("O01 a price that has changed asks for a new yes", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    await world.writeOffers({ amountMinor: 2000 });
    await world.gateway.reload();
    const answer = await world.ask("/demo/report", { headers });
    expect([answer.status, codeOf(answer)]).toEqual([402, "offer_changed"]);
    expect(entryOf(answer).amount).toBe("2000");
    await nothingHappened();
    await world.writeOffers();
    await world.gateway.reload();
  });
});

describe("what is reached", () => {
  test.each([
    "/demo/%72eport",
    "/%2e%2e/demo/report",
    "/demo//report",
    "/demo/report;x=1",
    "/demo/%252e/report",
    "/demo/./report",
    "/x/../demo/report",
  ])("V12 %s is no free way to what is paid", async (target) => {
    const answer = await world.ask(target);
    expect([400, 404]).toContain(answer.status);
    await nothingHappened();
  });

  test("V12 what no route sells is refused, also under a paid prefix", async () => {
    for (const target of [
      "/demo/report/",
      "/demo/report/extra",
      "/Demo/Report",
      "/demo",
      "/files",
      "/files/",
      "/",
    ])
      expect([target, (await world.ask(target)).status]).toEqual([target, 404]);
    const method = await world.ask("/demo/report", { method: "POST", body: "x" });
    expect([method.status, method.headers["allow"]]).toEqual([405, "GET"]);
    expect((await world.ask("/files/a/b")).status).toBe(402);
    await nothingHappened();
  });

  test("V12 the upstream sees the path that was matched", async () => {
    const agent = createAgent(world);
    const target = "/files/caf%C3%A9/a?b=%20c";
    const paid = await world.ask(target, { headers: agent.pay(await world.ask(target)) });
    expect(paid.status).toBe(200);
    expect(world.upstream.requests[0]?.url).toBe(target);
  });

  test("a host nobody sells at is 421, and the health of the gateway is at every host", async () => {
    expect((await world.ask("/demo/report", { headers: { host: "evil.test" } })).status).toBe(421);
    expect((await world.ask("/livez", { headers: { host: "evil.test" } })).status).toBe(200);
    expect((await world.ask("/readyz")).status).toBe(200);
  });

  test("V04 a body above the limit is refused before it is read", async () => {
    const answer = await world.ask("/demo/query", { method: "POST", body: "x".repeat(1024 * 1024 + 1) });
    expect(answer.status).toBe(413);
    await nothingHappened();
  });
});

describe("the merchant's own documents", () => {
  test("its keys are public halves", async () => {
    const answer = await world.ask("/.well-known/jwks.json");
    expect(JSON.parse(answer.body.toString())).toEqual({
      keys: [{ ...publicJwkOf(world.offerKey), alg: "ES256", use: "sig" }],
    });
  });

  test("G06 the origin names its own merchant and client, and no other host does", async () => {
    const answer = await world.ask("/.well-known/oid4ac-merchant");
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json"]);
    expect(JSON.parse(answer.body.toString())).toEqual({
      merchants: [{ id: merchantId, client_id: clientId }],
    });
    const elsewhere = await world.ask("/.well-known/oid4ac-merchant", { headers: { host: "evil.test" } });
    expect(elsewhere.status).toBe(421);
  });

  test("its catalogue verifies with them", async () => {
    const answer = await world.ask("/.well-known/oid4ac-catalog");
    const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
    const targetUri = `${origin}/.well-known/oid4ac-catalog`;
    const catalogue = verifyCatalogue(
      { request: { method: "GET", targetUri }, status: 200, headers, body: answer.body },
      { keys: [publicJwkOf(world.offerKey)], now: world.clock.now(), origin, merchant: merchantId },
    );
    expect(catalogue.offers.map(({ id }) => id)).toEqual(["report", "sibling", "query", "files"]);
    expect(catalogue.offers[0]?.resource).toEqual({ method: "GET", url });
    expect(answer.headers).toHaveProperty("etag");
  });
});

describe("the offers file", () => {
  const added = {
    id: "added",
    merchant: merchantId,
    method: "GET",
    path: "/new",
    amount_minor: 1,
    currency: "JPY",
    name: "New",
    sku: "n",
  };

  test("is live without a restart, and a wrong one changes nothing", async () => {
    expect((await world.ask("/new")).status).toBe(404);
    await world.writeOffers({ more: [{ ...added, upstream: world.upstream.origin }] });
    await eventually(async () => expect((await world.ask("/new")).status).toBe(402));
    await world.writeOffers({ more: [{ ...added, upstream: "ftp://nowhere" }] });
    await expect(world.gateway.reload()).rejects.toThrow(/upstream/);
    expect((await world.ask("/new")).status).toBe(402);
    await world.writeOffers();
    await world.gateway.reload();
    expect((await world.ask("/new")).status).toBe(404);
  });

  test("T03 the tables are what the service says they are", async () => {
    expect(await checkCatalogue(world.database, tables)).toEqual([]);
  });
});
