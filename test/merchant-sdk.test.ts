import { after, dayMs, newId, systemClock, toRfc3339 } from "@remit/kernel";
import { type Charge, createBooks, createMerchant, Problem } from "@remit/merchant";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Instance, startInstance } from "./instance.ts";
import { type ShopOwner, shopBuyerOf, shopOwnerOf } from "./shop-owner.ts";

// The merchant SDK against the services themselves: what it says of their answers is what they answer.
let remit: Instance;
let shop: ShopOwner;
beforeAll(async () => {
  remit = await startInstance();
  shop = await shopOwnerOf(remit.dev);
});
afterAll(() => remit?.close());

async function held(terms: Parameters<ShopOwner["request"]>[1] = {}): Promise<Charge> {
  const request = await shop.request(await shopBuyerOf(remit.dev, 5_000), terms);
  return shop.merchant.charge({ ...request, capture: "manual", serveByS: 600 });
}
const captured = async (): Promise<Charge> => shop.merchant.capture((await held()).id);
const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof Problem ? error.code : error),
  );

describe("a merchant's own program", () => {
  test("holds, captures a part, and reads it as everybody does", async () => {
    const charge = await held();
    expect(charge).toMatchObject({
      status: "authorized",
      amountMinor: 1_000,
      capturedMinor: 0,
      rail: "card",
    });
    const taken = await shop.merchant.capture(charge.id, { amountMinor: 600 });
    expect(taken).toMatchObject({ status: "captured", capturedMinor: 600, receipt: expect.any(String) });
    expect(await shop.merchant.chargeOf(charge.id)).toEqual(taken);
    expect((await shop.merchant.capture(charge.id, { amountMinor: 600 })).capturedMinor).toBe(600);
  });

  test("commits what it has shipped, releases what it has not, and is told that a released charge cannot be captured", async () => {
    const shipped = await held({ commits: true });
    expect((await shop.merchant.commit(shipped.id)).status).toBe("committed");
    expect((await shop.merchant.capture(shipped.id)).status).toBe("captured");
    const never = await held();
    expect((await shop.merchant.release(never.id)).status).toBe("released");
    expect(await codeOf(shop.merchant.capture(never.id))).toBe("charge_state_conflict");
  });

  test("adds shipping to what it holds, once, however often it says so", async () => {
    const request = await shop.request(await shopBuyerOf(remit.dev, 5_000));
    const { id } = await shop.merchant.charge({ ...request, capture: "manual", serveByS: 600 });
    const offer = request.again({ amount_minor: 1_250, shipping_minor: 250 });
    expect((await shop.merchant.amend(id, offer)).amountMinor).toBe(1_250);
    expect((await shop.merchant.amend(id, offer)).amountMinor).toBe(1_250);
    expect((await shop.merchant.capture(id)).capturedMinor).toBe(1_250);
  });

  test("M07 gives back in parts, each key once, and never more than was taken", async () => {
    const { id } = await captured();
    const part = { idempotencyKey: newId("request"), amountMinor: 400 };
    expect((await shop.merchant.refund(id, part)).refundedMinor).toBe(400);
    expect((await shop.merchant.refund(id, part)).refundedMinor).toBe(400);
    const tooMuch = { idempotencyKey: newId("request"), amountMinor: 601 };
    expect(await codeOf(shop.merchant.refund(id, tooMuch))).toBe("charge_refund_exceeds_captured");
    const rest = await shop.merchant.refund(id, { idempotencyKey: newId("request") });
    expect(rest).toMatchObject({ status: "refunded", refundedMinor: 1_000 });
    const transaction = `0x${"ab".repeat(32)}`;
    const other = (await captured()).id;
    const byChain = { idempotencyKey: newId("request"), transaction };
    expect(await codeOf(shop.merchant.refund(other, byChain))).toBe("invalid_request");
  });

  test("pages through its charges, and has what proves one only once nothing in it can be spent", async () => {
    const { id } = await captured();
    const first = await shop.merchant.charges({ limit: 1 });
    expect(first.data.map((charge) => charge.id)).toEqual([id]);
    const second = await shop.merchant.charges({ limit: 1, cursor: first.nextCursor ?? "" });
    expect(second.data).toHaveLength(1);
    expect(second.data[0]?.id).not.toBe(id);
    // Of what the agent presented, its token is given out once it has expired, and not before.
    expect(await codeOf(shop.merchant.evidenceOf(id))).toBe("evidence_not_ready");
    expect(await codeOf(shop.merchant.evidenceOf(newId("charge")))).toBe("not_found");
  });

  test("reads what it is owed, its statement line by line and as a file, and what was paid out", async () => {
    const { id } = await captured();
    await eventually(async () => {
      const balances = await shop.books.balances();
      expect(balances).toEqual([
        expect.objectContaining({ merchantId: remit.dev.merchant.id, currency: "USD" }),
      ]);
      const now = systemClock.now();
      const [{ merchantId, owedMinor } = { merchantId: newId("merchant"), owedMinor: 0 }] = balances;
      const period = {
        merchantId,
        currency: "USD",
        from: toRfc3339(after(now, -dayMs)),
        until: toRfc3339(after(now, dayMs)),
      };
      const statement = await shop.books.statement(period);
      expect(statement).toMatchObject({ openingMinor: 0, closingMinor: owedMinor });
      const lines = [];
      for await (const line of shop.books.statementLines(period)) lines.push(line);
      expect(lines).toEqual(statement.lines.data);
      expect(lines.reduce((sum, { netMinor }) => sum + netMinor, 0)).toBe(owedMinor);
      expect(lines.filter(({ chargeId }) => chargeId === id)).toMatchObject([
        { kind: "charge", grossMinor: 1_000 },
      ]);
      const file = new TextDecoder().decode(await shop.books.statementFile(period, "text/csv"));
      expect(file.trim().split("\r\n")).toHaveLength(lines.length + 3);
      const paper = await shop.books.statementFile(period, "application/pdf");
      expect(new TextDecoder().decode(paper.slice(0, 5))).toBe("%PDF-");
    });
    expect(await shop.books.payoutAccounts()).toEqual([]);
    expect(await shop.books.payouts()).toEqual({ data: [], nextCursor: null });
    expect(await codeOf(shop.books.balanceOf(newId("destination")))).toBe("not_found");
  });

  test("T01 a secret that is none opens no books, and keys without a client charge nothing", async () => {
    const { issuer, billing, merchant } = remit.dev;
    const keys = { assertion: merchant.assertion_jwk, dpop: merchant.dpop_jwk };
    const wrong = createBooks({
      issuer,
      billing,
      clientId: merchant.client_id,
      keys: { secret: "none", dpop: keys.dpop },
    });
    expect(await codeOf(wrong.balances())).toBe("invalid_client");
    const stranger = createMerchant({ issuer, clientId: newId("client"), keys });
    expect(await codeOf(stranger.charges())).toBe("invalid_client");
  });
});
