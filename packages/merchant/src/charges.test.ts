import { instantOf, newId } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import { clientId, clockAt, fakeIssuer, issuer, merchantKeys, now, presented } from "../test/counterparts.ts";
import { createMerchant, type Merchant } from "./index.ts";

const id = newId("charge");
const charged: JsonObject = {
  id,
  status: "captured",
  mandate_id: newId("mandate"),
  agent_id: newId("agent"),
  merchant_id: newId("merchant"),
  amount_minor: 1000,
  currency: "USD",
  rail: "card",
  payment_reference: "pi_1",
  generation: 1,
  livemode: false,
  created_at: "2025-11-24T16:00:00.000Z",
  receipt: "a.b.c",
};
type Answer = (path: string, body: JsonObject, headers: Headers) => Response;
const open = (
  answer: Answer,
  at = { now },
): { merchant: Merchant; issued: ReturnType<typeof fakeIssuer> } => {
  const issued = fakeIssuer(answer, at);
  const clock = clockAt(at);
  return {
    issued,
    merchant: createMerchant({ issuer, clientId, keys: merchantKeys, fetch: issued.fetch, clock }),
  };
};
const request = { offer: "o.o.o", merchantNonce: "n", ...presented() };
const refusedWith = (body: JsonObject, status = 403): Promise<unknown> =>
  open(() => Response.json(body, { status }))
    .merchant.charge(request)
    .catch((error: unknown) => error);

describe("a charge", () => {
  test("is asked for with the merchant's own key, a nonce where wanted, and a key that retries may keep", async () => {
    const bodies: [string, JsonObject, string | null][] = [];
    const { merchant, issued } = open((path, body, headers) => {
      bodies.push([path, body, headers.get("idempotency-key")]);
      return Response.json(charged, { status: 201 });
    });
    const first = await merchant.charge({ ...request, capture: "manual", serveByS: 30 });
    await merchant.charge({ ...request, capture: "manual", serveByS: 30 });
    expect(first).toMatchObject({
      id,
      status: "captured",
      amountMinor: 1000,
      paymentReference: "pi_1",
      receipt: "a.b.c",
    });
    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]?.[0]).toBe("/api/v1/charges");
    expect(bodies[0]?.[1]).toEqual({
      offer: "o.o.o",
      presentation: request.presentation,
      access_token: request.accessToken,
      merchant_nonce: "n",
      capture: "manual",
      serve_by_s: 30,
    });
    expect(bodies[0]?.[2]).toMatch(/^[\w-]{43}$/);
    expect(issued.tokensIssued()).toBe(1);
    expect(
      issued.seen.every(({ init }) => init.redirect === "manual" && init.signal instanceof AbortSignal),
    ).toBe(true);
  });

  test("two presentations have two keys", async () => {
    const keys: (string | null)[] = [];
    const { merchant } = open((_, __, headers) => {
      keys.push(headers.get("idempotency-key"));
      return Response.json(charged, { status: 201 });
    });
    await merchant.charge(request);
    await merchant.charge({ ...request, ...presented() });
    expect(new Set(keys).size).toBe(2);
  });

  test("each later step has a key of its own, a refund the one it is given", async () => {
    const calls: string[] = [];
    const { merchant } = open((path, body, headers) => {
      calls.push(
        `${path.slice(path.lastIndexOf("/"))} ${headers.get("idempotency-key")} ${JSON.stringify(body)}`,
      );
      return Response.json(charged);
    });
    await merchant.capture(id, { responseDigest: "d" });
    await merchant.commit(id);
    await merchant.release(id);
    await merchant.refund(id, { idempotencyKey: "r1", amountMinor: 5 });
    expect((await merchant.chargeOf(id)).id).toBe(id);
    expect(calls).toEqual([
      `/capture ${id}.capture {"response_digest":"d"}`,
      `/commit ${id}.commit {}`,
      `/release ${id}.release {"reason":"cancelled"}`,
      '/refund r1 {"amount_minor":5}',
      `/${id} null {}`,
    ]);
  });

  test("K08 a clock that goes back an hour keeps no token past its end", async () => {
    const at = { now };
    let ranMs = 0;
    const clock = { now: () => at.now, monotonicNs: () => BigInt(ranMs) * 1_000_000n };
    const issued = fakeIssuer(() => Response.json(charged, { status: 201 }), at);
    const merchant = createMerchant({ issuer, clientId, keys: merchantKeys, fetch: issued.fetch, clock });
    await merchant.charge(request);
    at.now = instantOf(now - 3_600_000);
    await merchant.charge(request);
    expect(issued.tokensIssued()).toBe(1);
    ranMs = 881_000;
    await merchant.charge(request);
    expect(issued.tokensIssued()).toBe(2);
  });

  test("a token is made anew shortly before it expires", async () => {
    const at = { now };
    const { merchant, issued } = open(() => Response.json(charged, { status: 201 }), at);
    await merchant.charge(request);
    at.now = instantOf(now + 879_000);
    await merchant.charge(request);
    expect(issued.tokensIssued()).toBe(1);
    at.now = instantOf(now + 881_000);
    await merchant.charge(request);
    expect(issued.tokensIssued()).toBe(2);
  });

  test("a token that was refused is not sent again", async () => {
    let refused = false;
    const { merchant, issued } = open(() => {
      if (refused) return Response.json(charged, { status: 201 });
      refused = true;
      return Response.json({ code: "token_revoked" }, { status: 401 });
    });
    await expect(merchant.charge(request)).rejects.toMatchObject({ code: "token_revoked" });
    await merchant.charge(request);
    expect(issued.tokensIssued()).toBe(2);
  });
});

describe("a refused charge", () => {
  test("keeps its code, its words and what the merchant may tell the agent", async () => {
    const refusal = await refusedWith(
      {
        type: "x",
        title: "t",
        status: 402,
        code: "mandate_cap_exceeded",
        detail: "2.00 USD are left.",
        remaining: 200,
      },
      402,
    );
    expect(refusal).toMatchObject({
      code: "mandate_cap_exceeded",
      status: 402,
      detail: "2.00 USD are left.",
      extra: { remaining: 200 },
    });
  });

  test.each([
    [{ code: "mandate_revoked" }, 403, "charge_mandate_revoked"],
    [{ code: "idempotency_conflict" }, 422, "charge_idempotency_replay"],
    [{ code: "use_dpop_nonce" }, 401, "charge_dpop_nonce_required"],
    [{ code: "charge_offer_amount_exceeds_mandate" }, 402, "charge_offer_amount_exceeds_mandate"],
    [{ code: "presentation_used" }, 409, "presentation_used"],
    [{ error: "invalid_client" }, 401, "invalid_client"],
    [{ code: "__proto__" }, 500, "unavailable"],
    [{ nothing: true }, 200, "unavailable"],
    [{ ...charged, id: "chg_1" }, 201, "unavailable"],
    [{ ...charged, amount_minor: "1000" }, 201, "unavailable"],
  ])("%j is %s", async (body, status, code) => {
    expect(await refusedWith(body, status)).toMatchObject({ code });
  });

  test("an answer that is no JSON, or a redirect, is no charge", async () => {
    const html = open(() => new Response("<h1>no</h1>", { status: 502 }));
    await expect(html.merchant.charge(request)).rejects.toMatchObject({ code: "unavailable", status: 502 });
    const moved = open(
      () => new Response(null, { status: 307, headers: { location: "https://evil.example" } }),
    );
    await expect(moved.merchant.charge(request)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a bearer token is not taken for a bound one", async () => {
    const fetch = async (): Promise<Response> =>
      Response.json({ access_token: "t", token_type: "Bearer", expires_in: 900 });
    const merchant = createMerchant({ issuer, clientId, keys: merchantKeys, fetch, clock: clockAt({ now }) });
    await expect(merchant.charge(request)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a dispute about a charge", () => {
  const dispute: JsonObject = {
    id: newId("dispute"),
    charge_id: id,
    merchant_id: newId("merchant"),
    agent_id: newId("agent"),
    origin: "network",
    status: "needs_response",
    reason: "fraudulent",
    because: null,
    amount_minor: 1000,
    currency: "USD",
    refund: "none",
    refund_minor: null,
    respond_by: "2025-12-01T16:00:00.000Z",
    review_by: null,
    opened_at: "2025-11-24T16:00:00.000Z",
    answered_at: null,
    decided_at: null,
  };

  test("is found by what it is about, answered in the merchant's words, or given up", async () => {
    const asked: [string, JsonObject][] = [];
    const { merchant } = open((path, body) => {
      asked.push([path, body]);
      return Response.json(
        path.includes("?") ? { data: [dispute], next_cursor: null } : { ...dispute, status: "under_review" },
      );
    });
    const page = await merchant.disputes.list({ chargeId: id, status: "needs_response" });
    expect(page).toMatchObject({
      data: [{ chargeId: id, origin: "network", because: null }],
      nextCursor: null,
    });
    const found = page.data[0]?.id ?? newId("dispute");
    expect((await merchant.disputes.answer(found, "It was delivered.")).status).toBe("under_review");
    await merchant.disputes.accept(found);
    expect(asked).toEqual([
      [`/api/v1/disputes?status=needs_response&charge_id=${id}`, {}],
      [`/api/v1/disputes/${found}/evidence`, { text: "It was delivered." }],
      [`/api/v1/disputes/${found}/accept`, {}],
    ]);
  });

  test.each<JsonObject>([{ status: "gone" }, { amount_minor: 0 }, { charge_id: "chg" }, { because: 1 }])(
    "that says %j is none",
    async (more) => {
      const { merchant } = open(() => Response.json({ ...dispute, ...more }));
      const read = merchant.disputes.read(newId("dispute"));
      await expect(read).rejects.toMatchObject({ code: "unavailable" });
    },
  );
});

test("a refund over a chain names its transaction, and an amendment has one key however often it is sent", async () => {
  const asked: [string, JsonObject, string | null][] = [];
  const { merchant } = open((path, body, headers) => {
    asked.push([path, body, headers.get("idempotency-key")]);
    return Response.json(charged);
  });
  const transaction = `0x${"ab".repeat(32)}`;
  await merchant.refund(id, { idempotencyKey: "r-1", transaction });
  await merchant.amend(id, "o.o.1");
  await merchant.amend(id, "o.o.1");
  await merchant.amend(id, "o.o.2");
  expect(asked[0]).toEqual([`/api/v1/charges/${id}/refund`, { transaction }, "r-1"]);
  const [, once, again, other] = asked.map(([, , key]) => key);
  expect(once).toBe(again);
  expect(other).not.toBe(once);
});
