import { after, type Id, minuteMs, toRfc3339 } from "@remit/kernel";
import { type Offer, peekOffer } from "@remit/protocol";
import { offerDigest, signOffer } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Charge } from "../src/charges/index.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { type Api, merchantOf, openApi } from "./charging/api.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
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

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const units = (minor: number): bigint => BigInt(minor) * 10_000n;

type Held = { readonly charge: Charge; readonly offer: Offer; readonly mandate: IssuedTestMandate };

/** A book of 10.00, held. */
async function held(request: Record<string, unknown> = {}, offer: Partial<Offer> = {}): Promise<Held> {
  const mandate = await giveMandate(world, request);
  const sent = purchase(world, { mandate, amount: 1_000, offer });
  const charge = await world.charges.create(asMerchant(world), sent);
  return { charge, offer: peekOffer(sent.offer), mandate };
}

/** The same offer with so much tax and shipping. */
const taxed = (offer: Offer, taxMinor: number, shippingMinor = 0, more: Partial<Offer> = {}): string =>
  signOffer(world.merchant.offerKey, {
    ...offer,
    amount_minor: offer.amount_minor + taxMinor + shippingMinor,
    ...(taxMinor > 0 && { tax_minor: taxMinor }),
    ...(shippingMinor > 0 && { shipping_minor: shippingMinor }),
    issued_at: toRfc3339(world.clock.now()),
    expires_at: toRfc3339(after(world.clock.now(), 5 * minuteMs)),
    ...more,
  });

const amend = ({ charge }: Held, offer: string) => world.charges.amend(own(world, charge.id), { offer });
const wordsFor = (id: Id<"charge">) =>
  world.billing.told
    .filter(({ charge }) => charge === id)
    .map(({ op, generation, amount_minor }) => `${op} ${generation} ${amount_minor}`);
const checked = (id: Id<"mandate">) => world.db.of(world.payer).transaction((tx) => checkBudget(tx, id));

describe("O13 tax and shipping added to a purchase that is held", () => {
  test("count to the budget, are held of the card in place of the former hold, and are captured with it", async () => {
    const of = await held({ amount_minor: 1_500 });
    const jws = taxed(of.offer, 210, 90);
    const amended = await amend(of, jws);
    expect(amended).toMatchObject({ state: "authorized", generation: 2, amount: { units: 1_300n } });
    expect(wordsFor(of.charge.id)).toEqual(["hold 1 1000", "release 1 1000", "hold 2 1300"]);
    expect(await budgetOf(world, of.mandate.id)).toMatchObject({ held: units(1_300), spent: 0n });
    const captured = await world.charges.capture(own(world, of.charge.id), order);
    expect(captured).toMatchObject({ state: "captured", capture: { units: 1_300n } });
    const { receipt } = await world.charges.shown(captured);
    const claims = JSON.parse(Buffer.from(receipt?.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      amount_minor: 1_300,
      offer_digest: of.charge.offer.digest,
      amended_offer_digest: offerDigest(peekOffer(jws)),
    });
    expect(await budgetOf(world, of.mandate.id)).toMatchObject({ held: 0n, spent: units(1_300) });
    expect(await checked(of.mandate.id)).toBe(true);
  });

  test("sent again, by any key, are added once", async () => {
    const of = await held();
    const jws = taxed(of.offer, 100);
    const path = `/api/v1/charges/${of.charge.id}/amend`;
    const post = (key: string) =>
      api.send({ as: merchantOf(world), method: "POST", path, body: { offer: jws }, key });
    const answers = await Promise.all(["a", "b", "c", "d"].map(post));
    // Who comes while another one asks billing is told to come back.
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const again = await post("e");
    expect([again.status, again.body["amount_minor"], again.body["generation"]]).toEqual([200, 1_100, 2]);
    expect((await budgetOf(world, of.mandate.id)).held).toBe(units(1_100));
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["what one charge may be", { per_charge_minor: 1_099 }, "charge_offer_amount_exceeds_mandate"],
    [
      "the day",
      { velocity: [{ period: "day", amount_minor: 1_099, zone: "UTC" }] },
      "mandate_velocity_exceeded",
    ],
    ["what the principal is asked about", { step_up: [{ above_minor: 1_099 }] }, "charge_amendment_refused"],
  ])("are refused above %s, and the purchase stands as it was", async (_what, request, code) => {
    const of = await held(request);
    expect(await refusalOf(amend(of, taxed(of.offer, 100)))).toBe(code);
    expect((await amend(of, taxed(of.offer, 99))).amount.units).toBe(1_099n);
    expect((await budgetOf(world, of.mandate.id)).held).toBe(units(1_099));
    expect(await checked(of.mandate.id)).toBe(true);
  });

  test("C01 are refused above the cap, which other purchases count to", async () => {
    const of = await held({ amount_minor: 2_099 });
    await world.charges.create(asMerchant(world), purchase(world, { mandate: of.mandate, amount: 1_000 }));
    expect(await refusalOf(amend(of, taxed(of.offer, 100)))).toBe("mandate_cap_exceeded");
    expect((await amend(of, taxed(of.offer, 99))).amount.units).toBe(1_099n);
    expect(await budgetOf(world, of.mandate.id)).toMatchObject({ held: units(2_099) });
    expect(await checked(of.mandate.id)).toBe(true);
  });

  test("O01 are all that may be added: other goods, a higher price or another merchant's offer are refused", async () => {
    const of = await held();
    const { offer } = of;
    for (const other of [
      taxed(offer, 100, 0, { name: "Another report" }),
      taxed(offer, 0, 0, { amount_minor: 1_100 }),
      taxed(offer, 100, 0, { amount_minor: 1_150 }),
      taxed(offer, 100, 0, { id: "another" }),
      taxed(offer, 100, 0, { serve_by_s: 900 }),
      taxed(offer, 0),
    ])
      expect(await refusalOf(amend(of, other))).toBe("charge_amendment_refused");
    const forged = signOffer(world.agent.dpop, { ...offer, amount_minor: 1_100, tax_minor: 100 });
    expect(await refusalOf(amend(of, forged))).toBe("offer_keyid_unknown");
    const jws = taxed(offer, 100);
    world.clock.advance(5 * minuteMs);
    expect(await refusalOf(amend(of, jws))).toBe("offer_signature_expired");
    expect((await budgetOf(world, of.mandate.id)).held).toBe(units(1_000));
  });

  test("O01 to a mandate for one offer nothing is added: another offer needs another mandate", async () => {
    const mandate = await giveMandate(world);
    const sent = purchase(world, { mandate });
    const digest = offerDigest(peekOffer(sent.offer));
    const of = await held({ offer_digest: digest, uses: "single" }, peekOffer(sent.offer));
    expect(await refusalOf(amend(of, taxed(of.offer, 100)))).toBe("mandate_offer_mismatch");
  });

  test("are refused once the purchase is captured, let go of or committed, and when its mandate is revoked", async () => {
    const captured = await held();
    await world.charges.capture(own(world, captured.charge.id), order);
    expect(await refusalOf(amend(captured, taxed(captured.offer, 1)))).toBe("charge_state_conflict");
    const released = await held();
    await world.charges.release(own(world, released.charge.id), "cancelled");
    expect(await refusalOf(amend(released, taxed(released.offer, 1)))).toBe("charge_state_conflict");
    const committed = await held({}, { commits: true });
    await world.charges.commit(own(world, committed.charge.id));
    expect(await refusalOf(amend(committed, taxed(committed.offer, 1)))).toBe("charge_state_conflict");
    const revoked = await held();
    const actor = { type: "account", id: world.principal } as const;
    await world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, revoked.mandate.id, { because: "test", actor }));
    expect(await refusalOf(amend(revoked, taxed(revoked.offer, 1)))).toBe("mandate_revoked");
    const late = await held();
    world.clock.advance(61_000);
    expect(await refusalOf(amend(late, taxed(late.offer, 1)))).toBe("charge_capture_too_late");
  });

  test("that race a capture are in it whole or not at all, and no more is spent than was captured", async () => {
    for (const _round of [1, 2, 3, 4]) {
      const of = await held();
      const [amended] = await Promise.allSettled([
        amend(of, taxed(of.offer, 100)),
        world.charges.capture(own(world, of.charge.id), order),
      ]);
      await world.charges.recover(world.payer, of.charge.id);
      const now = await world.charges.capture(own(world, of.charge.id), order).catch(() => undefined);
      const inIt = amended.status === "fulfilled" && amended.value.amount.units === 1_100n;
      if (now !== undefined) expect(now.capture?.units).toBe(inIt ? 1_100n : 1_000n);
      const { held: left, spent } = await budgetOf(world, of.mandate.id);
      expect([left, spent]).toEqual([0n, now === undefined ? 0n : units(Number(now.capture?.units))]);
      expect(await checked(of.mandate.id)).toBe(true);
    }
  });

  test("that race a release leave nothing held, at billing neither", async () => {
    for (const _round of [1, 2, 3, 4]) {
      const of = await held();
      await Promise.allSettled([
        amend(of, taxed(of.offer, 100)),
        world.charges.release(own(world, of.charge.id), "cancelled"),
      ]);
      world.clock.advance(11_000);
      await world.charges.recover(world.payer, of.charge.id);
      await world.charges.release(own(world, of.charge.id), "cancelled").catch(() => undefined);
      expect((await budgetOf(world, of.mandate.id)).held).toBe(0n);
      const standing = [...world.billing.payments.values()].filter(({ charge }) => charge === of.charge.id);
      expect(standing.filter(({ status }) => status !== "released")).toEqual([]);
    }
  });

  test("whose card has no room end the purchase: both holds are let go of, and the budget is whole", async () => {
    const of = await held();
    world.billing.fail("hold", "declined");
    const amended = await amend(of, taxed(of.offer, 100));
    expect(amended).toMatchObject({ state: "declined", because: "card_declined" });
    expect((await budgetOf(world, of.mandate.id)).held).toBe(0n);
  });

  test("M02 an amendment whose word to billing is lost holds one amount, whoever goes on", async () => {
    const of = await held();
    const jws = taxed(of.offer, 100);
    // What is let go of first is not known to be: nothing more is asked for until it is.
    world.billing.fail("release", "answer_lost");
    world.billing.fail("hold", "answer_lost");
    await amend(of, jws);
    expect((await amend(of, jws)).state).toBe("authorized");
    expect(wordsFor(of.charge.id).slice(0, 4)).toEqual([
      "hold 1 1000",
      "release 1 1000",
      "release 1 1000",
      "hold 2 1100",
    ]);
    const standing = [...world.billing.payments.values()].filter(({ charge }) => charge === of.charge.id);
    expect(standing.map(({ generation, status, amount }) => [generation, status, amount])).toEqual([
      [1, "released", 1_000],
      [2, "authorized", 1_100],
    ]);
  });

  test("M01 whose driver died before billing heard of it are let go of with all that was held", async () => {
    const of = await held();
    world.billing.fail("release", "lost", 2);
    expect((await amend(of, taxed(of.offer, 100))).state).toBe("authorizing");
    // Its merchant must not take the greater amount for held, nor the former hold for one that still is.
    const listed = await world.charges.show({ side: "payee", ...asMerchant(world) }, of.charge.id);
    expect(listed?.charge).toMatchObject({ state: "authorizing", generation: 2, amountMinor: 1_100n });
    world.clock.advance(11_000);
    await world.charges.recover(world.payer, of.charge.id);
    world.billing.fail("release", "lost", 0);
    world.clock.advance(11_000);
    await world.charges.recover(world.payer, of.charge.id);
    expect(await world.charges.whole({ side: "payee", ...asMerchant(world) }, of.charge.id)).toMatchObject({
      state: "released",
    });
    expect((await budgetOf(world, of.mandate.id)).held).toBe(0n);
    const standing = [...world.billing.payments.values()].filter(({ charge }) => charge === of.charge.id);
    expect(standing.every(({ status }) => status === "released")).toBe(true);
  });
});
