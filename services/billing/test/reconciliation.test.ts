import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, dayMs, type Id, instantOf, money, newId, toNumericDate } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post, seenOnChainEntry } from "../src/ledger/index.ts";
import { type ReconciliationDeps, reconcile, type Span } from "../src/reconciliation/reconciliation.ts";
import { type Movement, movementsOf } from "../src/stripe/index.ts";
import { openStage, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
let db: Database;
let deps: ReconciliationDeps;
beforeAll(async () => {
  stage = await openStage();
  payer = await stage.payer();
  db = stage.database.open({ record: recordToOutbox });
  const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 5_000 });
  const log = createLog({ service: "billing", level: "silent" });
  deps = { db, clock: stage.clock, log, movements: (span) => movementsOf(stripe, span) };
});
afterAll(() => stage.close());

const span = () => {
  const now = stage.clock.now();
  return { from: instantOf(now - dayMs), until: after(now, dayMs) };
};
const changed = (
  change: (movement: Movement, index: number) => Movement | undefined,
): ReconciliationDeps => ({
  ...deps,
  movements: async function* (asked) {
    let index = 0;
    for await (const movement of deps.movements(asked)) {
      const now = "currency" in movement ? movement : change(movement, index++);
      if (now !== undefined) yield now;
    }
  },
});
const cases = async () => {
  const { body } = await stage.call("GET", "/api/v1/reconciliation-cases", {
    scope: "billing:read",
    tenant: platformTenant,
  });
  // The contract of the route says what it holds.
  return body["data"] as readonly Record<string, unknown>[];
};

describe("R04 reconciliation", () => {
  test("R04 books that agree with Stripe open no case", async () => {
    for (let n = 0; n < 4; n++) {
      const of = purchaseOf(payer);
      const { body } = await stage.order("hold", of);
      await stage.step("capture", body["id"], of);
      await stage.step("refund", body["id"], of, { amount_minor: 300 });
    }
    let listed = 0;
    for await (const movement of deps.movements(span())) listed += movement.id === "" ? 0 : 1;
    expect(listed).toBe(8);
    expect(await reconcile(deps, span())).toBe(0);
    expect(await cases()).toEqual([]);
  });

  test("R04 what a chain has booked is no matter of Stripe's", async () => {
    const units = money({ code: "USDC_BASE", places: 6, kind: "token" }, 7_000_000n);
    const owner = { tenant: newId("tenant"), merchant: newId("merchant") };
    const paid = { charge: newId("charge"), owner, at: stage.clock.now() };
    const booking = { id: `0x${"5e".repeat(32)}`, amount: units, fee: { ...units, units: 0n } };
    await db.global.transaction((tx) => post(tx, [seenOnChainEntry(paid, booking, "into")]));
    expect(await reconcile(deps, span())).toBe(0);
  });

  test("R04 what is missing here or there, or of another amount or fee, opens one case each, and moves nothing", async () => {
    const before = await stage.books();
    const extra: string[] = [];
    const wrong = changed((movement, index) => {
      if (index === 0) return undefined;
      if (index === 1)
        return { ...movement, amount: money(movement.amount.asset, movement.amount.units + 1n) };
      if (index === 2) return { ...movement, fee: money(movement.fee.asset, movement.fee.units + 1n) };
      if (index !== 3) return movement;
      extra.push(movement.id);
      return { ...movement, id: "txn_unknown" };
    });
    expect(await reconcile(wrong, span())).toBe(5);
    expect(await reconcile(wrong, span())).toBe(0);
    const kinds = (await cases()).map(({ kind }) => String(kind)).sort((a, b) => a.localeCompare(b));
    expect(kinds).toEqual(["missing_here", "missing_there", "missing_there", "other_amount", "other_fee"]);
    expect((await cases()).find(({ kind }) => kind === "missing_here")).toMatchObject({
      object: "txn_unknown",
      ours: null,
    });
    expect(await stage.books()).toEqual(before);
  });

  test("an operator says what it was, once, and nobody else does", async () => {
    const [first] = await cases();
    const at = `/api/v1/reconciliation-cases/${String(first?.["id"])}/resolution`;
    const resolve = (more = {}) =>
      stage.call("POST", at, {
        scope: "billing:write",
        tenant: platformTenant,
        body: { note: "Stripe's own test entry" },
        ...more,
      });
    expect((await resolve({ tenant: payer })).status).toBe(403);
    expect((await resolve({ scope: "billing:read" })).status).toBe(403);
    expect(await resolve()).toMatchObject({ status: 200, body: { note: "Stripe's own test entry" } });
    expect((await resolve()).status).toBe(404);
    expect((await cases()).filter(({ resolved_at }) => resolved_at === null)).toHaveLength(4);
  });

  test("R04 one movement in a currency that we keep no books in is a case, and stops the comparison of no other", async () => {
    const created = toNumericDate(stage.clock.now());
    const booked = { object: "balance_transaction", type: "adjustment", amount: 250, fee: 0, created };
    const data = [
      { ...booked, id: "txn_strange", currency: "usdc" },
      { ...booked, id: "txn_after_it", currency: "usd" },
    ];
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ object: "list", data, has_more: false, url: "/v1/balance_transactions" }),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    // A TCP server has an address with a port.
    const { port } = server.address() as AddressInfo;
    const stripe = openStripe({
      ...stage.sandbox.stripe,
      origin: `http://127.0.0.1:${port}`,
      timeoutMs: 5_000,
    });
    const theirs = { ...deps, movements: (asked: Span) => movementsOf(stripe, asked) };
    await reconcile(theirs, span());
    const found = (await cases()).filter(({ object }) => data.some(({ id }) => id === object));
    expect(found).toHaveLength(2);
    expect(found).toContainEqual(
      expect.objectContaining({ kind: "missing_here", object: "txn_strange", asset: "USDC", theirs: null }),
    );
    expect(await reconcile(theirs, span())).toBe(0);
    await new Promise((done) => server.close(done));
  });
});
