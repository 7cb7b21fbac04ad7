import { dayMs, minuteMs } from "@remit/kernel";
import {
  base64,
  mandateTermsOf,
  parseReceipt,
  parseSettleResponse,
  peekOffer,
  receiptOfSettled,
} from "@remit/protocol";
import { sha256, sha256b64url } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAgent, entryOf, startWorld, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.issuer.charges.clear();
  world.issuer.calls.length = 0;
  world.issuer.trouble = () => undefined;
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("the report");
});

const codeOf = ({ body }: { body: Buffer }): string => JSON.parse(body.toString()).code;
const statuses = (): string[] => [...world.issuer.charges.values()].map(({ status }) => status);
const countOf = (op: string): number => world.issuer.calls.filter((call) => call.op === op).length;

describe("a purchase", () => {
  test("below what a card can be charged is offered on a tab, and any other is not", async () => {
    const offered = async () =>
      peekOffer(mandateTermsOf(sha256, entryOf(await world.ask("/demo/report"))).offer);
    expect(await offered()).not.toHaveProperty("tab");
    await world.writeOffers({ amountMinor: 5 });
    await eventually(async () =>
      expect(await offered()).toMatchObject({ amount_minor: 5, tab: true, tab_minor: 500 }),
    );
    await world.writeOffers();
    await eventually(async () => expect(await offered()).toMatchObject({ amount_minor: 1_000 }));
  });

  test("holds, serves, captures, and delivers with its receipt", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("content-type", "text/csv");
      res.setHeader("cache-control", "public, max-age=3600");
      res.setHeader("remit-receipt", "forged");
      res.end("a,b");
    };
    const agent = createAgent(world);
    const unpaid = await world.ask("/demo/report");
    expect(unpaid.status).toBe(402);
    const paid = await world.ask("/demo/report", { headers: agent.pay(unpaid) });
    expect(paid.status).toBe(200);
    expect(paid.body.toString()).toBe("a,b");
    const [charge] = [...world.issuer.charges.values()];
    expect(paid.headers).toMatchObject({
      "content-type": "text/csv",
      "cache-control": "private",
      "remit-receipt": charge?.receipt,
    });
    const settled = parseSettleResponse(String(paid.headers["payment-response"]));
    expect(settled).toMatchObject({
      success: true,
      transaction: charge?.id,
      amount: "1000",
      payer: "pairwise-1",
    });
    expect(receiptOfSettled(settled)).toBe(charge?.receipt);
    expect(parseReceipt(String(paid.headers["payment-receipt"]))).toMatchObject({
      method: "oid4ac",
      reference: charge?.id,
    });
    expect(world.issuer.calls.map(({ op }) => op)).toEqual(["create", "capture"]);
    expect(world.issuer.calls[1]?.body).toMatchObject({ response_digest: sha256b64url("a,b") });
    expect(await world.claims()).toMatchObject([
      { state: "captured", sealed_order: null, charge_id: charge?.id },
    ]);
  });

  test("tells the upstream who pays, in nobody else's words", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    await world.ask("/demo/report", {
      headers: {
        ...headers,
        "X-Remit-Agent": "agt_forged",
        X_Payment_Payer: "forged",
        "X-Other": "kept",
        Range: "bytes=0-1",
      },
    });
    const [request] = world.upstream.requests;
    const [charge] = [...world.issuer.charges.values()];
    expect(request?.headers).toMatchObject({
      "x-remit-agent": charge?.agent_id,
      "x-remit-mandate": charge?.mandate_id,
      "x-payment-payer": "pairwise-1",
      "x-other": "kept",
      "x-forwarded-host": "shop.test",
    });
    for (const name of ["payment-signature", "x_payment_payer", "range"])
      expect(request?.headers).not.toHaveProperty(name);
  });

  test("by MPP, beside a token of the agent's own, works alike", async () => {
    const agent = createAgent(world);
    const unpaid = await world.ask("/demo/report", { headers: { authorization: "DPoP own" } });
    const { challenge, headers } = agent.payChallenge(unpaid);
    expect(challenge.header).toBe("Payment-Authorization");
    const paid = await world.ask("/demo/report", { headers: { ...headers, authorization: "DPoP own" } });
    expect(paid.status).toBe(200);
    expect(world.upstream.requests[0]?.headers).toMatchObject({ authorization: "DPoP own" });
    expect(world.upstream.requests[0]?.headers).not.toHaveProperty("payment-authorization");
    const plain = agent.payChallenge(await world.ask("/demo/report"));
    expect(plain.headers).toHaveProperty("Authorization");
    expect((await world.ask("/demo/report", { headers: plain.headers })).status).toBe(200);
  });

  test("by x402 v1, whose payload names the terms, works alike", async () => {
    const entry = entryOf(await world.ask("/demo/report"));
    const { presentation, accessToken } = createAgent(world).present(entry);
    const { offer, merchant_nonce } = entry.extra;
    const payload = { presentation, access_token: accessToken, offer, merchant_nonce };
    const payment = { x402Version: 1, scheme: "mandate", network: entry.network, payload };
    const headers = { "X-PAYMENT": base64.encode(JSON.stringify(payment)) };
    const paid = await world.ask("/demo/report", { headers });
    expect(paid.status).toBe(200);
    const answer = JSON.parse(Buffer.from(String(paid.headers["x-payment-response"]), "base64").toString());
    expect(answer).toMatchObject({ success: true, network: entry.network });
  });

  test("binds the body of the request", async () => {
    const agent = createAgent(world);
    world.upstream.answer = (req, res) => void req.pipe(res);
    const unpaid = await world.ask("/demo/query", { method: "POST", body: "question" });
    const headers = agent.pay(unpaid);
    const other = await world.ask("/demo/query", { method: "POST", body: "another", headers });
    expect([other.status, codeOf(other)]).toEqual([402, "offer_resource_mismatch"]);
    const none = await world.ask("/demo/query", { method: "POST", headers });
    expect([none.status, codeOf(none)]).toEqual([402, "offer_resource_mismatch"]);
    const paid = await world.ask("/demo/query", { method: "POST", body: "question", headers });
    expect([paid.status, paid.body.toString()]).toEqual([200, "question"]);
  });

  test("an unpaid request writes nothing and asks nobody", async () => {
    expect((await world.ask("/demo/report")).status).toBe(402);
    expect(await world.claims()).toEqual([]);
    expect(world.issuer.calls).toEqual([]);
    expect(world.upstream.requests).toEqual([]);
  });
});

describe("one credential, many requests", () => {
  test("C03 50 parallel presentations of one credential are one charge and one delivery", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => world.ask("/demo/report", { headers })),
    );
    expect(countOf("create")).toBe(1);
    expect(world.upstream.requests).toHaveLength(1);
    expect(statuses()).toEqual(["captured"]);
    for (const answer of answers) expect([200, 409]).toContain(answer.status);
    const delivered = answers.filter(({ status }) => status === 200);
    expect(delivered.filter(({ headers: got }) => got["idempotent-replayed"] === undefined)).toHaveLength(1);
    for (const { body } of delivered) expect(body.toString()).toBe("the report");
  });

  test("M08 the same credential gets the stored answer, also after a restart and once it has expired", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    const first = await world.ask("/demo/report", { headers });
    await world.restart();
    world.clock.advance(10 * minuteMs);
    const again = await world.ask("/demo/report", { headers });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect(again.headers).toMatchObject({
      "idempotent-replayed": "true",
      "remit-receipt": first.headers["remit-receipt"],
    });
    expect(world.upstream.requests).toHaveLength(1);
    expect(countOf("create")).toBe(1);
  });

  test("a kept answer is ciphertext, is for its own request alone, and is gone after a day", async () => {
    world.upstream.answer = (_, res) => void res.end("very secret report");
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    await world.ask("/demo/report", { headers });
    const [kept] = await world.database.asAdmin<{ sealed: Buffer }>(
      `select sealed from ${world.database.schema}.responses`,
    );
    expect(kept?.sealed.toString("latin1")).not.toContain("secret");
    world.clock.advance(10 * minuteMs);
    const elsewhere = await world.ask("/demo/other", { headers });
    expect([elsewhere.status, codeOf(elsewhere)]).toEqual([409, "presentation_used"]);
    world.clock.advance(dayMs);
    const late = await world.ask("/demo/report", { headers });
    expect([late.status, codeOf(late)]).toEqual([409, "already_settled"]);
    expect(JSON.parse(late.body.toString())).toHaveProperty("receipt");
  });

  test("C06 100 parallel purchases with one Idempotency-Key buy once", async () => {
    const agent = createAgent(world);
    const unpaid = await Promise.all(Array.from({ length: 20 }, () => world.ask("/demo/report")));
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const challenge = unpaid[index % unpaid.length];
        if (challenge === undefined) throw new Error("no 402");
        return world.ask("/demo/report", {
          headers: { ...agent.pay(challenge), "Idempotency-Key": "order-1" },
        });
      }),
    );
    expect(countOf("create")).toBe(1);
    expect(world.upstream.requests).toHaveLength(1);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    for (const answer of answers.filter(({ status }) => status === 409))
      expect(answer.headers).toHaveProperty("retry-after");
  });

  test("C07 one Idempotency-Key for another request is refused, for another agent it is another key", async () => {
    const agent = createAgent(world);
    const key = { "Idempotency-Key": "order-2" };
    await world.ask("/demo/report", { headers: { ...agent.pay(await world.ask("/demo/report")), ...key } });
    const other = await world.ask("/demo/other", {
      headers: { ...agent.pay(await world.ask("/demo/other")), ...key },
    });
    expect([other.status, codeOf(other)]).toEqual([422, "idempotency_conflict"]);
    const stranger = createAgent(world);
    const theirs = await world.ask("/demo/other", {
      headers: { ...stranger.pay(await world.ask("/demo/other")), ...key },
    });
    expect(theirs.status).toBe(200);
  });

  test.each([
    ["a".repeat(255), 200],
    ["a".repeat(256), 400],
    ["with space", 400],
    ["é", 400],
  ])("V11 Idempotency-Key %j answers %i", async (key, status) => {
    const agent = createAgent(world);
    const headers = { ...agent.pay(await world.ask("/demo/report")), "Idempotency-Key": key };
    const answer = await world.ask("/demo/report", { headers });
    expect(answer.status).toBe(status);
    if (status === 400) expect(codeOf(answer)).toBe("idempotency_key_invalid");
  });

  test("V11 two Idempotency-Keys are refused", async () => {
    const answer = await world.ask("/demo/report", { headers: { "Idempotency-Key": ["a", "b"] } });
    expect([answer.status, codeOf(answer)]).toEqual([400, "idempotency_key_invalid"]);
  });
});

describe("a purchase that fails", () => {
  test.each([404, 422, 500, 503])(
    "M11 an upstream's %i passes through, and nothing is charged",
    async (status) => {
      world.upstream.answer = (_, res) => {
        res.statusCode = status;
        res.end("no");
      };
      const agent = createAgent(world);
      const answer = await world.ask("/demo/report", { headers: agent.pay(await world.ask("/demo/report")) });
      expect([answer.status, answer.body.toString()]).toEqual([status, "no"]);
      for (const name of ["payment-response", "payment-receipt", "remit-receipt"])
        expect(answer.headers).not.toHaveProperty(name);
      expect(statuses()).toEqual(["released"]);
      expect(await world.claims()).toMatchObject([{ state: "released" }]);
    },
  );

  test("M11 a reset is 502, and nothing is charged", async () => {
    world.upstream.answer = (req) => void req.socket.destroy();
    const agent = createAgent(world);
    const answer = await world.ask("/demo/report", { headers: agent.pay(await world.ask("/demo/report")) });
    expect([answer.status, codeOf(answer)]).toEqual([502, "upstream_failed"]);
    expect(statuses()).toEqual(["released"]);
  });

  test("M12 an answer that breaks off half-way is not delivered and not charged", async () => {
    world.upstream.answer = (req, res) => {
      res.writeHead(200, { "content-length": "100" });
      res.write("half of", () => req.socket.destroy());
    };
    const agent = createAgent(world);
    const answer = await world.ask("/demo/report", { headers: agent.pay(await world.ask("/demo/report")) });
    expect([answer.status, answer.body.includes("half of")]).toEqual([502, false]);
    expect(statuses()).toEqual(["released"]);
  });

  test("M11 a credential whose charge was released asks for a new one", async () => {
    world.upstream.answer = (_, res) => {
      res.statusCode = 500;
      res.end();
    };
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    await world.ask("/demo/report", { headers });
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, codeOf(again)]).toEqual([402, "presentation_used"]);
    expect(world.upstream.requests).toHaveLength(1);
    world.upstream.answer = (_, res) => void res.end("the report");
    expect((await world.ask("/demo/report", { headers: agent.pay(again) })).status).toBe(200);
  });

  test("M13 a buyer that hangs up leaves no hold behind, and finds what it paid for", async () => {
    const agent = createAgent(world);
    const headers = agent.pay(await world.ask("/demo/report"));
    const reached = Promise.withResolvers<() => void>();
    world.upstream.answer = (_, res) => reached.resolve(() => void res.end("the report"));
    const hangUp = new AbortController();
    const gone = world
      .ask("/demo/report", { headers, signal: hangUp.signal })
      .catch((error: unknown) => error);
    const deliver = await reached.promise;
    hangUp.abort();
    expect(await gone).toBeInstanceOf(Error);
    deliver();
    await eventually(async () => expect(await world.claims()).toMatchObject([{ state: "captured" }]));
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(world.upstream.requests).toHaveLength(1);
  });

  test.each([
    "mandate_cap_exceeded",
    "mandate_revoked",
    "card_declined",
    "mandate_signature_invalid",
  ] as const)(
    "%s of the charge API is a 402 with fresh terms, and the credential is free again",
    async (code) => {
      world.issuer.trouble = () => code;
      const agent = createAgent(world);
      const headers = agent.pay(await world.ask("/demo/report"));
      const refused = await world.ask("/demo/report", { headers });
      expect([refused.status, codeOf(refused)]).toEqual([402, code]);
      expect(JSON.parse(refused.body.toString())).toMatchObject({ remaining: 5, x402Version: 1 });
      expect(refused.headers).toHaveProperty("payment-required");
      expect(world.upstream.requests).toEqual([]);
      expect(await world.claims()).toEqual([]);
      world.issuer.trouble = () => undefined;
      expect((await world.ask("/demo/report", { headers })).status).toBe(200);
    },
  );

  test("a mandate revoked before the commit point pays nothing and delivers nothing", async () => {
    world.issuer.trouble = ({ op }) => (op === "capture" ? "mandate_revoked" : undefined);
    const agent = createAgent(world);
    const answer = await world.ask("/demo/report", { headers: agent.pay(await world.ask("/demo/report")) });
    expect([answer.status, codeOf(answer)]).toEqual([402, "mandate_revoked"]);
    expect(statuses()).toEqual(["released"]);
    expect(await world.database.asAdmin(`select 1 from ${world.database.schema}.responses`)).toEqual([]);
  });

  test("an answer of the charge API that is lost is asked for again under the same key", async () => {
    let lost = 0;
    world.issuer.trouble = ({ op }) => (op !== "read" && lost++ % 2 === 0 ? "lose_answer" : undefined);
    const agent = createAgent(world);
    const answer = await world.ask("/demo/report", { headers: agent.pay(await world.ask("/demo/report")) });
    expect(answer.status).toBe(200);
    expect(world.issuer.charges.size).toBe(1);
    expect(new Set(world.issuer.calls.filter(({ op }) => op === "create").map(({ key }) => key)).size).toBe(
      1,
    );
  });
});
