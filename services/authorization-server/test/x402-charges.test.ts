import { assetOfCaip19, type Id } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { type Offer, Problem } from "@remit/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Api, type As, openApi, walletOf } from "./charging/api.ts";
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

const usdc = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const network = "eip155:84532";
const caip19 = `${network}/erc20:${usdc}`;
const seller = `0x${"5e".repeat(20)}`;

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
/** The directory is asked again after a minute. */
const sells = (rails: readonly string[]): void => {
  world.directory.merchant = { ...world.directory.merchant, rails, currencies: ["USD"] };
  world.clock.advance(61_000);
};
beforeEach(() => sells(["x402"]));

const transferOf = (minor: number) => ({
  network,
  asset: usdc,
  amount: String(minor * 10_000),
  pay_to: seller,
  name: "USDC",
  version: "2",
});
const dollars = (more: Record<string, unknown> = {}) =>
  giveMandate(world, { currency: "USD", also_accepts: [{ asset: caip19, peg: "USD" }], ...more });
type Mandate = Awaited<ReturnType<typeof dollars>>;
const buy = (mandate: Mandate, amount = 1_000, offer: Partial<Offer> = { transfer: transferOf(amount) }) =>
  world.charges.create(
    asMerchant(world),
    purchase(world, { mandate, amount, offer: { currency: "USD", ...offer } }),
  );
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const toldOf = (charge: Id<"charge">) => world.billing.told.filter((one) => one.charge === charge);
const units = (minor: number): bigint => BigInt(minor) * 10_000n;

describe("a mandate at a merchant that takes only x402", () => {
  test("is charged by the transfer that the merchant signed, and its cap counts it at par", async () => {
    expect(assetOfCaip19(caip19)?.peg).toBe("USD");
    const mandate = await dollars();
    const charge = await buy(mandate);
    expect(charge).toMatchObject({ state: "authorized", rail: "x402" });
    expect((await budgetOf(world, mandate.id)).held).toBe(units(1_000));
    const captured = await world.charges.capture(own(world, charge.id), order);
    expect(captured.state).toBe("captured");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_000) });
    // Each word to billing says what is signed and for whom, from the merchant's offer.
    expect(toldOf(charge.id).map(({ op, transfer }) => [op, transfer])).toEqual([
      ["hold", transferOf(1_000)],
      ["capture", transferOf(1_000)],
    ]);
  });

  test("V03 is refused a token that the mandate does not list, whatever it is worth", async () => {
    const mandate = await giveMandate(world, { currency: "USD" });
    expect(await refusalOf(buy(mandate))).toBe("mandate_asset_not_accepted");
    expect((await budgetOf(world, mandate.id)).held).toBe(0n);
  });

  test("V03 an offer whose transfer is not at par with its price is none", async () => {
    const mandate = await dollars();
    for (const transfer of [
      { ...transferOf(1_000), amount: "9999999" },
      { ...transferOf(1_000), asset: `0x${"1".repeat(40)}` },
      { ...transferOf(1_000), pay_to: "seller" },
    ]) {
      const refusal = (): unknown => purchase(world, { mandate, offer: { currency: "USD", transfer } });
      expect(refusal).toThrow(Problem);
    }
  });

  test("is captured whole or not at all", async () => {
    const charge = await buy(await dollars());
    const part = world.charges.capture(own(world, charge.id), { ...order, amountMinor: 500 });
    expect(await refusalOf(part)).toBe("invalid_request");
  });

  test("C01 of 12 at once under a cap for four exactly four are held", async () => {
    const mandate = await dollars({ amount_minor: 4_000 });
    const one = async (): Promise<string> => {
      const outcome = await buy(mandate).catch((error: unknown) => error);
      if (!(outcome instanceof Problem)) return Object(outcome).state;
      // How fast the machine is must not decide a test.
      return outcome.code === "unavailable" ? one() : outcome.code;
    };
    const outcomes = await Promise.all(Array.from({ length: 12 }, one));
    expect(outcomes.filter((is) => is === "authorized")).toHaveLength(4);
    expect(outcomes.filter((is) => is === "mandate_cap_exceeded")).toHaveLength(8);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(4_000), spent: 0n });
  });

  test("where the merchant takes both, is charged by the rail that the mandate allows, and by card first", async () => {
    sells(["card", "x402"]);
    expect((await buy(await dollars())).rail).toBe("card");
    expect((await buy(await dollars({ rails: ["x402"] }))).rail).toBe("x402");
    expect(await refusalOf(buy(await dollars({ rails: ["x402"] }), 1_000, {}))).toBe(
      "mandate_rail_not_allowed",
    );
    sells(["x402"]);
    expect(await refusalOf(buy(await dollars({ rails: ["card"] })))).toBe("mandate_rail_not_allowed");
  });

  test("C12 is not captured after its mandate was revoked", async () => {
    const mandate = await dollars();
    const charge = await buy(mandate);
    const actor = { type: "account", id: world.principal } as const;
    await world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, mandate.id, { because: "test", actor }));
    expect(await refusalOf(world.charges.capture(own(world, charge.id), order))).toBe("mandate_revoked");
    expect(toldOf(charge.id).map(({ op }) => op)).toEqual(["hold", "release"]);
    expect((await budgetOf(world, mandate.id)).held).toBe(0n);
  });
});

describe("what was paid over a chain is given back by its merchant, who names the transaction", () => {
  const transaction = `0x${"ab".repeat(32)}`;
  async function bought() {
    const mandate = await dollars();
    const { id } = await buy(mandate);
    await world.charges.capture(own(world, id), order);
    const refund = (wish: { key: string; amountMinor?: number; transaction?: string }) =>
      world.charges.refund(own(world, id), { amountMinor: undefined, ...wish });
    return { mandate: mandate.id, id, refund };
  }

  test("M07 the budget has it again once billing has seen it on the chain, once per request", async () => {
    const { mandate, id, refund } = await bought();
    const part = await refund({ key: "one", amountMinor: 300, transaction });
    expect(part).toMatchObject({ state: "captured", refunded: { units: 300n } });
    expect((await refund({ key: "one", amountMinor: 300, transaction })).refunded.units).toBe(300n);
    expect((await budgetOf(world, mandate)).spent).toBe(units(700));
    const told = toldOf(id).filter(({ op }) => op === "refund");
    expect(told).toEqual([expect.objectContaining({ amount_minor: 300, transaction })]);
    expect((await refund({ key: "two", transaction: `0x${"cd".repeat(32)}` })).state).toBe("refunded");
    expect((await budgetOf(world, mandate)).spent).toBe(0n);
  });

  test("without a transaction nothing is asked of billing, and a card's refund has none", async () => {
    const { id, refund } = await bought();
    expect(await refusalOf(refund({ key: "none" }))).toBe("invalid_request");
    expect(toldOf(id).map(({ op }) => op)).toEqual(["hold", "capture"]);
    sells(["card"]);
    const card = await buy(await dollars(), 1_000, {});
    await world.charges.capture(own(world, card.id), order);
    const wish = { key: "card", amountMinor: undefined, transaction };
    expect(await refusalOf(world.charges.refund(own(world, card.id), wish))).toBe("invalid_request");
  });

  test("the same key with another transaction is another request", async () => {
    const { refund } = await bought();
    await refund({ key: "one", amountMinor: 300, transaction });
    const other = refund({ key: "one", amountMinor: 300, transaction: `0x${"cd".repeat(32)}` });
    expect(await refusalOf(other)).toBe("idempotency_conflict");
  });

  test("M07 what billing does not find on the chain is refused with its reason, and the budget stays spent", async () => {
    const { mandate, refund } = await bought();
    world.billing.fail("refund", "refused");
    const outcome = await refund({ key: "one", transaction }).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: "refund_refused", extra: { reason: "transfer_not_matching" } });
    expect((await budgetOf(world, mandate)).spent).toBe(units(1_000));
    expect((await refund({ key: "two", transaction })).state).toBe("refunded");
  });

  test("M07 an answer that was lost is read back: one refund, of the transaction that was named", async () => {
    const { mandate, id, refund } = await bought();
    world.billing.fail("refund", "answer_lost");
    expect((await refund({ key: "one", transaction })).state).toBe("refunded");
    expect(world.billing.done.filter((one) => one === `refund ${id}`)).toHaveLength(1);
    expect((await budgetOf(world, mandate)).spent).toBe(0n);
  });
});

describe("a token that the operator has suspended", () => {
  const operator: As = { tenant: platformTenant, client: "operator", scopes: ["admin:orgs"] };
  const path = "/api/v1/suspended-assets";
  const tell = (suspended: boolean, as = operator, asset = caip19) =>
    api.send({ as, method: "POST", path, body: { asset, suspended, because: "off its peg" } });

  test("V03 is no mandate's any more, at the hold and at the commit point, until it is let go again", async () => {
    const mandate = await dollars();
    const held = await buy(mandate);
    const told = await tell(true, operator, caip19.toUpperCase());
    expect(told.body["data"]).toMatchObject([{ asset: caip19.toLowerCase(), because: "off its peg" }]);
    await tell(true);
    expect(await refusalOf(buy(mandate))).toBe("mandate_asset_not_accepted");
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe(
      "mandate_asset_not_accepted",
    );
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n });
    sells(["card"]);
    const card = await buy(mandate, 1_000, {});
    expect((await world.charges.capture(own(world, card.id), order)).state).toBe("captured");
    sells(["x402"]);
    for (let times = 0; times < 2; times++) expect((await tell(false)).body["data"]).toEqual([]);
    expect(await buy(mandate)).toMatchObject({ state: "authorized", rail: "x402" });
    const events = await world.database.asAdmin<{ event: string }>(
      "select event from audit_rows where subject = $1 order by event_id",
      [caip19.toLowerCase()],
    );
    expect(events.map(({ event }) => event)).toEqual(["asset.suspended", "asset.resumed"]);
  });

  test("T01 is the operator's to say, of a token that there is", async () => {
    for (const as of [{ ...operator, tenant: world.payer }, walletOf(world)])
      for (const sent of [await tell(true, as), await api.send({ as, path })]) expect(sent.status).toBe(403);
    expect(await tell(true, operator, "eip155:1/erc20:0x0")).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    expect((await api.send({ as: operator, path })).body["data"]).toEqual([]);
  });
});
