import { type Asset, type Instant, type Money, money } from "@remit/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HoldOrder, PaymentEngine, RefundOrder, Standing } from "../src/index.ts";

/** What can be made to go wrong between an engine and its provider. */
export type Trouble =
  | "lost_request"
  | "lost_answer"
  | "server_error"
  | "server_error_after_effect"
  | "decline";
export type Verb = "create" | "confirm" | "capture" | "cancel" | "refund";

/** What a rail can do; the rest of the suite holds for all. */
export type Traits = {
  /** Making the payment known and asking for its money are one call, so that nothing rests `prepared`. */
  readonly holdsInOneCall: boolean;
  /** Less than was held may be captured. */
  readonly capturesInPart: boolean;
  /** The provider hears of a release and captures nothing after it. */
  readonly releasesAtProvider: boolean;
  /** The provider forgets keys after a day: from then on a hold is looked up and never asked for again. */
  readonly forgetsKeys: boolean;
  /** The engine itself gives money back. */
  readonly refunds: boolean;
  /** The provider may answer a hold with a decline, and remembers that it did. */
  readonly declines: boolean;
};

export const cardTraits: Traits = {
  holdsInOneCall: false,
  capturesInPart: true,
  releasesAtProvider: true,
  forgetsKeys: true,
  refunds: true,
  declines: true,
};

/** A provider that an engine can be tried against. */
export type Stage<Source> = {
  readonly engine: PaymentEngine<Source>;
  readonly now: Instant;
  /** In what the suite pays: 1000 units of it. */
  readonly asset: Asset;
  /** What the rail has no way to charge. */
  readonly inexpressible: Money;
  /** The next call of a verb fails, the SDK's own second try included. */
  breakNext(verb: Verb, trouble: Trouble): Promise<void>;
  /** How many payments of this key exist at the provider, and how many took money. */
  count(key: string): Promise<{ existing: number; captured: number }>;
  /** The provider's memory of keys ends, as after 24 h. */
  forgetKeys(): Promise<void>;
  /** What was given back of a payment, refund for refund. */
  refunds(reference: string): Promise<readonly bigint[]>;
  /** Somebody who can pay that much once. */
  payer(amount: Money): Promise<Source>;
  close(): Promise<void>;
};

let number = 0;

/** Every rail's engine passes this: the four verbs, and what must hold when an answer is lost. */
export function describeEngine<Source>(
  name: string,
  traits: Traits,
  open: () => Promise<Stage<Source>>,
): void {
  describe(`the ${name} engine`, () => {
    let stage: Stage<Source>;
    let price: Money;
    beforeAll(async () => {
      stage = await open();
      price = money(stage.asset, 1000n);
    });
    afterAll(() => stage.close());

    const order = async (more: Partial<HoldOrder<Source>> = {}): Promise<HoldOrder<Source>> => ({
      key: `pay_${++number}`,
      attempt: 1,
      amount: price,
      reference: null,
      startedAt: stage.now,
      labels: { charge: `chg_${number}` },
      source: await stage.payer(price),
      ...more,
    });
    const held = async (more: Partial<HoldOrder<Source>> = {}) => {
      const of = await order(more);
      const kept: string[] = [];
      const standing = await stage.engine.hold(of, async (reference) => kept.push(reference) > 0);
      return { of, kept, standing, reference: kept[0] ?? "" };
    };
    const refundOf = (key: string, reference: string, units: bigint, recovered = false): RefundOrder => ({
      key,
      attempt: 1,
      reference,
      amount: money(price.asset, units),
      startedAt: stage.now,
      recovered,
    });
    const kind = async (standing: Promise<Standing>): Promise<string> => (await standing).kind;

    test("hold and capture: the amount comes back exactly", async () => {
      const { of, standing, reference } = await held();
      expect(standing).toMatchObject({ kind: "authorized", reference, amount: price });
      expect(await kind(stage.engine.readBack(reference))).toBe("authorized");
      const captured = await stage.engine.capture({ ...of, reference, amount: price });
      expect(captured).toMatchObject({ kind: "captured", reference, amount: price });
      expect(await stage.engine.readBack(reference)).toMatchObject({ kind: "captured", amount: price });
      expect(await stage.count(of.key)).toEqual({ existing: 1, captured: 1 });
    });

    test("a capture that is asked for twice takes the money once", async () => {
      const { of, reference } = await held();
      const capture = { ...of, reference, amount: price };
      expect(await kind(stage.engine.capture(capture))).toBe("captured");
      expect(await kind(stage.engine.capture({ ...capture, attempt: 2 }))).toBe("captured");
      expect((await stage.count(of.key)).captured).toBe(1);
    });

    if (traits.capturesInPart)
      test("a part is captured and booked, and no more is refunded", async () => {
        const { of, reference } = await held();
        const part = money(price.asset, 700n);
        const captured = await stage.engine.capture({ ...of, reference, amount: part });
        expect(captured).toMatchObject({ kind: "captured", amount: part, booking: { amount: part } });
        const refund = refundOf("rfd_1", reference, 300n);
        expect(await stage.engine.refund(refund)).toMatchObject({
          kind: "refunded",
          amount: { units: 300n },
        });
        expect(await stage.engine.refund(refund)).toMatchObject({
          kind: "refunded",
          amount: { units: 300n },
        });
        expect(
          await stage.engine.refund({ ...refund, key: "rfd_2", amount: money(price.asset, 401n) }),
        ).toMatchObject({ kind: "refused" });
        expect(await kind(stage.engine.readBack(reference))).toBe("captured");
      });

    test("the reference is kept before anything can cost money", async () => {
      const of = await order();
      const broken = stage.engine.hold(of, () => Promise.reject(new TypeError("the database is away")));
      await expect(broken).rejects.toThrow("the database is away");
      expect(await stage.count(of.key)).toEqual({ existing: 1, captured: 0 });
      const again = await held(of);
      expect(again.standing.kind).toBe("authorized");
      expect(await stage.count(of.key)).toEqual({ existing: 1, captured: 0 });
    });

    test("a hold that nobody wants any more goes no further, and can be released", async () => {
      const of = await order();
      const kept: string[] = [];
      const standing = await stage.engine.hold(of, async (reference) => kept.push(reference) < 0);
      expect(standing.kind).toBe(traits.holdsInOneCall ? "authorized" : "prepared");
      const reference = kept[0] ?? "";
      expect(await kind(stage.engine.release({ ...of, reference }))).toBe("released");
    });

    if (traits.releasesAtProvider)
      test("a release frees the hold, and a capture after it tells so instead of failing", async () => {
        const { of, reference } = await held();
        expect(await kind(stage.engine.release({ ...of, reference }))).toBe("released");
        expect(await kind(stage.engine.release({ ...of, reference, attempt: 2 }))).toBe("released");
        expect(await kind(stage.engine.capture({ ...of, reference, amount: price }))).toBe("released");
      });

    test("a captured payment cannot be released: the answer is that it was captured", async () => {
      const { of, reference } = await held();
      await stage.engine.capture({ ...of, reference, amount: price });
      expect(await kind(stage.engine.release({ ...of, reference }))).toBe("captured");
    });

    if (traits.declines)
      test("a decline is told with its code and reads back as the same", async () => {
        const of = await order();
        await stage.breakNext("confirm", "decline");
        const kept: string[] = [];
        const standing = await stage.engine.hold(of, async (reference) => kept.push(reference) > 0);
        expect(standing).toMatchObject({ kind: "declined", code: "generic_decline" });
        expect(await stage.engine.readBack(kept[0] ?? "")).toMatchObject({
          kind: "declined",
          code: "generic_decline",
        });
      });

    test("what the provider cannot express is refused before it is asked", async () => {
      const of = await order({ amount: stage.inexpressible });
      expect(await stage.engine.hold(of, async () => true)).toMatchObject({ kind: "refused" });
      expect(await stage.count(of.key)).toEqual({ existing: 0, captured: 0 });
    });

    test.each(["lost_request", "lost_answer"] as const)(
      "M02 a create with a %s is replayed with the same key and makes one payment",
      async (trouble) => {
        const of = await order();
        await stage.breakNext("create", trouble);
        expect(await kind(stage.engine.hold(of, async () => true))).toBe("unknown");
        expect(await kind(stage.engine.hold(of, async () => true))).toBe("authorized");
        expect((await stage.count(of.key)).existing).toBe(1);
      },
    );

    if (traits.forgetsKeys)
      test("M02 a create whose 500 is stored is found by its label and time; one that did nothing is absent", async () => {
        const of = await order();
        await stage.breakNext("create", "server_error_after_effect");
        expect(await kind(stage.engine.hold(of, async () => true))).toBe("unknown");
        expect(await kind(stage.engine.hold(of, async () => true))).toBe("authorized");
        expect((await stage.count(of.key)).existing).toBe(1);
        const none = await order();
        await stage.breakNext("create", "server_error");
        expect(await kind(stage.engine.hold(none, async () => true))).toBe("unknown");
        expect(await kind(stage.engine.hold(none, async () => true))).toBe("absent");
        expect(await kind(stage.engine.hold({ ...none, attempt: 2 }, async () => true))).toBe("authorized");
        expect((await stage.count(none.key)).existing).toBe(1);
      });

    if (traits.forgetsKeys)
      test("after 20 h a create is never replayed, only looked up", async () => {
        const of = await order({ startedAt: (stage.now - 21 * 3_600_000) as Instant });
        expect(await kind(stage.engine.hold(of, async () => true))).toBe("absent");
        expect((await stage.count(of.key)).existing).toBe(0);
      });

    test("M09 a capture whose answer is lost reads back as captured, never as releasable", async () => {
      const { of, reference } = await held();
      await stage.breakNext("capture", "lost_answer");
      expect(await kind(stage.engine.capture({ ...of, reference, amount: price }))).toBe("unknown");
      expect(await kind(stage.engine.readBack(reference))).toBe("captured");
      expect((await stage.count(of.key)).captured).toBe(1);
    });

    test("M10 a capture with a stored 500 is read, and captured with the next attempt's key", async () => {
      const { of, reference } = await held();
      await stage.breakNext("capture", "server_error");
      const first = { ...of, reference, amount: price };
      expect(await kind(stage.engine.capture(first))).toBe("unknown");
      expect(await kind(stage.engine.capture(first))).toBe("unknown");
      expect(await kind(stage.engine.readBack(reference))).toBe("authorized");
      expect(await kind(stage.engine.capture({ ...first, attempt: 2 }))).toBe("captured");
    });

    if (traits.refunds)
      test("a refund whose answer is lost is found again and never paid twice", async () => {
        const { of, reference } = await held();
        await stage.engine.capture({ ...of, reference, amount: price });
        const refund = refundOf(`rfd_lost_${number}`, reference, 400n);
        await stage.breakNext("refund", "server_error_after_effect");
        expect((await stage.engine.refund(refund)).kind).toBe("unknown");
        expect(await stage.engine.refund(refund)).toMatchObject({
          kind: "refunded",
          amount: { units: 400n },
        });
        await stage.breakNext("refund", "server_error");
        const other = { ...refund, key: `${refund.key}b` };
        expect((await stage.engine.refund(other)).kind).toBe("unknown");
        expect((await stage.engine.refund(other)).kind).toBe("absent");
        expect((await stage.engine.refund({ ...other, attempt: 2 })).kind).toBe("refunded");
      });

    if (traits.refunds)
      test.each([
        ["in part", 500n],
        ["in full", 1000n],
      ])(
        "R07 a refund %s whose answer was lost and whose key is forgotten is made once",
        async (_, units) => {
          const { of, reference } = await held();
          await stage.engine.capture({ ...of, reference, amount: price });
          const refund = refundOf(`rfd_forgotten_${number}`, reference, units);
          await stage.breakNext("refund", "lost_answer");
          expect((await stage.engine.refund(refund)).kind).toBe("unknown");
          await stage.forgetKeys();
          const found = { kind: "refunded", amount: { units }, booking: { amount: { units } } };
          expect(await stage.engine.refund({ ...refund, recovered: true })).toMatchObject(found);
          const old = { ...refund, startedAt: (stage.now - 21 * 3_600_000) as Instant };
          expect(await stage.engine.refund(old)).toMatchObject(found);
          expect(await stage.refunds(reference)).toEqual([units]);
        },
      );

    if (traits.refunds)
      test("R07 'already refunded' is not believed of the very refund that did it", async () => {
        const { of, reference } = await held();
        await stage.engine.capture({ ...of, reference, amount: price });
        const refund = refundOf(`rfd_echo_${number}`, reference, 1000n);
        await stage.breakNext("refund", "lost_answer");
        expect((await stage.engine.refund(refund)).kind).toBe("unknown");
        await stage.forgetKeys();
        expect(await stage.engine.refund(refund)).toMatchObject({ kind: "refunded", amount: price });
        const other = refundOf(`${refund.key}b`, reference, 1n);
        expect(await stage.engine.refund(other)).toMatchObject({ kind: "refused" });
        expect(await stage.refunds(reference)).toEqual([1000n]);
      });

    if (traits.refunds)
      test("a recovered refund that was never made is made now, and reads back by its id", async () => {
        const { of, reference } = await held();
        await stage.engine.capture({ ...of, reference, amount: price });
        const made = await stage.engine.refund(refundOf(`rfd_new_${number}`, reference, 500n, true));
        expect(made).toMatchObject({ kind: "refunded", amount: { units: 500n } });
        const id = made.kind === "refunded" ? made.refund : "";
        expect(await stage.engine.readRefund(id)).toEqual(made);
        expect((await stage.engine.readRefund("re_nobody_knows")).kind).toBe("unknown");
      });
  });
}
