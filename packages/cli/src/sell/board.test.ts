import { stripVTControlCharacters } from "node:util";
import { newId } from "@remit/kernel";
import { OfferBody, OfferSales } from "@remit/protocol/contracts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { boardFor } from "./board.ts";

const at = "2026-01-02T03:04:05.000Z";
const offer = OfferBody.parse({
  id: newId("offer"),
  organization_id: newId("tenant"),
  name: "weather",
  merchant: newId("merchant"),
  source: "api",
  status: "live",
  because: null,
  origin: "http://shop.test",
  upstream: "http://127.0.0.1:9000",
  sold: [],
  drained_at: null,
  created_at: at,
  updated_at: at,
});
const sales = (more: object = {}): OfferSales =>
  OfferSales.parse({
    requests: { since: at, total: 3, unpaid: 2, refused: 1, open: 0 },
    paid: [],
    latest: [],
    ...more,
  });
const sale = { at, method: "GET", path: "/v1/now", amount_minor: 5, currency: "USD", payer: "agt_1" };

let written: string;

beforeEach(() => {
  written = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

// What a terminal shows: colours are not looked at.
const shown = (): string => stripVTControlCharacters(written);

describe("the table of a sale on a terminal", () => {
  test("shows requests, payments and revenue, and who paid last", () => {
    const board = boardFor(offer, "table");
    board.show(sales());
    expect(shown()).toContain("requests   3  2 asked the price, 1 refused");
    expect(shown()).toContain("Nobody has paid yet.");
    written = "";
    board.show(sales({ paid: [{ currency: "USD", payments: 2, amount_minor: 1010 }], latest: [sale] }));
    expect(shown()).toMatch(/payments {3}2/);
    expect(shown()).toMatch(/revenue {4}10\.10 USD/);
    expect(shown()).toMatch(/03:04:05 {2}0\.05 USD +GET \/v1\/now +agt_1/);
  });

  test("what was given back is no revenue, and stands beside its sale", () => {
    const paid = [{ currency: "USD", payments: 2, amount_minor: 1010, refunded_minor: 300 }];
    boardFor(offer, "table").show(sales({ paid, latest: [{ ...sale, refunded_minor: 5 }] }));
    expect(shown()).toMatch(/revenue {4}7\.10 USD, after 3\.00 USD given back/);
    expect(shown()).toMatch(/agt_1 {2}given back 0\.05 USD/);
  });

  test("is drawn over itself: as many lines up as it has, and none of the former left", () => {
    const board = boardFor(offer, "table");
    board.show(sales({ latest: [sale, sale, sale] }));
    const lines = written.split("\n").length - 1;
    written = "";
    board.show(sales());
    expect(written.startsWith(`\u001b[${lines}A`)).toBe(true);
    expect(written.split("\n").length - 1).toBe(lines);
    expect(written.split("\u001b[2K").length - 1).toBe(lines);
  });

  test("says that the gateway does not answer, and goes on", () => {
    const board = boardFor(offer, "table");
    board.show(sales());
    written = "";
    board.failed(new Error("gone"));
    expect(shown()).toContain("The gateway does not answer");
    board.show(sales());
    expect(shown()).toContain("requests   3");
  });

  test("lets no payer or path move the cursor", () => {
    boardFor(offer, "table").show(
      sales({ latest: [{ ...sale, payer: "a\u001b[2Jb", path: "/x\u001b[9A" }] }),
    );
    expect(written).not.toContain("\u001b[2J");
    expect(written).not.toContain("\u001b[9A");
  });
});
