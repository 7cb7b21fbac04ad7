import { after, assetOf, dayMs, type Id, instantOf, money, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boundsOf, captureEntry, monthOf, post, transferEntry } from "../src/ledger/index.ts";
import { type CallOptions, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let db: Database;
let month: string;
beforeAll(async () => {
  stage = await openStage();
  db = stage.database.open();
  month = monthOf(instantOf(boundsOf(monthOf(stage.clock.now())).from - dayMs));
});
afterAll(() => stage.close());

type Owner = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };
const owner = (): Owner => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const [mine, other] = [owner(), owner()];
const usd = (units: bigint) => {
  const asset = assetOf("USD");
  if (asset === undefined) throw new TypeError("USD");
  return money(asset, units);
};
const captured = (of: Owner) =>
  captureEntry({
    charge: newId("charge"),
    payment: newId("payment"),
    owner: of,
    at: after(boundsOf(month).from, dayMs),
    rail: "card",
    captured: usd(1000n),
    fee: usd(59n),
    terms: { schedule: `fsc_${"1".padStart(26, "0")}`, fromVolume: 0n, collection: "invoiced" },
  });
const read = (at: string, tenant: Id<"tenant">) =>
  stage.call("GET", `/api/v1/${at}`, { scope: "billing:read", tenant });
const write = (method: string, at: string, more: CallOptions = {}) =>
  stage.call(method, `/api/v1/${at}`, { scope: "billing:write", tenant: platformTenant, ...more });
const invoicesOf = async (tenant: Id<"tenant">) =>
  // The contract of the route says what it holds.
  (await read("invoices", tenant)).body["data"] as readonly Record<string, unknown>[];
const acme = {
  name: "Žižkov s.r.o.",
  address: ["Seifertova 1", "130 00 Praha"],
  country: "CZ",
  tax_id: "CZ12345678",
  tax_basis_points: 2100,
};

describe("months, profiles and invoices over the API", () => {
  test("whom invoices are written to is set by the operator alone, sealed, and read by its own organization", async () => {
    const at = `billing-profiles/${mine.tenant}`;
    const set = await write("PUT", at, { body: acme });
    expect(set).toMatchObject({ status: 200, body: { ...acme, due_days: 30, reverse_charge: false } });
    expect(await read(at, mine.tenant)).toMatchObject({ status: 200, body: acme });
    expect((await read(at, other.tenant)).status).toBe(403);
    expect((await write("PUT", at, { body: acme, tenant: mine.tenant })).status).toBe(403);
    expect((await write("PUT", at, { body: acme, scope: "billing:read" })).status).toBe(403);
    for (const wrong of [
      { tax_basis_points: 5001 },
      { reverse_charge: true },
      { country: "Czechia" },
      { vat: 1 },
    ])
      expect((await write("PUT", at, { body: { ...acme, ...wrong } })).status, JSON.stringify(wrong)).toBe(
        400,
      );
    const [row] = await stage.database.asAdmin<{ sealed: Buffer }>(
      "select sealed from billing_profiles where tenant_id = $1",
      [mine.tenant],
    );
    expect(row?.sealed.includes("Seifertova")).toBe(false);
  });

  test("a month that is over is closed by the operator alone, and its invoices are there", async () => {
    await db.global.transaction((tx) => post(tx, [captured(mine), captured(other)]));
    const close = (name: string, more: CallOptions = {}) => write("POST", `months/${name}/close`, more);
    expect((await close(month, { tenant: mine.tenant })).status).toBe(403);
    expect((await close(month, { scope: "billing:read" })).status).toBe(403);
    expect((await close(monthOf(stage.clock.now()))).body).toMatchObject({ status: 409 });
    expect((await close("2026-13")).status).toBe(400);
    expect((await close(month)).status).toBe(202);
    const listed = async () => (await read("months", platformTenant)).body["data"];
    await eventually(async () => JSON.stringify(await listed()).includes('"invoiced"'));
    expect(await listed()).toMatchObject([{ month, state: "invoiced" }]);
    expect((await read("months", mine.tenant)).status).toBe(403);
    expect(await close(month)).toMatchObject({ status: 202, body: { state: "invoiced" } });
    expect(await invoicesOf(mine.tenant)).toMatchObject([
      {
        month,
        to: { name: acme.name },
        net_minor: 59,
        tax: { amount_minor: 12 },
        due_minor: 71,
        status: "open",
      },
    ]);
  });

  test("what a month that lasts has cost so far is what its invoice will have, kept back or asked for, by shop and for its own alone", async () => {
    const [of, second] = [owner(), newId("merchant")];
    const at = stage.clock.now();
    const sold = (merchant: Id<"merchant">, collection: "invoiced" | "withheld", fee: bigint) => {
      const terms = { schedule: `fsc_${"1".padStart(26, "0")}`, fromVolume: 0n, collection };
      const paid = { charge: newId("charge"), payment: newId("payment"), owner: { ...of, merchant } };
      return { ...paid, at, rail: "card", captured: usd(1000n), fee: usd(fee), terms };
    };
    await db.global.transaction((tx) =>
      post(tx, [
        { ...captured(of), at: instantOf(boundsOf(month).from - dayMs) },
        captureEntry(sold(of.merchant, "invoiced", 59n)),
        captureEntry(sold(of.merchant, "withheld", 20n)),
        // A fee that is all of it leaves the merchant nothing, and costs it all the same.
        captureEntry(sold(of.merchant, "withheld", 1000n)),
        transferEntry(sold(second, "invoiced", 7n)),
      ]),
    );
    const { body } = await read("running-fees", of.tenant);
    expect(body["month"]).toBe(monthOf(at));
    const fees = body["data"] as readonly unknown[];
    expect(fees).toHaveLength(2);
    expect(fees).toEqual(
      expect.arrayContaining([
        { merchant: of.merchant, currency: "USD", fee_minor: 1079, withheld_minor: 1020 },
        { merchant: second, currency: "USD", fee_minor: 7, withheld_minor: 0 },
      ]),
    );
    expect((await read("running-fees", newId("tenant"))).body["data"]).toEqual([]);
  });

  test("an invoice and its PDF are seen by its organization and the operator, and for others there is none", async () => {
    const [invoice] = await invoicesOf(mine.tenant);
    const at = `invoices/${String(invoice?.["id"])}`;
    for (const reader of [mine.tenant, platformTenant]) {
      expect(await read(at, reader)).toMatchObject({ status: 200, body: invoice });
      const pdf = await read(`${at}/pdf`, reader);
      expect(pdf.headers.get("content-type")).toBe("application/pdf");
      expect(String(pdf.body["text"])).toMatch(/^%PDF-1.7[^]*%%EOF\s*$/);
    }
    for (const path of [at, `${at}/pdf`]) {
      expect((await read(path, other.tenant)).status, path).toBe(404);
      expect((await read(path.replace(/inv_\w+/, newId("invoice")), platformTenant)).status, path).toBe(404);
    }
    expect(await invoicesOf(other.tenant)).toHaveLength(1);
    expect((await read(`invoices?organization=${mine.tenant}`, platformTenant)).body["data"]).toEqual([
      invoice,
    ]);
    expect((await read(`invoices?organization=${mine.tenant}`, other.tenant)).status).toBe(403);
  });

  test("that an invoice is paid is said by the operator alone, and once", async () => {
    const [invoice] = await invoicesOf(mine.tenant);
    const at = `invoices/${String(invoice?.["id"])}/payment`;
    const pay = (reference: string, more: CallOptions = {}) =>
      write("POST", at, { body: { reference }, ...more });
    expect((await pay("bank 1", { tenant: mine.tenant })).status).toBe(403);
    expect((await pay("bank 1", { scope: "billing:read" })).status).toBe(403);
    expect(await pay("bank 1")).toMatchObject({ status: 200, body: { status: "paid" } });
    expect((await pay("bank 1")).status).toBe(200);
    expect((await pay("bank 2")).status).toBe(409);
    expect(
      (await write("POST", `invoices/${newId("invoice")}/payment`, { body: { reference: "x" } })).status,
    ).toBe(404);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });
});
