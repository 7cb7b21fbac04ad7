import { after, hourMs, newId, toRfc3339 } from "@remit/kernel";
import type { NarrowMandate } from "@remit/protocol/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBudget } from "../src/mandates/index.ts";
import { type Api, openApi, type Sent, walletOf } from "./charging/api.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  own,
  purchase,
  refusalOf,
  type World,
} from "./charging/world.ts";

let world: World;
let api: Api;
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});

type Mandate = Awaited<ReturnType<typeof giveMandate>>;
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const charge = (wanted: Parameters<typeof purchase>[1]) =>
  world.charges.create(asMerchant(world), purchase(world, wanted));
const narrow = (mandate: Mandate, body: NarrowMandate, as = walletOf(world)): Promise<Sent> =>
  api.send({ as, method: "POST", path: `/api/v1/mandates/${mandate.id}/narrow`, body });
const units = (minor: number): bigint => BigInt(minor) * 10_000n;

describe("a mandate that is narrowed", () => {
  test("allows less from then on, whatever its credential says", async () => {
    const mandate = await giveMandate(world, { categories: ["books", "music"] });
    const until = toRfc3339(after(world.clock.now(), hourMs));
    const narrowed = await narrow(mandate, {
      amount_minor: 5_000,
      per_charge_minor: 800,
      categories: ["music"],
      valid_until: until,
    });
    expect(narrowed).toMatchObject({
      status: 200,
      body: { amount_minor: 5_000, per_charge_minor: 800, categories: ["music"], valid_until: until },
    });
    expect(narrowed.body["narrowed_at"]).not.toBeNull();
    expect(await refusalOf(charge({ mandate, amount: 500 }))).toBe("mandate_category_not_allowed");
    const told = await world.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event",
      [mandate.id],
    );
    expect(told).toEqual([{ event: "mandate.issued" }, { event: "mandate.narrowed" }]);
  });

  test("O08 a charge above a limit that is narrower than the credential's is refused", async () => {
    const mandate = await giveMandate(world);
    await narrow(mandate, { per_charge_minor: 800 });
    expect(await refusalOf(charge({ mandate, amount: 801 }))).toBe("charge_offer_amount_exceeds_mandate");
    expect(await charge({ mandate, amount: 800 })).toMatchObject({ state: "authorized" });
  });

  test("has no room while more is held than its new cap, and falls to it as that is released", async () => {
    const mandate = await giveMandate(world);
    const [first, second] = [
      await charge({ mandate, amount: 4_000 }),
      await charge({ mandate, amount: 3_000 }),
    ];
    const narrowed = await narrow(mandate, { amount_minor: 2_000 });
    expect(narrowed.body).toMatchObject({ amount_minor: 2_000, held_minor: 7_000, remaining_minor: 0 });
    expect(await refusalOf(charge({ mandate, amount: 1 }))).toBe("mandate_cap_exceeded");
    await world.charges.release(own(world, first.id), "cancelled");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ cap: units(3_000), held: units(3_000) });
    // What is held already goes on: it was allowed when it was asked.
    await world.charges.capture(own(world, second.id), order);
    expect(await refusalOf(charge({ mandate, amount: 1 }))).toBe("mandate_cap_exceeded");
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  });

  test("C01 no charge that races a narrowing gets past both caps", async () => {
    const mandate = await giveMandate(world);
    const racing = Array.from({ length: 12 }, () =>
      charge({ mandate, amount: 1_000 }).catch(() => undefined),
    );
    const narrowed = await narrow(mandate, { amount_minor: 3_000 });
    expect(narrowed.status).toBe(200);
    const held = (await Promise.all(racing)).filter((one) => one !== undefined).length;
    const budget = await budgetOf(world, mandate.id);
    expect(budget.held).toBe(units(held * 1_000));
    expect(budget.cap).toBe(budget.held > units(3_000) ? budget.held : units(3_000));
    const more = await charge({ mandate, amount: 3_000 }).catch(() => undefined);
    expect(more === undefined || held === 0).toBe(true);
  });

  test("counts a period's new rule from then on, and a tighter one with what it counted", async () => {
    const mandate = await giveMandate(world, {
      velocity: [{ period: "day", count: 5, zone: "Europe/Amsterdam" }],
    });
    await charge({ mandate, amount: 100 });
    await narrow(mandate, {
      velocity: [
        { period: "day", count: 2, zone: "Europe/Amsterdam" },
        { period: "month", amount_minor: 150 },
      ],
    });
    expect(await refusalOf(charge({ mandate, amount: 151 }))).toBe("mandate_velocity_exceeded");
    await charge({ mandate, amount: 50 });
    expect(await refusalOf(charge({ mandate, amount: 50 }))).toBe("mandate_velocity_exceeded");
  });

  test("for one use, is used up by the use it had", async () => {
    const mandate = await giveMandate(world);
    await charge({ mandate, amount: 100 });
    await narrow(mandate, { uses: "single" });
    expect(await refusalOf(charge({ mandate, amount: 100 }))).toBe("mandate_uses_exhausted");
  });

  test("for one use, has none left where one of several is let go", async () => {
    const mandate = await giveMandate(world);
    const bought = await charge({ mandate, amount: 100 });
    await world.charges.capture(own(world, bought.id), order);
    const [first, second] = [await charge({ mandate, amount: 100 }), await charge({ mandate, amount: 100 })];
    await narrow(mandate, { uses: "single" });
    for (const { id } of [first, second]) {
      await world.charges.release(own(world, id), "cancelled");
      expect(await refusalOf(charge({ mandate, amount: 100 }))).toBe("mandate_uses_exhausted");
    }
    expect(await budgetOf(world, mandate.id)).toMatchObject({ uses: 1, usesMax: 1 });
  });

  test("for one use, has it still where all that was held is let go", async () => {
    const mandate = await giveMandate(world);
    const held = [await charge({ mandate, amount: 100 }), await charge({ mandate, amount: 100 })];
    await narrow(mandate, { uses: "single" });
    for (const { id } of held) await world.charges.release(own(world, id), "cancelled");
    expect(await charge({ mandate, amount: 100 })).toMatchObject({ state: "authorized" });
    expect(await refusalOf(charge({ mandate, amount: 100 }))).toBe("mandate_uses_exhausted");
  });
});

describe("what narrowing refuses", () => {
  test.each<[string, NarrowMandate, string]>([
    ["a higher cap", { amount_minor: 10_001 }, "amount_minor"],
    ["a higher limit of one charge", { per_charge_minor: 2_001 }, "per_charge_minor"],
    ["another merchant", { merchants: ["https://shop.test", "https://other.test"] }, "merchants"],
    ["another category", { categories: ["fish"] }, "categories"],
    ["another rail", { rails: ["x402"] }, "rails"],
    ["a later end", { valid_until: "2099-01-01T00:00:00Z" }, "valid_until"],
    ["a looser period", { velocity: [{ period: "day", amount_minor: 4_001 }] }, "velocity.day.amount_minor"],
  ])("C01 %s is not narrower, and changes nothing", async (_, asked, member) => {
    const mandate = await giveMandate(world, {
      per_charge_minor: 2_000,
      merchants: ["https://shop.test"],
      categories: ["books"],
      rails: ["card"],
      velocity: [{ period: "day", amount_minor: 4_000 }],
    });
    const refused = await narrow(mandate, { ...asked, step_up: [{ above_minor: 1 }] });
    expect(refused).toMatchObject({ status: 400, body: { code: "mandate_would_widen", member } });
    expect(
      (await api.send({ as: walletOf(world), path: `/api/v1/mandates/${mandate.id}` })).body,
    ).toMatchObject({
      narrowed_at: null,
      amount_minor: 10_000,
      step_up: [],
    });
  });

  test("what was narrowed once is not widened again, nor by the database's own role", async () => {
    const mandate = await giveMandate(world);
    const until = after(world.clock.now(), hourMs);
    await narrow(mandate, { amount_minor: 500, valid_until: toRfc3339(until) });
    expect(await narrow(mandate, { amount_minor: 501 })).toMatchObject({ status: 400 });
    const widen = world.database.asAdmin(
      `update mandates set narrowed_until = expires_at where id = '${mandate.id}'`,
    );
    await expect(widen).rejects.toThrow(/stays narrow/);
  });

  test("T01 nothing, an unknown member, a past end, a revoked mandate and another's are refused", async () => {
    const mandate = await giveMandate(world);
    const path = `/api/v1/mandates/${mandate.id}/narrow`;
    const send = (body: unknown): Promise<Sent> =>
      api.send({ as: walletOf(world), method: "POST", path, body });
    expect(await send({})).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await send({ currency: "USD" })).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await send({ velocity: [{ period: "day", count: 1, zone: "Mars/Olympus" }] })).toMatchObject({
      status: 400,
      body: { code: "invalid_authorization_details" },
    });
    const past = toRfc3339(after(world.clock.now(), -hourMs));
    expect(await send({ valid_until: past })).toMatchObject({ status: 400 });
    const other = { ...walletOf(world), tenant: newId("tenant") };
    const foreign = await narrow(mandate, { amount_minor: 1 }, other);
    expect(foreign).toMatchObject({ status: 404, body: { code: "not_found" } });
    await api.send({ as: walletOf(world), method: "POST", path: path.replace("narrow", "revoke"), body: {} });
    expect(await send({ amount_minor: 1 })).toMatchObject({ status: 403, body: { code: "mandate_revoked" } });
  });
});
