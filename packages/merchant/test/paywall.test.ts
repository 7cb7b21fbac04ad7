import { instantOf, newId } from "@remit/kernel";
import {
  encodeHeader,
  formatCredential,
  type JsonObject,
  mandatePayload,
  mandateTermsOf,
  type PaymentRequirement,
  parseChallenges,
  parsePaymentRequired,
  parseReceipt,
  parseSettleResponse,
  peekOffer,
} from "@remit/protocol";
import { sha256, sha256b64url } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPaywall } from "../src/index.ts";
import {
  clientId,
  clockAt,
  fakeIssuer,
  issuer,
  merchantKeys,
  now,
  origin,
  presented,
  presenter,
  shopKey,
} from "./counterparts.ts";
import { type Handler, type Running, type Sold, servers } from "./paywall-servers.ts";

type Call = { readonly op: string; readonly key: string | null; readonly body: JsonObject };
type Trouble = (call: Call) => Response | undefined;

/** What the authorization server tells two purchases apart by: the mandate and the nonce, not how they are written. */
function purchaseOf(presentation: unknown): string {
  const parts = typeof presentation === "string" ? presentation.split("~") : [];
  const claims = (jws = ""): JsonObject =>
    JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
  return JSON.stringify([claims(parts[0])["jti"], claims(parts.at(-1))["nonce"]]);
}

/** A charge API that keeps its own rules: a purchase is one charge, and a charge is captured or released once. */
function chargeApi() {
  const charges = new Map<string, JsonObject>();
  const byPurchase = new Map<string, string>();
  const calls: Call[] = [];
  const state: { trouble: Trouble; born: string } = { trouble: () => undefined, born: "authorized" };
  const answer = (path: string, body: JsonObject, headers: Headers): Response => {
    const [, , , , id = "", verb] = path.split("/");
    const op = verb ?? (id === "" ? "create" : "read");
    const key = headers.get("idempotency-key");
    calls.push({ op, key, body });
    const trouble = state.trouble({ op, key, body });
    if (trouble !== undefined) return trouble;
    if (op === "create") {
      const purchase = purchaseOf(body["presentation"]);
      const known = byPurchase.get(purchase);
      if (known !== undefined) return Response.json(charges.get(known), { status: 201 });
      const offer = peekOffer(typeof body["offer"] === "string" ? body["offer"] : "");
      const made = newId("charge");
      const charge: JsonObject = {
        id: made,
        status: state.born,
        mandate_id: newId("mandate"),
        agent_id: newId("agent"),
        merchant_id: offer.merchant,
        amount_minor: offer.amount_minor,
        currency: offer.currency,
        rail: "card",
        payment_reference: "pi_1",
      };
      charges.set(made, charge);
      byPurchase.set(purchase, made);
      return Response.json(charge, { status: 201 });
    }
    const charge = charges.get(id);
    if (charge === undefined) return Response.json({ code: "not_found" }, { status: 404 });
    if (op === "read") return Response.json(charge);
    const status = op === "capture" ? "captured" : "released";
    if (charge["status"] !== "authorized" && charge["status"] !== status)
      return Response.json({ code: "charge_state_conflict" }, { status: 409 });
    const moved = { ...charge, status, ...(op === "capture" && { receipt: `eyJ.${id}.sig` }) };
    charges.set(id, moved);
    return Response.json(moved);
  };
  return {
    charges,
    calls,
    state,
    answer,
    reset: () => (charges.clear(), byPurchase.clear(), void (calls.length = 0)),
  };
}

const api = chargeApi();
const sale = (sku: string) => ({ name: `The ${sku}`, sku, amountMinor: 1000, currency: "USD", serveByS: 30 });
const merchant = newId("merchant");

describe.each(servers)("a paywall inside %s", (name, start) => {
  let running: Running;
  const at = { now };
  let ran: { sku: string; body: string; payer: string | undefined }[] = [];
  const handles =
    (sku: string, goods: ReturnType<Handler> | (() => never)): Handler =>
    ({ body, payer }) => {
      ran.push({ sku, body, payer });
      return typeof goods === "function" ? goods() : goods;
    };
  const get = (sku: string, goods: Parameters<typeof handles>[1]): Sold => ({
    method: "GET",
    path: `/${sku}`,
    sale: sale(sku),
    handler: handles(sku, goods),
  });

  beforeAll(async () => {
    const paywall = createPaywall({
      issuer,
      clientId,
      merchant,
      origin,
      livemode: false,
      keys: { ...merchantKeys, offer: shopKey },
      nonceSecrets: [new Uint8Array(32).fill(7)],
      fetch: fakeIssuer(api.answer, at).fetch,
      clock: clockAt(at),
    });
    const forged = { "remit-receipt": "forged", "payment-receipt": "forged", "x-own": "kept" };
    running = await start(paywall, [
      get("report", {
        status: 200,
        headers: { "content-type": "text/plain", ...forged },
        parts: ["the ", "report"],
      }),
      get("sibling", { status: 200, parts: ["another"] }),
      get("missing", { status: 404, headers: forged, parts: ["no such thing"] }),
      get("throws", () => {
        throw new Error("out of order");
      }),
      {
        method: "POST",
        path: "/query",
        sale: sale("query"),
        handler: handles("query", { status: 200, parts: ["found"] }),
      },
    ]);
  });

  afterAll(() => running.close());

  beforeEach(() => {
    api.reset();
    api.state.trouble = () => undefined;
    api.state.born = "authorized";
    ran = [];
    at.now = now;
  });

  const ask = (path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> =>
    fetch(running.address + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body }),
    });
  const entryOf = (unpaid: Response): PaymentRequirement => {
    const [entry] = parsePaymentRequired(unpaid.headers.get("payment-required") ?? "").accepts;
    if (entry === undefined) throw new Error("no entry");
    return entry;
  };
  const payloadFor = (accepted: PaymentRequirement): JsonObject => {
    const { offer, merchantNonce } = mandateTermsOf(sha256, accepted);
    return mandatePayload(presented({ offer: peekOffer(offer), merchantNonce }));
  };
  const pay = async (path: string, body?: string): Promise<Record<string, string>> => {
    const accepted = entryOf(await ask(path, {}, body));
    return { "PAYMENT-SIGNATURE": encodeHeader({ x402Version: 2, accepted, payload: payloadFor(accepted) }) };
  };
  const ops = (): string[] => api.calls.map(({ op }) => op);
  const statuses = (): unknown[] => [...api.charges.values()].map(({ status }) => status);
  const codeOf = async (response: Response): Promise<unknown> =>
    ((await response.json()) as JsonObject)["code"];
  const proofs = ["payment-response", "payment-receipt", "remit-receipt"];

  test("asks with a 402 that both protocols read, and runs and asks nothing before that is paid", async () => {
    const unpaid = await ask("/report?day=1");
    expect(unpaid.status).toBe(402);
    expect(unpaid.headers.get("cache-control")).toBe("no-store");
    const entry = entryOf(unpaid);
    expect(entry).toMatchObject({
      scheme: "mandate",
      amount: "1000",
      resource: `${origin}/report?day=1`,
      payTo: merchant,
    });
    const [challenge] = parseChallenges([unpaid.headers.get("www-authenticate") ?? ""]);
    expect(challenge).toMatchObject({ method: "oid4ac", intent: "charge", realm: "shop.example" });
    expect(await codeOf(unpaid)).toBe("payment_required");
    expect([ran, ops()]).toEqual([[], []]);
  });

  test("holds, serves, captures, and answers with the receipt, in nobody else's words", async () => {
    const paid = await ask("/report", await pay("/report"));
    expect([paid.status, await paid.text()]).toEqual([200, "the report"]);
    expect(ops()).toEqual(["create", "capture"]);
    expect(api.calls[0]?.body).toMatchObject({ capture: "manual", serve_by_s: 30 });
    expect(api.calls[1]?.body).toMatchObject({ response_digest: sha256b64url("the report") });
    const [charge] = [...api.charges.values()];
    expect(paid.headers.get("remit-receipt")).toBe(charge?.["receipt"]);
    expect(paid.headers.get("x-own")).toBe("kept");
    expect(paid.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(paid.headers.get("cache-control")).toBe("private");
    expect(parseSettleResponse(paid.headers.get("payment-response") ?? "")).toMatchObject({
      success: true,
      transaction: charge?.["id"],
      amount: "1000",
    });
    expect(parseReceipt(paid.headers.get("payment-receipt") ?? "").reference).toBe(charge?.["id"]);
    if (["Express", "Fastify"].includes(name)) expect(ran[0]?.payer).toBe(charge?.["agent_id"]);
  });

  test("is paid by MPP, beside a token of the agent's own", async () => {
    const own = { authorization: "DPoP own" };
    const unpaid = await ask("/report", own);
    const [challenge] = parseChallenges([unpaid.headers.get("www-authenticate") ?? ""]);
    if (challenge === undefined) throw new Error("no challenge");
    expect(challenge.header).toBe("Payment-Authorization");
    const credential = formatCredential({ challenge, payload: payloadFor(entryOf(unpaid)) });
    const paid = await ask("/report", { ...own, "payment-authorization": credential });
    expect([paid.status, statuses()]).toEqual([200, ["captured"]]);
  });

  test("reads the body for the offer, and leaves it to the handler", async () => {
    const body = JSON.stringify({ question: "why" });
    const headers = await pay("/query", body);
    const other = await ask("/query", headers, JSON.stringify({ question: "how" }));
    expect([other.status, await codeOf(other)]).toEqual([402, "offer_resource_mismatch"]);
    const paid = await ask("/query", headers, body);
    expect([paid.status, await paid.text()]).toEqual([200, "found"]);
    expect(JSON.parse(ran[0]?.body ?? "")).toEqual({ question: "why" });
  });

  test.each([
    ["M11 a handler that refuses", "/missing", 404],
    ["M11 a handler that throws", "/throws", 500],
  ])("%s is not paid for, and proves nothing", async (_, path, status) => {
    const answer = await ask(path, await pay(path));
    expect(answer.status).toBe(status);
    expect(ops()).toEqual(["create", "release"]);
    expect(statuses()).toEqual(["released"]);
    for (const header of proofs) expect(answer.headers.get(header)).toBeNull();
  });

  test("C03 10 at once with one payment run the handler once, and each gets its answer or a conflict", async () => {
    const headers = await pay("/report");
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask("/report", headers)));
    expect(ran).toHaveLength(1);
    expect(statuses()).toEqual(["captured"]);
    const seen = answers.map((answer) => answer.status);
    expect(seen).toContain(200);
    expect(seen.every((status) => status === 200 || status === 409)).toBe(true);
  });

  test("C03 10 signatures of one mandate over one offer and nonce are one charge, one run and one answer", async () => {
    const accepted = entryOf(await ask("/report"));
    const { offer, merchantNonce } = mandateTermsOf(sha256, accepted);
    const present = presenter({ offer: peekOffer(offer), merchantNonce });
    const signed = Array.from({ length: 10 }, () => ({
      "PAYMENT-SIGNATURE": encodeHeader({ x402Version: 2, accepted, payload: mandatePayload(present()) }),
    }));
    expect(new Set(signed.map((headers) => headers["PAYMENT-SIGNATURE"])).size).toBe(10);
    const answers = await Promise.all(signed.map((headers) => ask("/report", headers)));
    expect(ran).toHaveLength(1);
    expect(answers.map(({ status }) => status).every((status) => status === 200 || status === 409)).toBe(
      true,
    );
    for (const headers of signed)
      expect((await ask("/report", headers)).headers.get("remit-receipt")).not.toBeNull();
    expect([ran.length, statuses()]).toEqual([1, ["captured"]]);
  });

  test("M17 a lost answer is fetched with the same payment, and the handler does not run again", async () => {
    const headers = await pay("/report");
    await ask("/report", headers);
    const again = await ask("/report", headers);
    expect([again.status, await again.text(), again.headers.get("idempotent-replayed")]).toEqual([
      200,
      "the report",
      "true",
    ]);
    expect(ran).toHaveLength(1);
    expect(ops()).toEqual(["create", "capture"]);
  });

  test("a payment for one address buys no other of the same price", async () => {
    const refused = await ask("/sibling", await pay("/report"));
    expect([refused.status, await codeOf(refused)]).toEqual([402, "offer_resource_mismatch"]);
    const headers = await pay("/report");
    await ask("/report", headers);
    expect((await ask("/sibling", headers)).status).toBe(409);
    expect(ran.map(({ sku }) => sku)).toEqual(["report"]);
  });

  test("nobody pays for a head alone", async () => {
    const headers = await pay("/report");
    const head = await fetch(`${running.address}/report`, { method: "HEAD", headers });
    expect([head.status >= 400, head.headers.has("payment-receipt")]).toEqual([true, false]);
    expect([ran, ops()]).toEqual([[], []]);
  });

  test("a mandate that the issuer refuses is asked for again, with why", async () => {
    const headers = await pay("/report");
    api.state.trouble = () => Response.json({ code: "mandate_uses_exhausted" }, { status: 402 });
    const refused = await ask("/report", headers);
    expect([refused.status, refused.headers.has("payment-required"), await codeOf(refused)]).toEqual([
      402,
      true,
      "mandate_uses_exhausted",
    ]);
    expect(ran).toEqual([]);
    // The same payment may be tried once there is room.
    api.state.trouble = () => undefined;
    expect((await ask("/report", headers)).status).toBe(200);
  });

  test("M04 a capture without an answer delivers nothing yet, and the same payment fetches it", async () => {
    const headers = await pay("/report");
    api.state.trouble = ({ op }) => (op === "capture" ? Response.json({}, { status: 500 }) : undefined);
    const lost = await ask("/report", headers);
    expect([lost.status, await codeOf(lost)]).toEqual([503, "charge_in_progress"]);
    api.state.trouble = () => undefined;
    const found = await ask("/report", headers);
    expect([found.status, await found.text()]).toEqual([200, "the report"]);
    expect(ran).toHaveLength(1);
    expect(statuses()).toEqual(["captured"]);
  });

  test.each([
    ["idempotency_in_flight", 409],
    ["idempotency_conflict", 422],
    ["charge_state_conflict", 409],
    ["token_revoked", 401],
    ["rate_limited", 429],
    ["insufficient_scope", 403],
  ])(
    "M09 a capture that is answered %s keeps what was served, and the same payment fetches it",
    async (code, status) => {
      const headers = await pay("/report");
      api.state.trouble = ({ op }) => (op === "capture" ? Response.json({ code }, { status }) : undefined);
      const lost = await ask("/report", headers);
      expect([lost.status, await codeOf(lost)]).toEqual([503, "charge_in_progress"]);
      api.state.trouble = () => undefined;
      const found = await ask("/report", headers);
      expect([found.status, await found.text()]).toEqual([200, "the report"]);
      expect([ran.length, statuses()]).toEqual([1, ["captured"]]);
    },
  );

  test("M09 a charge that was captured although its answer says otherwise is read, and delivered", async () => {
    const headers = await pay("/report");
    api.state.trouble = ({ op }) => {
      if (op !== "capture") return undefined;
      for (const [id, charge] of api.charges) api.charges.set(id, { ...charge, status: "captured" });
      return Response.json({ code: "charge_state_conflict" }, { status: 409 });
    };
    const paid = await ask("/report", headers);
    expect([paid.status, await paid.text()]).toEqual([200, "the report"]);
  });

  test("M09 a charge that was let go before its capture delivers nothing, and asks for a new payment", async () => {
    const headers = await pay("/report");
    api.state.trouble = ({ op }) => {
      if (op !== "capture") return undefined;
      for (const [id, charge] of api.charges) api.charges.set(id, { ...charge, status: "released" });
      return Response.json({ code: "charge_state_conflict" }, { status: 409 });
    };
    const refused = await ask("/report", headers);
    expect([refused.status, await codeOf(refused)]).toEqual([402, "presentation_used"]);
    expect((await ask("/report", headers)).headers.has("payment-required")).toBe(true);
  });

  test("C03 a purchase that its principal must approve is resumed by the same payment, even past its offer", async () => {
    api.state.born = "pending_approval";
    const headers = await pay("/report");
    for (const _ of [1, 2]) {
      const asked = await ask("/report", headers);
      expect([asked.status, await codeOf(asked)]).toEqual([402, "approval_required"]);
      expect(Number(asked.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    for (const [id, charge] of api.charges) api.charges.set(id, { ...charge, status: "authorized" });
    at.now = instantOf(now + 3_600_000);
    const answers = await Promise.all([1, 2, 3].map(() => ask("/report", headers)));
    expect(answers.map(({ status }) => status)).toContain(200);
    expect([ran.length, statuses()]).toEqual([1, ["captured"]]);
    expect(ops().filter((op) => op === "create")).toHaveLength(1);
  });

  test("M05 a capture that is refused delivers nothing", async () => {
    const headers = await pay("/report");
    api.state.trouble = ({ op }) =>
      op === "capture" ? Response.json({ code: "mandate_revoked" }, { status: 403 }) : undefined;
    const refused = await ask("/report", headers);
    expect(refused.status).toBeGreaterThanOrEqual(402);
    expect(await refused.text()).not.toContain("the report");
    for (const header of proofs) expect(refused.headers.get(header)).toBeNull();
  });

  test.each([
    ["V05 two payments", { "payment-signature": "e30=", "x-payment": "e30=" }, 400],
    ["V05 what is no payment", { "payment-signature": "nonsense" }, 400],
    ["a card", { "x-payment": Buffer.from('{"spt":"spt_1"}').toString("base64") }, 402],
  ])("%s is refused", async (_, headers, status) => {
    expect((await ask("/report", headers)).status).toBe(status);
    expect([ran, ops()]).toEqual([[], []]);
  });
});
