import { type Id, newId } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Purchase, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
let shop: { readonly payee: Id<"tenant">; readonly merchant: Id<"merchant"> };
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
  shop = { payee: newId("tenant"), merchant: newId("merchant") };
  const purchase = (): Purchase => ({ charge: newId("charge"), payer, ...shop });
  const sell = async (amount: number): Promise<{ of: Purchase; id: unknown }> => {
    const of = purchase();
    const { body } = await stage.order("hold", of, { amount_minor: amount });
    await stage.step("capture", body["id"], of, { amount_minor: amount });
    return { of, id: body["id"] };
  };
  await sell(1000);
  const { of, id } = await sell(2000);
  await stage.step("refund", id, of, { amount_minor: 700 });
  await sell(3000);
});
afterAll(() => stage.close());

const period = (from: string, until: string): string =>
  `currency=USD&from=${encodeURIComponent(from)}&until=${encodeURIComponent(until)}`;
const all = period("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
const read = (at: string, tenant = shop.payee) =>
  stage.call("GET", `/api/v1/${at}`, { scope: "billing:read", tenant });
type Body = {
  readonly opening_minor: number;
  readonly closing_minor: number;
  readonly totals: readonly object[];
  readonly lines: readonly {
    readonly entry: string;
    readonly net_minor: number;
    readonly posted_at: string;
    readonly balance_minor: number;
  }[];
};
const statement = async (query = all): Promise<Body> =>
  // What the route answers is declared in the contracts.
  (await read(`statements/${shop.merchant}?${query}`)).body as unknown as Body;

describe("a merchant's statement", () => {
  // 10.00, 20.00 and 30.00 cost 0.59, 0.88 and 1.17.
  test("says what was sold, kept and given back, line by line, and its sums are the ledger's", async () => {
    const found = await statement();
    expect(found).toMatchObject({
      opening_minor: 0,
      closing_minor: 6000 - 264 - 700,
      totals: [
        { kind: "charge", count: 3, gross_minor: 6000, fee_minor: 264, net_minor: 5736 },
        { kind: "refund", count: 1, gross_minor: -700, fee_minor: 0, net_minor: -700 },
      ],
    });
    expect((await read("merchant-balances")).body["data"]).toEqual([
      { merchant: shop.merchant, currency: "USD", owed_minor: found.closing_minor, fees_due_minor: 0 },
    ]);
    const posted = await stage.database.asAdmin<{ entry_id: string; units: string }>(
      "select entry_id, units::text from ledger_postings where account_id = $1 order by entry_id",
      [`merchant_payable:${shop.merchant}:USD`],
    );
    expect(found.lines.map(({ entry, net_minor: net }) => [entry, String(-net)])).toEqual(
      posted.map(({ entry_id: entry, units }) => [entry, units]),
    );
    expect(found.lines.at(-1)?.balance_minor).toBe(found.closing_minor);
  });

  test("has no gap: wherever time is cut, the next one opens with what the one before closed with", async () => {
    const { lines, closing_minor: closing } = await statement();
    for (const { posted_at: cut } of lines) {
      const [before, after] = [
        await statement(period("2020-01-01T00:00:00Z", cut)),
        await statement(period(cut, "2100-01-01T00:00:00Z")),
      ];
      expect(after.opening_minor).toBe(before.closing_minor);
      expect(before.lines.length + after.lines.length).toBe(lines.length);
      expect(after.closing_minor).toBe(closing);
    }
  });

  test("is of its own organization alone", async () => {
    const stranger = await read(`statements/${shop.merchant}?${all}`, newId("tenant"));
    expect(stranger.body).toMatchObject({ opening_minor: 0, closing_minor: 0, lines: [] });
    expect((await read("merchant-balances", newId("tenant"))).body["data"]).toEqual([]);
    const unread = { scope: "wallet:read", tenant: shop.payee } as const;
    expect((await stage.call("GET", `/api/v1/statements/${shop.merchant}?${all}`, unread)).status).toBe(403);
  });

  test("is refused where its period ends before it begins, and a cursor that was never given", async () => {
    const backwards = period("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z");
    expect((await read(`statements/${shop.merchant}?${backwards}`)).status).toBe(400);
    expect((await read(`statements/${shop.merchant}?${all}&cursor=abc`)).status).toBe(400);
  });

  test("V08 is CSV whose numbers are numbers and of which no cell is a formula", async () => {
    const { headers, body } = await read(`statements/${shop.merchant}/csv?${all}`);
    expect(headers.get("content-type")).toContain("text/csv");
    const lines = String(body["text"]).trimEnd().split("\r\n");
    expect(lines).toHaveLength(1 + 1 + 4 + 1);
    expect(lines.at(1)).toMatch(/^"2020-01-01T00:00:00(?:\.000)?Z","opening",.*,0\.00$/);
    expect(lines.at(-1)).toMatch(/,"closing",.*,50\.36$/);
    expect(lines.find((line) => line.includes('"refund"'))).toMatch(/,-7\.00,0\.00,-7\.00,/);
  });

  test("is a PDF, always of the same bytes", async () => {
    const [first, second] = [
      await read(`statements/${shop.merchant}/pdf?${all}`),
      await read(`statements/${shop.merchant}/pdf?${all}`),
    ];
    expect(first.headers.get("content-type")).toBe("application/pdf");
    expect(String(first.body["text"]).startsWith("%PDF-1.7")).toBe(true);
    expect(first.body["text"]).toBe(second.body["text"]);
  });
});
