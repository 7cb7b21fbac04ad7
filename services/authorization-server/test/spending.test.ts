import { newId } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emptyOn, lastOfMonth, perDay } from "../src/spending/forecast.ts";
import { type Api, type As, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  own,
  purchase,
  type World,
} from "./charging/world.ts";

let world: World;
let api: Api;
let books: IssuedTestMandate;
let today: string;
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
  [books] = [await giveMandate(world)];
  const [row] = await world.database.asAdmin<{ day: string }>(
    "select (now() at time zone 'Pacific/Kiritimati')::date::text as day",
    [],
  );
  today = row?.day ?? "";
  await put({ zone: "Pacific/Kiritimati" });
  await buy(books, 1_000);
  const charge = await buy(books, 500);
  await world.charges.refund(own(world, charge), { key: "one", amountMinor: 200 });
  const released = await hold(books, 900);
  await world.charges.release(own(world, released), "cancelled");
});
afterAll(async () => {
  await api.close();
  await world.close();
});

const hold = async (mandate: IssuedTestMandate, amount: number) =>
  (await world.charges.create(asMerchant(world), purchase(world, { mandate, amount }))).id;
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
async function buy(mandate: IssuedTestMandate, amount: number) {
  const id = await hold(mandate, amount);
  await world.charges.capture(own(world, id), order);
  return id;
}
const get = (path: string, as: As = walletOf(world)): Promise<Sent> => api.send({ as, path });
const put = (body: object): Promise<Sent> =>
  api.send({ as: walletOf(world), method: "PUT", path: "/api/v1/wallet/settings", body });

describe("spending", () => {
  test.each(["agent", "merchant", "category", "day", "mandate"])(
    "by %s is what was captured, and what came back",
    async (by) => {
      const key = {
        agent: world.agent.id,
        merchant: world.merchant.id,
        category: "books",
        day: today,
        mandate: books.id,
      }[by];
      const { body } = await get(`/api/v1/wallet/spending?by=${by}`);
      expect(body).toMatchObject({ zone: "Pacific/Kiritimati", until: today, by, more: false });
      const sum = { key, currency: "EUR", spent_minor: 1_500, refunded_minor: 200, charges: 2 };
      expect(body["data"]).toEqual([sum]);
    },
  );

  test("of other days, another agent or another tenant is none of it", async () => {
    for (const query of ["since=2020-01-01&until=2020-12-31", `agent_id=${newId("agent")}`])
      expect((await get(`/api/v1/wallet/spending?${query}`)).body["data"]).toEqual([]);
    const strange = { ...walletOf(world), tenant: newId("tenant") };
    expect((await get("/api/v1/wallet/spending", strange)).body["data"]).toEqual([]);
  });

  test.each([
    "since=2026-02-30",
    "since=2026-11-30&until=2026-11-29",
    "since=2020-01-01&until=2026-01-01",
    "by=name",
  ])("V01 %s is refused", async (query) => {
    expect((await get(`/api/v1/wallet/spending?${query}`)).status).toBe(400);
  });

  test("as a file is text in every cell", async () => {
    const { headers, text } = await get("/api/v1/wallet/spending/export");
    expect(headers.get("content-type")).toMatch(/^text\/csv/);
    const [head, line, end] = text.split("\r\n");
    expect(head).toBe(
      "day,agent_id,mandate_id,merchant_id,category,currency,spent_minor,refunded_minor,charges",
    );
    const cells = [today, world.agent.id, books.id, world.merchant.id, "books", "EUR", "1500", "200", "2"];
    expect([line, end]).toEqual([cells.map((cell) => `"${cell}"`).join(","), ""]);
  });

  test("of a mandate burns down with all below it, and says when nothing will be left", async () => {
    const { body } = await get(`/api/v1/mandates/${books.id}/burn-down`);
    expect(body).toMatchObject({
      cap_minor: 10_000,
      remaining_minor: 8_700,
      days: [{ day: today, spent_minor: 1_500, refunded_minor: 200, charges: 2 }],
      forecast: { per_day_minor: expect.any(Number) },
    });
    const strange = { ...walletOf(world), tenant: newId("tenant") };
    expect((await get(`/api/v1/mandates/${books.id}/burn-down`, strange)).status).toBe(404);
  });

  test("of this month is foretold in each currency, and never above what mandates allow", async () => {
    const { body } = await get("/api/v1/wallet/forecast");
    expect(body).toMatchObject({
      today,
      data: [{ currency: "EUR", spent_minor: 1_300, remaining_minor: 8_700 }],
    });
    const [{ expected_minor: expected = 0 } = {}] = body["data"] as { expected_minor?: number }[];
    expect(expected).toBeGreaterThanOrEqual(1_300);
    expect(expected).toBeLessThanOrEqual(10_000);
  });

  test("has its days in a zone that there is", async () => {
    expect((await put({ zone: "Mars/Olympus" })).status).toBe(400);
    expect((await get("/api/v1/wallet/settings")).body).toEqual({ zone: "Pacific/Kiritimati" });
  });
});

test("a forecast never says that money lasts longer than it does", () => {
  expect(perDay(29n, 28)).toBe(2n);
  expect(perDay(-5n, 28)).toBe(0n);
  const within = { today: "2026-11-26", until: "2026-12-31" };
  expect(emptyOn(10n, 3n, within)).toBe("2026-11-30");
  expect(emptyOn(10n, 0n, within)).toBeUndefined();
  expect(emptyOn(0n, 3n, within)).toBe("2026-11-26");
  expect(emptyOn(1_000n, 3n, within)).toBeUndefined();
  expect(emptyOn(10n ** 24n, 1n, within)).toBeUndefined();
  expect(lastOfMonth("2028-02-10")).toBe("2028-02-29");
  expect(lastOfMonth("2026-12-01")).toBe("2026-12-31");
});
