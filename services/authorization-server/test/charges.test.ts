import { instantOf, newId, secondMs } from "@remit/kernel";
import { sql, type TenantTx } from "@remit/platform/sql";
import { Problem, payloadOf, publicJwkOf } from "@remit/protocol";
import { generateJwk, verifyReceipt } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { changeStanding, standingOfAgent } from "../src/agents/index.ts";
import { findCharge } from "../src/charges/charges.sql.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { descend } from "../src/organizations/organizations.sql.ts";
import { isTokenLiveAtCommit, revokeTokens, type TokenKey } from "../src/tokens/index.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  issuer,
  newAgent,
  own,
  purchase,
  refusalOf,
  shopOrigin,
  type World,
} from "./charging/world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const principal = { type: "account", id: "acc_test" } as const;
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

/** Waits for a connection as often as it takes: how fast the machine is must not decide a test. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "unavailable") throw error;
    }
  }
}

const charge = (wanted: Parameters<typeof purchase>[1]) =>
  world.charges.create(asMerchant(world), purchase(world, wanted));

const revokeToken = (key: TokenKey) =>
  world.db.global.transaction((tx) => revokeTokens(tx, key, world.clock.now()));

/** A transaction of the payer that has done its work and keeps its locks until it is ended. */
async function keepOpen(work: (tx: TenantTx) => Promise<unknown>): Promise<{ end(): Promise<void> }> {
  const worked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const transaction = world.db.of(world.payer).transaction(async (tx) => {
    await work(tx);
    worked.resolve();
    await ended.promise;
  });
  await Promise.race([worked.promise, transaction]);
  return {
    end: () => {
      ended.resolve();
      return transaction;
    },
  };
}

/** How many transactions of this database wait for a lock. */
async function waiting(): Promise<number> {
  const rows = await world.database.asAdmin(
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows.length;
}

async function audited(tenant: string, subject: string): Promise<string[]> {
  const rows = await world.database.asAdmin<{ event: string }>(
    "select event from audit_rows where tenant_id = $1 and subject = $2",
    [tenant, subject],
  );
  return rows.map(({ event }) => event).toSorted();
}

describe("a charge from hold to receipt", () => {
  test("a held charge is captured, the budget spent, and the receipt verifies offline", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate, amount: 1_250 });
    expect(held).toMatchObject({ state: "authorized", paymentReference: expect.stringMatching(/^pi_/) });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_250), spent: 0n, uses: 1 });

    const digest = "x".repeat(43);
    const captured = await world.charges.capture(own(world, held.id), { ...order, responseDigest: digest });
    expect(captured.state).toBe("captured");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_250) });
    const { receipt } = await world.charges.shown(captured);
    const key = {
      jwk: publicJwkOf(world.keys.keyOf("receipt")),
      purpose: "receipt",
      notBefore: instantOf(held.createdAt - secondMs),
    };
    const verified = verifyReceipt(receipt ?? "", { issuer, keys: [key] });
    expect(verified).toMatchObject({
      charge: held.id,
      amount_minor: 1_250,
      currency: "EUR",
      payment_reference: captured.paymentReference,
      merchant: { id: world.merchant.id, origin: shopOrigin },
      asserted_by_merchant: { response_digest: digest },
    });
    expect(world.billing.done.filter((line) => line.endsWith(held.id))).toEqual([
      `hold ${held.id}`,
      `capture ${held.id}`,
    ]);
  });

  test("payer and payee each have every event of a charge in their own log", async () => {
    const mandate = await giveMandate(world);
    const { id } = await charge({ mandate, request: { capture: "automatic" } });
    const events = ["charge.authorized", "charge.captured", "charge.capturing", "charge.held"];
    expect(await audited(world.payer, id)).toEqual(events);
    expect(await audited(world.payee, id)).toEqual(events);
  });

  test("a partial capture spends its part and returns the rest", async () => {
    const mandate = await giveMandate(world, { velocity: [{ period: "day", amount_minor: 2_000 }] });
    const held = await charge({ mandate, amount: 1_000 });
    await world.charges.capture(own(world, held.id), { ...order, amountMinor: 400 });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(400), uses: 1 });
    const more = await charge({ mandate, amount: 1_600 });
    expect(more.state).toBe("authorized");
  });

  test("O13 a capture of more than is held (a tip, a tax added later) is refused and moves nothing", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate, amount: 1_000 });
    const asked = world.charges.capture(own(world, held.id), { ...order, amountMinor: 1_001 });
    expect(await refusalOf(asked)).toBe("invalid_request");
    expect(world.billing.done.filter((line) => line.endsWith(held.id))).toEqual([`hold ${held.id}`]);
  });

  test("a part that no card can be charged is refused before the commit point, and another one may be taken", async () => {
    const mandate = await giveMandate(world, { currency: "BHD" });
    const held = await charge({ mandate, amount: 1_000, offer: { currency: "BHD" } });
    const part = (amountMinor: number) =>
      world.charges.capture(own(world, held.id), { ...order, amountMinor });
    expect(await refusalOf(part(995))).toBe("invalid_request");
    expect(world.billing.done.filter((line) => line.endsWith(held.id))).toEqual([`hold ${held.id}`]);
    expect((await part(990)).state).toBe("captured");
  });

  test("a release returns amount, use and velocity count; a second one changes nothing", async () => {
    const velocity = [{ period: "day", amount_minor: 1_000, count: 1, zone: "Europe/Amsterdam" }];
    const mandate = await giveMandate(world, { velocity });
    const held = await charge({ mandate, amount: 1_000 });
    expect(await refusalOf(charge({ mandate, amount: 1 }))).toBe("mandate_velocity_exceeded");
    expect((await world.charges.release(own(world, held.id), "upstream_failed")).state).toBe("released");
    expect((await world.charges.release(own(world, held.id), "upstream_failed")).state).toBe("released");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
    expect((await charge({ mandate, amount: 1_000 })).state).toBe("authorized");
  });

  test("G08 many small charges below every limit of a single one stop at the period's, and none of them asks anybody", async () => {
    const limits = { per_charge_minor: 500, step_up: [{ above_minor: 400 }] };
    const mandate = await giveMandate(world, {
      ...limits,
      velocity: [{ period: "day", amount_minor: 2_000 }],
    });
    for (let nth = 0; nth < 6; nth++)
      expect((await charge({ mandate, amount: 300 })).state).toBe("authorized");
    const more = Array.from({ length: 4 }, () => refusalOf(charge({ mandate, amount: 300 })));
    expect(new Set(await Promise.all(more))).toEqual(new Set(["mandate_velocity_exceeded"]));
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_800), uses: 6 });
    expect((await charge({ mandate, amount: 200 })).state).toBe("authorized");
    expect(await refusalOf(charge({ mandate, amount: 1 }))).toBe("mandate_velocity_exceeded");
  });

  test("a refund returns the amount to the budget, neither use nor velocity; too much is refused", async () => {
    const mandate = await giveMandate(world, { velocity: [{ period: "day", count: 1 }] });
    const { id } = await charge({ mandate, amount: 1_000, request: { capture: "automatic" } });
    const part = await world.charges.refund(own(world, id), { key: "r1", amountMinor: 300 });
    expect(part).toMatchObject({ state: "captured", refunded: { units: 300n } });
    const same = await world.charges.refund(own(world, id), { key: "r1", amountMinor: 300 });
    expect(same.refunded.units).toBe(300n);
    const tooMuch = world.charges.refund(own(world, id), { key: "r2", amountMinor: 701 });
    expect(await refusalOf(tooMuch)).toBe("charge_refund_exceeds_captured");
    const rest = await world.charges.refund(own(world, id), { key: "r3", amountMinor: undefined });
    expect(rest).toMatchObject({ state: "refunded", refunded: { units: 1_000n } });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ spent: 0n, uses: 1 });
    expect(await refusalOf(charge({ mandate, amount: 1 }))).toBe("mandate_velocity_exceeded");
  });

  test("a declined card frees the budget at once and says so", async () => {
    const mandate = await giveMandate(world);
    world.billing.fail("hold", "declined");
    const declined = await charge({ mandate });
    expect(declined).toMatchObject({ state: "declined", because: "card_declined" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, uses: 0 });
  });
});

describe("the budget holds in every race", () => {
  test("C01 of 100 parallel charges of 10.00 under a cap of 100.00 exactly 10 succeed", async () => {
    const mandate = await giveMandate(world, { amount_minor: 10_000 });
    const buying = Array.from({ length: 100 }, () => purchase(world, { mandate, amount: 1_000 }));
    const buyers = { busy: true };
    const seen: boolean[] = [];
    const watch = (async () => {
      while (buyers.busy) {
        const { cap, held, spent } = await patiently(() => budgetOf(world, mandate.id));
        seen.push(held + spent <= cap);
      }
    })();
    const outcomes = await Promise.all(
      buying.map((request) => {
        const wanted = { ...request, capture: "automatic" } as const;
        return patiently(() => world.charges.create(asMerchant(world), wanted)).then(
          ({ state }) => state,
          (error: { code?: string }) => error.code,
        );
      }),
    );
    buyers.busy = false;
    await watch;
    expect(outcomes.filter((outcome) => outcome === "captured")).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === "mandate_cap_exceeded")).toHaveLength(90);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every(Boolean)).toBe(true);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(10_000) });
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  });

  test("C01 the loser is told the limit and what remains", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    await charge({ mandate, amount: 600 });
    const refused = charge({ mandate, amount: 600 });
    await expect(refused).rejects.toMatchObject({
      code: "mandate_cap_exceeded",
      extra: { limit: 1_000, remaining: 400, currency: "EUR" },
    });
  });

  test("C02 a second charge succeeds only after the first was released; never both", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    const both = [purchase(world, { mandate, amount: 600 }), purchase(world, { mandate, amount: 600 })];
    const outcomes = await Promise.allSettled(
      both.map((one) => world.charges.create(asMerchant(world), one)),
    );
    const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    expect(won).toHaveLength(1);
    await world.charges.release(own(world, won[0]?.id ?? newId("charge")), "cancelled");
    expect((await charge({ mandate, amount: 600 })).state).toBe("authorized");
    expect(await refusalOf(charge({ mandate, amount: 600 }))).toBe("mandate_cap_exceeded");
  });

  test("C06 50 parallel posts of one presentation make one charge and one hold", async () => {
    const mandate = await giveMandate(world);
    const request = purchase(world, { mandate });
    const made = await Promise.allSettled(
      Array.from({ length: 50 }, () => patiently(() => world.charges.create(asMerchant(world), request))),
    );
    const ids = new Set(made.flatMap((one) => (one.status === "fulfilled" ? [one.value.id] : [])));
    expect(made.filter((one) => one.status === "rejected")).toEqual([]);
    expect(ids.size).toBe(1);
    expect(world.billing.done.filter((line) => line === `hold ${[...ids][0]}`)).toHaveLength(1);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(1_000), uses: 1 });
  });

  test("a single-use mandate is used once, and again only after a release", async () => {
    const mandate = await giveMandate(world, { uses: "single" });
    const first = await charge({ mandate });
    expect(await refusalOf(charge({ mandate }))).toBe("mandate_uses_exhausted");
    await world.charges.release(own(world, first.id), "cancelled");
    const second = await charge({ mandate, request: { capture: "automatic" } });
    expect(second.state).toBe("captured");
    expect(await refusalOf(charge({ mandate }))).toBe("mandate_uses_exhausted");
  });
});

describe("revocation beats the money", () => {
  const revoke = (id: Parameters<World["mandates"]["revokeWithin"]>[1]) =>
    world.db
      .of(world.payer)
      .transaction((tx) => world.mandates.revokeWithin(tx, id, { because: "test", actor: principal }));

  test("C12 a mandate revoked while a charge is authorised is not captured, and the hold returns", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate });
    await revoke(mandate.id);
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("mandate_revoked");
    expect(world.billing.done.filter((line) => line.endsWith(held.id))).toEqual([
      `hold ${held.id}`,
      `release ${held.id}`,
    ]);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n });
  });

  test("C12 a revocation that races captures wins or loses, never both", async () => {
    for (let round = 0; round < 8; round++) {
      const mandate = await giveMandate(world);
      const held = await charge({ mandate });
      const [captured] = await Promise.all([
        world.charges.capture(own(world, held.id), order).then(
          ({ state }) => state,
          (error: Error) => error.message,
        ),
        revoke(mandate.id),
      ]);
      const money = world.billing.done.filter((line) => line === `capture ${held.id}`).length;
      expect(money).toBe(captured === "captured" ? 1 : 0);
    }
  });

  test("C12 what was committed before is captured after a revocation; the receipt says so", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate, offer: { commits: true } });
    await world.charges.commit(own(world, held.id));
    await revoke(mandate.id);
    const captured = await world.charges.capture(own(world, held.id), order);
    const { receipt } = await world.charges.shown(captured);
    expect(payloadOf(receipt ?? "")).toMatchObject({ committed: true });
  });

  test("an offer that does not say so cannot be committed", async () => {
    const held = await charge({ mandate: await giveMandate(world) });
    expect(await refusalOf(world.charges.commit(own(world, held.id)))).toBe("charge_state_conflict");
  });

  test("A11 a token revoked while its capture waits for the charge is seen: nothing is captured", async () => {
    const mandate = await giveMandate(world);
    const { id } = await charge({ mandate, token: { jti: "revoked-while-waiting" } });
    const other = await keepOpen((tx) => findCharge(tx, id, "update"));
    const refused = refusalOf(world.charges.capture(own(world, id), order));
    await eventually(async () => expect(await waiting()).toBe(1));
    await revokeToken("jti:revoked-while-waiting");
    await other.end();
    expect(await refused).toBe("token_revoked");
    expect(world.billing.done.filter((line) => line.endsWith(id))).toEqual([`hold ${id}`, `release ${id}`]);
  });

  test("A11 a revocation waits for the commit point that has read the token: one is before the other", async () => {
    const mandate = await giveMandate(world);
    const { token, agent } = await charge({ mandate, token: { jti: "revoked-too-late" } });
    const isLive = async (tx: TenantTx) =>
      isTokenLiveAtCommit(tx, token, await standingOfAgent(tx, agent, "share"));
    const committing = await keepOpen(async (tx) => expect(await isLive(tx)).toBe(true));
    const done: string[] = [];
    const revoked = revokeToken("jti:revoked-too-late").then(() => done.push("revoked"));
    await eventually(async () => expect(await waiting()).toBe(1));
    done.push("committed");
    await committing.end();
    await revoked;
    expect(done).toEqual(["committed", "revoked"]);
    expect(await world.db.of(world.payer).transaction(isLive)).toBe(false);
  });

  test("C12 a suspended agent's charge is not captured", async () => {
    const agent = await newAgent(world.db, world);
    const mandate = await giveMandate(world, {}, agent);
    const held = await charge({ mandate, agent });
    const by = { type: "account", id: "acc_test" } as const;
    await world.db
      .of(world.operator)
      .transaction((tx) => changeStanding(tx, agent.id, { to: "suspended", by, now: world.clock.now() }));
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("agent_suspended");
    expect(await refusalOf(charge({ mandate, agent }))).toBe("agent_suspended");
  });

  test("a suspended mandate charges again once it is resumed", async () => {
    const mandate = await giveMandate(world);
    const change = (to: "suspendWithin" | "resumeWithin") =>
      world.db
        .of(world.payer)
        .transaction((tx) => world.mandates[to](tx, mandate.id, { because: "test", actor: principal }));
    await change("suspendWithin");
    expect(await refusalOf(charge({ mandate }))).toBe("mandate_suspended");
    await change("resumeWithin");
    expect((await charge({ mandate })).state).toBe("authorized");
  });

  test.each(["itself", "what made it"])(
    "C12 an organization pays nothing while %s is suspended: neither what is asked for nor what is held",
    async (which) => {
      const mandate = await giveMandate(world);
      const held = await charge({ mandate });
      const maker = newId("tenant");
      const suspended = which === "itself" ? world.payer : maker;
      const become = (status: "active" | "suspended") =>
        world.db.global.transaction(async (tx) => {
          for (const [id, above] of [
            [maker, null],
            [world.payer, maker],
          ] as const)
            await tx.run(sql`insert into tenant_standings (tenant_id, made_by, created_at, changed_at)
              values (${id}, ${above}, now(), now()) on conflict (tenant_id) do update set made_by = ${above}`);
          await tx.run(sql`update tenant_standings set decided = ${status},
              decided_by = ${status === "active" ? null : maker} where tenant_id = ${suspended}`);
          await descend(tx, suspended, world.clock.now());
        });
      await become("suspended");
      expect(await refusalOf(charge({ mandate }))).toBe("mandate_suspended");
      expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe("mandate_suspended");
      await become("active");
      expect((await charge({ mandate })).state).toBe("authorized");
    },
  );

  test("the natural end of token and mandate does not cancel what is held", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate, request: { serve_by_s: 900 } });
    world.clock.advance(400 * secondMs);
    expect((await world.charges.capture(own(world, held.id), order)).state).toBe("captured");
  });

  test("a capture after serve_by is refused and the hold released", async () => {
    const mandate = await giveMandate(world);
    const held = await charge({ mandate });
    world.clock.advance(61 * secondMs);
    expect(await refusalOf(world.charges.capture(own(world, held.id), order))).toBe(
      "charge_capture_too_late",
    );
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n });
  });
});

describe("what a charge refuses", () => {
  let mandate: Awaited<ReturnType<typeof giveMandate>>;
  beforeEach(async () => {
    mandate = await giveMandate(world);
  });

  test("O01 a price that changed after the offer was approved", async () => {
    const approved = purchase(world, { mandate, amount: 1_000 });
    const dearer = purchase(world, { mandate, amount: 2_000 });
    const swapped = { ...approved, offer: dearer.offer };
    expect(await refusalOf(world.charges.create(asMerchant(world), swapped))).toBe(
      "mandate_kb_nonce_mismatch",
    );
    const bound = await giveMandate(world, { uses: "single", offer_digest: "a".repeat(43) });
    expect(await refusalOf(charge({ mandate: bound }))).toBe("mandate_offer_mismatch");
  });

  test("O02 an offer that was altered, or signed by another key", async () => {
    const request = purchase(world, { mandate });
    const [head, , signature] = request.offer.split(".");
    const payload = Buffer.from(JSON.stringify({ ...payloadOf(request.offer), amount_minor: 1 }));
    const altered = { ...request, offer: `${head}.${payload.toString("base64url")}.${signature}` };
    expect(await refusalOf(world.charges.create(asMerchant(world), altered))).toBe("offer_signature_invalid");
    const forged = purchase(world, { mandate, offerKey: generateJwk("ES256", "offer-1") });
    expect(await refusalOf(world.charges.create(asMerchant(world), forged))).toBe("offer_signature_invalid");
    const foreign = purchase(world, { mandate, offerKey: generateJwk("ES256") });
    expect(await refusalOf(world.charges.create(asMerchant(world), foreign))).toBe("offer_keyid_unknown");
  });

  test("O03 an offer of another merchant, a client that is none, or one of another tenant", async () => {
    const other = charge({ mandate, offer: { merchant: newId("merchant") } });
    expect(await refusalOf(other)).toBe("offer_merchant_mismatch");
    const origin = "https://elsewhere.test";
    const elsewhere = charge({
      mandate,
      offer: { merchant_origin: origin, resource: { method: "GET", url: `${origin}/report` } },
    });
    expect(await refusalOf(elsewhere)).toBe("offer_merchant_mismatch");
    const request = purchase(world, { mandate });
    const stranger = { tenant: world.payee, client: newId("client") };
    expect(await refusalOf(world.charges.create(stranger, request))).toBe("charge_merchant_unknown");
    const foreign = { ...asMerchant(world), tenant: world.payer };
    expect(await refusalOf(world.charges.create(foreign, request))).toBe("charge_merchant_unknown");
  });

  test("O04 an offer at its very end and after it", async () => {
    const now = world.clock.now();
    const expires_at = new Date(now + 10 * secondMs).toISOString();
    const request = purchase(world, { mandate, offer: { expires_at } });
    world.clock.advance(10 * secondMs - 1);
    expect((await world.charges.create(asMerchant(world), request)).state).toBe("authorized");
    const late = purchase(world, { mandate, offer: { expires_at } });
    world.clock.advance(1);
    expect(await refusalOf(world.charges.create(asMerchant(world), late))).toBe("offer_signature_expired");
  });

  test("O05 a mandate at a merchant it does not name, for another agent, or dearer than it allows", async () => {
    const elsewhere = await giveMandate(world, { merchants: ["https://other.test"] });
    expect(await refusalOf(charge({ mandate: elsewhere }))).toBe("mandate_merchant_not_allowed");
    const thief = await newAgent(world.db, world);
    expect(await refusalOf(charge({ mandate, agent: thief }))).toBe("mandate_holder_mismatch");
    const foreignToken = charge({ mandate, token: { client_id: thief.id } });
    expect(await refusalOf(foreignToken)).toBe("mandate_holder_mismatch");
    const small = await giveMandate(world, { per_charge_minor: 500 });
    expect(await refusalOf(charge({ mandate: small, amount: 501 }))).toBe(
      "charge_offer_amount_exceeds_mandate",
    );
    const fish = await giveMandate(world, { categories: ["fish"] });
    expect(await refusalOf(charge({ mandate: fish }))).toBe("mandate_category_not_allowed");
  });

  test("O06 a key binding for another merchant, with another nonce, by another key, or too old", async () => {
    const elsewhere = charge({ mandate, audience: "https://other.test" });
    expect(await refusalOf(elsewhere)).toBe("mandate_kb_audience_mismatch");
    const request = { ...purchase(world, { mandate }), merchant_nonce: "another-nonce" };
    expect(await refusalOf(world.charges.create(asMerchant(world), request))).toBe(
      "mandate_kb_nonce_mismatch",
    );
    const forged = charge({ mandate, kbKey: generateJwk("ES256") });
    expect(await refusalOf(forged)).toBe("mandate_kb_signature_invalid");
    const old = purchase(world, { mandate });
    world.clock.advance(62 * secondMs);
    expect(await refusalOf(world.charges.create(asMerchant(world), old))).toBe("mandate_kb_stale");
  });

  test("O06 a token for another audience, without the scope, of another key, or of another mandate", async () => {
    const audience = charge({ mandate, token: { aud: "https://other.test" } });
    expect(await refusalOf(audience)).toBe("aud_mismatch");
    expect(await refusalOf(charge({ mandate, token: { scope: "wallet:read" } }))).toBe("insufficient_scope");
    const otherKey = charge({ mandate, token: { cnf: { jkt: "b".repeat(43) } } });
    expect(await refusalOf(otherKey)).toBe("mandate_holder_mismatch");
    const otherMandate = charge({ mandate, token: { mandate_id: newId("mandate") } });
    expect(await refusalOf(otherMandate)).toBe("mandate_holder_mismatch");
  });

  test("a token signed by a key of another purpose", async () => {
    for (const tokenSignedBy of ["mandate", "receipt", "instruction"])
      expect(await refusalOf(charge({ mandate, tokenSignedBy }))).toBe("invalid_token");
  });

  test("O07 a mandate without its key binding", async () => {
    const request = purchase(world, { mandate });
    const stripped = request.presentation.slice(0, request.presentation.lastIndexOf("~") + 1);
    const asked = world.charges.create(asMerchant(world), { ...request, presentation: stripped });
    expect(await refusalOf(asked)).toBe("mandate_kb_missing");
  });

  test("O08 a revoked mandate at once, whatever a cached status list says", async () => {
    const list = await world.statusLists.read(1, "token");
    await world.db
      .of(world.payer)
      .transaction((tx) =>
        world.mandates.revokeWithin(tx, mandate.id, { because: "test", actor: principal }),
      );
    expect(list).toBeDefined();
    expect(await refusalOf(charge({ mandate }))).toBe("mandate_revoked");
  });

  test("A11 a token that was revoked, though it has not expired", async () => {
    const request = purchase(world, { mandate, token: { jti: "revoked-token" } });
    const until = world.clock.now();
    await world.db.global.transaction((tx) => revokeTokens(tx, "jti:revoked-token", until));
    expect(await refusalOf(world.charges.create(asMerchant(world), request))).toBe("token_revoked");
  });

  test("V03 an offer in another currency than the mandate's: nothing is converted in silence", async () => {
    expect(await refusalOf(charge({ mandate, offer: { currency: "USD" } }))).toBe(
      "mandate_asset_not_accepted",
    );
  });

  test("live and test do not mix", async () => {
    expect(await refusalOf(charge({ mandate, offer: { livemode: true } }))).toBe("livemode_mismatch");
    expect(await refusalOf(charge({ mandate, token: { livemode: true } }))).toBe("livemode_mismatch");
  });

  test("a refused charge leaves neither a hold nor a claim behind", async () => {
    const small = await giveMandate(world, { amount_minor: 500 });
    const request = purchase(world, { mandate: small, amount: 600 });
    expect(await refusalOf(world.charges.create(asMerchant(world), request))).toBe(
      "charge_offer_amount_exceeds_mandate",
    );
    const rows = await world.database.asAdmin("select 1 from presentation_claims where mandate_id = $1", [
      small.id,
    ]);
    expect(rows).toEqual([]);
    expect(await budgetOf(world, small.id)).toMatchObject({ held: 0n, uses: 0 });
  });
});

describe("one presentation makes one charge", () => {
  test("the second post gets the first charge, also long after the presentation was fresh", async () => {
    const mandate = await giveMandate(world);
    const request = purchase(world, { mandate, request: { capture: "automatic" } });
    const first = await world.charges.create(asMerchant(world), request);
    expect((await world.charges.create(asMerchant(world), request)).id).toBe(first.id);
    world.clock.advance(3_600 * secondMs);
    const late = await world.charges.create(asMerchant(world), request);
    expect(late).toMatchObject({ id: first.id, state: "captured" });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ uses: 1 });
  });

  test("a stale presentation that made no charge stays refused", async () => {
    const request = purchase(world, { mandate: await giveMandate(world) });
    world.clock.advance(600 * secondMs);
    expect(await refusalOf(world.charges.create(asMerchant(world), request))).toBe("offer_signature_expired");
  });

  test("the directory's new key is looked for when an offer names one that is unknown", async () => {
    const key = generateJwk("ES256", "offer-2");
    const mandate = await giveMandate(world);
    await charge({ mandate });
    const jwks = { keys: [publicJwkOf(world.merchant.offerKey), publicJwkOf(key)] };
    world.directory.merchant = { ...world.directory.merchant, jwks };
    world.clock.advance(6 * secondMs);
    expect((await charge({ mandate, offerKey: key })).state).toBe("authorized");
  });

  test("G07 a key that the directory shows no more signs nothing a minute later", async () => {
    const mandate = await giveMandate(world);
    const { merchant } = world.directory;
    await charge({ mandate });
    world.directory.merchant = { ...merchant, jwks: { keys: [] } };
    try {
      world.clock.advance(61 * secondMs);
      expect(await refusalOf(charge({ mandate }))).toBe("offer_keyid_unknown");
    } finally {
      world.directory.merchant = merchant;
      world.clock.advance(61 * secondMs);
    }
  });

  test("a merchant that is not verified cannot charge, and an unreachable directory is no answer", async () => {
    const fresh = await createWorld();
    try {
      const mandate = await giveMandate(fresh);
      fresh.directory.merchant = { ...fresh.directory.merchant, verification_status: "provisional" };
      const asked = fresh.charges.create(asMerchant(fresh), purchase(fresh, { mandate }));
      expect(await refusalOf(asked)).toBe("merchant_not_verified");
      fresh.clock.advance(61 * secondMs);
      fresh.directory.down = true;
      const down = fresh.charges.create(asMerchant(fresh), purchase(fresh, { mandate }));
      expect(await refusalOf(down)).toBe("unavailable");
      expect(fresh.billing.asked).toEqual([]);
    } finally {
      await fresh.close();
    }
  });
});
