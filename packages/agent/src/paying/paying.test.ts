import { instantOf, newId, toRfc3339 } from "@remit/kernel";
import { encodeHeader, publicJwkOf } from "@remit/protocol";
import { generateJwk, sha256b64url, signOffer, thumbprint } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import {
  issuer,
  keys,
  makeWorld,
  offerAt,
  paymentIn,
  settledHeaders,
  shop,
  terms,
  unpaid,
  type World,
  withMandate,
} from "../../test/world.ts";

const url = `${shop}/report`;
const selling = (world: World, headers: (world: World) => Record<string, string>): void =>
  void world.handlers.set(url, (_, init) =>
    new Headers(init.headers).has("payment-signature")
      ? new Response("sold", { status: 500 })
      : unpaid(headers(world)),
  );
/** The principal is asked about it. */
const asked = (): Response =>
  Response.json(
    { code: "approval_required", charge_id: "chg_1", approve_by: "2030-05-04T03:02:01Z" },
    { status: 402, headers: { "retry-after": "2" } },
  );

/** Buys and says how it ended; the shop must not have seen a payment when it was refused. */
async function refusal(world: World, options = {}): Promise<string> {
  const agent = await withMandate(world, options);
  try {
    const { response } = await agent.fetch(url);
    return `answered ${response.status}`;
  } catch (error) {
    expect(world.count("pay")).toBe(0);
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("a fetch that pays", () => {
  test("what is free costs nothing and is asked for once", async () => {
    const world = makeWorld();
    const { response, charge } = await (await withMandate(world)).fetch(`${shop}/free`);
    expect(await response.text()).toBe("free");
    expect(charge).toBeUndefined();
    expect(world.count("ask")).toBe(1);
    expect(world.count("pay")).toBe(0);
  });

  test("a 402 is paid once, by a presentation bound to offer, merchant and nonce", async () => {
    const world = makeWorld();
    const paid = await (await withMandate(world)).fetch(url);
    expect(await paid.response.text()).toBe("the report");
    expect(paid).toMatchObject({ charge: world.charges[0], receipt: "r.r.r", offer: world.offer });
    expect(world.charges).toHaveLength(1);
    expect(world.count("pay")).toBe(1);
  });

  test("MPP is spoken where x402 is not, and leaves the caller's own token alone", async () => {
    const world = makeWorld();
    let by: string | undefined;
    world.handlers.set(url, (_, init) => {
      const headers = new Headers(init.headers);
      if (!headers.has("payment-authorization"))
        return unpaid({
          "WWW-Authenticate": `DPoP algs="ES256", ${terms(world).challenge("Payment-Authorization")}`,
        });
      expect(headers.get("authorization")).toBe("Bearer mine");
      by = paymentIn(world, init)?.agentThumbprint;
      return new Response("sold", { headers: settledHeaders("chg_1", "mpp") });
    });
    const paid = await (await withMandate(world)).fetch(url, { headers: { authorization: "Bearer mine" } });
    expect(paid).toMatchObject({ charge: "chg_1", receipt: "r.r.r" });
    expect(by).toBe(thumbprint(keys.dpop));
  });

  test("a challenge that would replace the caller's token is no way to pay", async () => {
    const world = makeWorld();
    world.handlers.set(url, () => unpaid({ "WWW-Authenticate": terms(world).challenge() }));
    const agent = await withMandate(world);
    const { response } = await agent.fetch(url, { headers: { authorization: "Bearer mine" } });
    expect(response.status).toBe(402);
    expect(world.count("pay")).toBe(0);
  });

  test("a POST is paid with the same bytes that were priced", async () => {
    const world = makeWorld();
    const text = "a=1&b=%C3%A9";
    world.offer = offerAt(world.at.now, {
      resource: { method: "POST", url, body_digest: sha256b64url(text) },
    });
    const bodies: string[] = [];
    world.handlers.set(url, async (_, init) => {
      bodies.push(await new Response(init.body).text());
      expect(new Headers(init.headers).get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
      return paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(world).required })
        : new Response("sold", { headers: settledHeaders("chg_1", "x402") });
    });
    const agent = await withMandate(world);
    const body = new URLSearchParams({ a: "1", b: "é" });
    expect((await agent.fetch(url, { method: "post", body })).charge).toBe("chg_1");
    expect(bodies).toEqual([text, text]);
    await expect(
      agent.fetch(url, { method: "POST", body: new URLSearchParams({ a: "2" }) }),
    ).rejects.toMatchObject({
      code: "offer_resource_mismatch",
    });
  });

  test("an answer that is lost is asked for again with the same credential", async () => {
    const world = makeWorld();
    const sent: (string | null)[] = [];
    world.handlers.set(url, (_, init) => {
      const credential = new Headers(init.headers).get("payment-signature");
      if (credential === null) return unpaid({ "PAYMENT-REQUIRED": terms(world).required });
      sent.push(credential);
      if (sent.length === 1) throw new TypeError("the connection was reset");
      return new Response("sold", { headers: settledHeaders("chg_1", "x402") });
    });
    const paid = await (await withMandate(world)).fetch(url);
    expect(paid.charge).toBe("chg_1");
    expect(sent[0]).toBe(sent[1]);
  });

  test.each([
    ["409 while it is open", 409, "1", true],
    ["503 while it is open", 503, "2", true],
    ["503 of a server that is busy", 503, "1", false],
  ])("a payment answered %s is sent again after the time asked for", async (_, status, afterS, isOpen) => {
    const world = makeWorld();
    const sent = new Set<string | null>();
    let sends = 0;
    world.handlers.set(url, (_, init) => {
      if (paymentIn(world, init) === undefined) return unpaid({ "PAYMENT-REQUIRED": terms(world).required });
      sent.add(new Headers(init.headers).get("payment-signature"));
      return ++sends < 3
        ? Response.json(isOpen ? { code: "charge_in_progress" } : {}, {
            status,
            headers: { "retry-after": afterS },
          })
        : new Response("sold", { headers: settledHeaders("chg_1", "x402") });
    });
    const waits: number[] = [];
    const agent = await withMandate(world, { pause: async (ms) => void waits.push(ms) });
    expect((await agent.fetch(url)).charge).toBe("chg_1");
    expect(sent.size).toBe(1);
    expect(waits).toEqual([Number(afterS) * 1000, Number(afterS) * 1000]);
  });

  test("a purchase whose principal is asked goes on with its own credential, and gives its amount back only for a no", async () => {
    const world = makeWorld();
    const sent = new Set<string | null>();
    const answers = [asked, asked, () => new Response("sold", { headers: settledHeaders("chg_1", "x402") })];
    world.handlers.set(url, (_, init) => {
      if (paymentIn(world, init) === undefined) return unpaid({ "PAYMENT-REQUIRED": terms(world).required });
      sent.add(new Headers(init.headers).get("payment-signature"));
      return answers.shift()?.() ?? Response.json({ code: "approval_denied" }, { status: 402 });
    });
    const agent = await withMandate(world, { limits: { totalMinor: { USD: 1_999 } } });
    const first = await agent.fetch(url, { reason: "For chapter 3" });
    expect(first).toMatchObject({
      response: { status: 402 },
      pending: { charge: "chg_1", retryAfterMs: 2_000 },
    });
    const [signed = ""] = sent;
    expect(signed).not.toBe("");
    // Its amount is set aside meanwhile.
    await expect(agent.fetch(url)).rejects.toMatchObject({ code: "spend_limit_exceeded" });
    expect((await first.pending?.again())?.pending).toBeDefined();
    const paid = await first.pending?.again();
    expect(paid).toMatchObject({ charge: "chg_1" });
    expect(paid?.pending).toBeUndefined();
    expect(sent.size).toBe(1);
  });

  test("a no of the principal gives the amount back", async () => {
    const world = makeWorld();
    const answers = [asked];
    world.handlers.set(url, (_, init) =>
      paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(world).required })
        : (answers.shift()?.() ?? Response.json({ code: "approval_denied" }, { status: 402 })),
    );
    const agent = await withMandate(world, { limits: { totalMinor: { USD: 1_000 } } });
    const { pending } = await agent.fetch(url);
    expect((await pending?.again())?.response.status).toBe(402);
    answers.push(asked);
    expect((await agent.fetch(url)).pending).toBeDefined();
  });

  test("a purchase whose outcome is not known when patience ends goes on with its own credential, and keeps its amount", async () => {
    const world = makeWorld();
    const sent = new Set<string | null>();
    let isOver = false;
    world.handlers.set(url, (_, init) => {
      if (paymentIn(world, init) === undefined) return unpaid({ "PAYMENT-REQUIRED": terms(world).required });
      sent.add(new Headers(init.headers).get("payment-signature"));
      return isOver
        ? new Response("sold", { headers: settledHeaders("chg_1", "x402") })
        : Response.json({ code: "charge_in_progress" }, { status: 409, headers: { "retry-after": "2" } });
    });
    const limits = { totalMinor: { USD: 1_999 } };
    const agent = await withMandate(world, { limits, pause: async () => {} });
    const first = await agent.fetch(url);
    expect(first).toMatchObject({ response: { status: 409 }, open: { retryAfterMs: 2_000 } });
    expect(first.charge).toBeUndefined();
    await expect(agent.fetch(url)).rejects.toMatchObject({ code: "spend_limit_exceeded" });
    isOver = true;
    const paid = await first.open?.again();
    expect(paid).toMatchObject({ charge: "chg_1" });
    expect(paid?.open).toBeUndefined();
    expect(sent.size).toBe(1);
  });

  test("patience ends: no more than four sends and five seconds, and never for a final answer", async () => {
    const answers = async (
      status: number,
      headers: Record<string, string>,
      code: string,
    ): Promise<number> => {
      const world = makeWorld();
      world.handlers.set(url, (_, init) =>
        paymentIn(world, init) === undefined
          ? unpaid({ "PAYMENT-REQUIRED": terms(world).required })
          : Response.json({ code }, { status, headers }),
      );
      const agent = await withMandate(world, { pause: async () => {} });
      expect((await agent.fetch(url)).response.status).toBe(status);
      return world.count("pay");
    };
    expect(await answers(409, { "retry-after": "1" }, "charge_in_progress")).toBe(4);
    expect(await answers(503, { "retry-after": "3" }, "charge_in_progress")).toBe(2);
    expect(await answers(503, { "retry-after": "60" }, "charge_in_progress")).toBe(1);
    expect(await answers(409, { "retry-after": "1" }, "presentation_used")).toBe(1);
    expect(await answers(503, {}, "internal_error")).toBe(1);
    expect(await answers(502, { "retry-after": "1" }, "upstream_failed")).toBe(1);
  });

  test("entries that cannot be read do not spoil the one that can", async () => {
    const world = makeWorld();
    const { required } = terms(world);
    const decoded = JSON.parse(Buffer.from(required, "base64").toString());
    const [entry] = decoded.accepts;
    const accepts = [{ ...entry, amount: "1" }, { scheme: "exact" }, { ...entry, extra: {} }, entry];
    const mixed = encodeHeader({ ...decoded, accepts });
    world.handlers.set(url, (_, init) =>
      paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": mixed })
        : new Response("sold", { headers: settledHeaders("chg_1", "x402") }),
    );
    expect((await (await withMandate(world)).fetch(url)).charge).toBe("chg_1");
  });

  test("a paid answer whose payment header is broken still delivers the goods", async () => {
    const world = makeWorld();
    world.handlers.set(url, (_, init) =>
      paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(world).required })
        : new Response("sold", { headers: { "PAYMENT-RESPONSE": "%%%" } }),
    );
    const paid = await (await withMandate(world)).fetch(url);
    expect(await paid.response.text()).toBe("sold");
    expect(paid.receipt).toBeUndefined();
  });

  test("no redirect is followed, with or without a credential", async () => {
    const world = makeWorld();
    await (await withMandate(world)).fetch(url, { redirect: "follow" });
    // The fake fetch sees what a real one would be told.
    const inits: RequestInit[] = [];
    const other = makeWorld();
    const agent = await withMandate(other);
    other.handlers.set(url, (_, init) => {
      inits.push(init);
      return paymentIn(other, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(other).required })
        : new Response(null, { status: 302, headers: { location: "https://evil.example/" } });
    });
    const { response } = await agent.fetch(url, { redirect: "follow" });
    expect(response.status).toBe(302);
    expect(inits.map(({ redirect }) => redirect)).toEqual(["manual", "manual"]);
  });
});

describe("what is never paid", () => {
  test("a 402 without a mandate scheme, or of another issuer, comes back as it is", async () => {
    const none = makeWorld();
    selling(none, () => ({}));
    expect(await refusal(none)).toBe("answered 402");
    const broken = makeWorld();
    selling(broken, () => ({ "PAYMENT-REQUIRED": "%%%", "WWW-Authenticate": "Payment" }));
    expect(await refusal(broken)).toBe("answered 402");
    const foreign = makeWorld();
    selling(foreign, (world) => ({ "PAYMENT-REQUIRED": terms(world).required }));
    const agent = foreign.agent({ issuer: "https://other.example" });
    expect((await agent.fetch(url)).response.status).toBe(402);
  });

  test("an offer of another origin (a 402 passed on by somebody in between)", async () => {
    const world = makeWorld();
    world.offer = offerAt(world.at.now, {
      merchant_origin: "https://other.example",
      resource: { method: "GET", url: "https://other.example/report" },
    });
    selling(world, (shop) => ({ "PAYMENT-REQUIRED": terms(shop).required }));
    expect(await refusal(world)).toBe("offer_merchant_mismatch");
  });

  test.each([
    ["another path", { method: "GET", url: `${shop}/other` }],
    ["another query", { method: "GET", url: `${shop}/report?full=1` }],
    ["another method", { method: "POST", url }],
    ["a body that was not sent", { method: "GET", url, body_digest: "A".repeat(43) }],
  ])("O12 an offer for %s", async (_, resource) => {
    const world = makeWorld();
    world.offer = offerAt(world.at.now, { resource });
    selling(world, (shop) => ({ "PAYMENT-REQUIRED": terms(shop).required }));
    expect(await refusal(world)).toBe("offer_resource_mismatch");
  });

  test("O02 an offer that the merchant's published key did not sign", async () => {
    const forged = makeWorld();
    const thief = generateJwk("EdDSA", "shop-1");
    selling(forged, (world) => ({
      "PAYMENT-REQUIRED": terms(world, signOffer(thief, world.offer)).required,
    }));
    expect(await refusal(forged)).toBe("offer_signature_invalid");
    const unpublished = makeWorld();
    unpublished.handlers.set(`${shop}/.well-known/jwks.json`, () => new Response("no", { status: 404 }));
    expect(await refusal(unpublished)).toBe("offer_keyid_unknown");
  });

  test("O04 an offer that has expired", async () => {
    const world = makeWorld();
    world.offer = offerAt(world.at.now, { expires_at: toRfc3339(world.at.now) });
    selling(world, (shop) => ({ "PAYMENT-REQUIRED": terms(shop).required }));
    expect(await refusal(world)).toBe("offer_signature_expired");
  });

  test("a price above the mandate's own limit, or in another currency (V03)", async () => {
    const dear = makeWorld();
    dear.offer = offerAt(dear.at.now, { amount_minor: 2001 });
    selling(dear, (world) => ({ "PAYMENT-REQUIRED": terms(world).required }));
    expect(await refusal(dear)).toBe("charge_offer_amount_exceeds_mandate");
    const yen = makeWorld();
    yen.offer = offerAt(yen.at.now, { currency: "JPY" });
    selling(yen, (world) => ({ "PAYMENT-REQUIRED": terms(world).required }));
    expect(await refusal(yen)).toBe("mandate_asset_not_accepted");
  });

  test("anything at all without a mandate in force", async () => {
    const world = makeWorld();
    await expect(world.agent().fetch(url)).rejects.toMatchObject({ code: "mandate_not_admitted" });
    const agent = await withMandate(world);
    world.at.now = instantOf(world.at.now + 86_400_000);
    world.offer = offerAt(world.at.now);
    await expect(agent.fetch(url)).rejects.toMatchObject({ code: "mandate_not_admitted" });
  });
});

describe("the agent's own limits", () => {
  const buyTwice = async (limits: object): Promise<(string | undefined)[]> => {
    const world = makeWorld();
    const agent = await withMandate(world, { limits });
    const ends: (string | undefined)[] = [];
    for (let i = 0; i < 2; i++)
      ends.push(
        await agent.fetch(url).then(
          ({ charge }) => charge?.slice(0, 3),
          (error: { code?: string }) => error.code,
        ),
      );
    return ends;
  };

  test("hold per payment, in total and by merchant", async () => {
    expect(await buyTwice({ perPaymentMinor: { USD: 999 } })).toEqual([
      "spend_limit_exceeded",
      "spend_limit_exceeded",
    ]);
    expect(await buyTwice({ totalMinor: { USD: 1999 } })).toEqual(["chg", "spend_limit_exceeded"]);
    expect(await buyTwice({ totalMinor: { USD: 2000 } })).toEqual(["chg", "chg"]);
    expect(await buyTwice({ merchants: ["https://other.example"] })).toEqual([
      "spend_limit_exceeded",
      "spend_limit_exceeded",
    ]);
  });

  test("hold when purchases race", async () => {
    const world = makeWorld();
    const agent = await withMandate(world, { limits: { totalMinor: { USD: 3000 } } });
    const ends = await Promise.allSettled(Array.from({ length: 10 }, () => agent.fetch(url)));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(world.charges).toHaveLength(3);
  });

  test.each([
    ["refused", 402, true],
    ["refused", 403, true],
    ["unknown", 409, false],
    ["unknown", 502, false],
  ])("an amount whose payment is %s (%i) is given back: %s", async (_, status, givenBack) => {
    const world = makeWorld();
    let answers = status;
    world.handlers.set(url, (_, init) =>
      paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(world).required })
        : new Response("", {
            status: answers,
            headers: answers === 200 ? settledHeaders(newId("charge"), "x402") : {},
          }),
    );
    const agent = await withMandate(world, { limits: { totalMinor: { USD: 1000 } } });
    expect((await agent.fetch(url)).response.status).toBe(status);
    answers = 200;
    const again = await agent.fetch(url).then(
      () => true,
      () => false,
    );
    expect(again).toBe(givenBack);
  });
});

describe("merchants' keys", () => {
  test("are kept, and asked for again when an unknown one signs, but not again and again", async () => {
    const world = makeWorld();
    const agent = await withMandate(world);
    await agent.fetch(url);
    await agent.fetch(url);
    expect(world.count("merchant keys")).toBe(1);
    const next = generateJwk("EdDSA", "shop-2");
    world.handlers.set(`${shop}/.well-known/jwks.json`, () => Response.json({ keys: [publicJwkOf(next)] }));
    world.handlers.set(url, (_, init) =>
      paymentIn(world, init) === undefined
        ? unpaid({ "PAYMENT-REQUIRED": terms(world, signOffer(next, world.offer)).required })
        : new Response("sold", { headers: settledHeaders("chg_1", "x402") }),
    );
    await expect(agent.fetch(url)).rejects.toMatchObject({ code: "offer_keyid_unknown" });
    expect(world.count("merchant keys")).toBe(1);
    world.at.now = instantOf(world.at.now + 31_000);
    expect((await agent.fetch(url)).charge).toBe("chg_1");
    expect(world.count("merchant keys")).toBe(2);
  });

  test("K08 a clock that is set back lets no key be kept the longer for it", async () => {
    const world = makeWorld();
    const agent = await withMandate(world);
    await agent.fetch(url);
    world.at.now = instantOf(world.at.now - 30_000);
    await agent.fetch(url);
    expect(world.count("merchant keys")).toBe(1);
    world.at.ranMs += 301_000;
    await agent.fetch(url);
    expect(world.count("merchant keys")).toBe(2);
  });

  test("no issuer is asked while somebody else's 402 is looked at", async () => {
    const world = makeWorld();
    const agent = world.agent({ issuer: "https://other.example" });
    await agent.fetch(url);
    expect(world.seen.map(({ request }) => new URL(request.url).origin)).toEqual([shop]);
    expect(issuer).not.toBe("https://other.example");
  });
});
