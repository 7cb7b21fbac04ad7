import { after, dayMs, type Id, minuteMs, newId, toRfc3339 } from "@remit/kernel";
import { type Offer, peekOffer } from "@remit/protocol";
import { signOffer } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { settleTab } from "../src/charges/settle-tab.ts";
import {
  type DisputesDeps,
  type OpenDispute,
  openDispute,
  respond,
} from "../src/disputes/disputes.operations.ts";
import { findDispute } from "../src/disputes/disputes.sql.ts";
import { lookAfter } from "../src/disputes/lost-money.ts";
import { type Api, type As, merchantOf, openApi, type Sent, walletOf } from "./charging/api.ts";
import { withDisputes } from "./charging/doer.ts";
import { type Asked, type Mortal, type Mortals, startMortals } from "./charging/mortals.ts";
import { assertToldOnce, assertWhole } from "./charging/whole.ts";
import {
  asMerchant,
  type ChargeRequest,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  own,
  purchase,
  type TestAgent,
  type World,
} from "./charging/world.ts";

// A process is killed by kill -9 at each step of what it does, one step later each time, until it gets through alive; each time
// another process takes over what it left. A step is the commit of a transaction, or the answer of another service.
let world: World;
let api: Api;
let mortals: Mortals;
let disputes: DisputesDeps;
let [second, third] = [undefined, undefined] as unknown as [TestAgent, TestAgent]; // made below

beforeAll(async () => {
  world = await createWorld();
  world.billing.least = 50;
  api = await openApi(world);
  mortals = startMortals(world);
  ({ disputes } = withDisputes(world));
  second = await newAgent(world.db, world);
  third = await newAgent(world.db, world);
});
afterAll(async () => {
  await mortals.close();
  await api.close();
  await world.close();
});
type Scene = {
  readonly act: (mortal: Mortal) => Promise<void>;
  /** What the other process does about it, and how everything must stand then. */
  readonly after: () => Promise<void>;
};

/** Plays it once for each step, and once to its end. At least so many steps it has. */
async function killedAtEach(setUp: () => Promise<Scene>, least: number): Promise<void> {
  for (let dieAt = 1; ; dieAt++) {
    // Every scene's payer is the same one: what another scene left on tabs is forgiven.
    await world.database.asAdmin("update tabs set owed_minor = 0 where state in ('open', 'unpaid')");
    const { act, after: then } = await setUp();
    const lived = await mortals.survives(dieAt, act);
    try {
      await then();
    } catch (error) {
      throw new Error(lived ? "alive to its end" : `killed at step ${dieAt}`, { cause: error });
    }
    if (!lived) continue;
    expect(dieAt).toBeGreaterThan(least);
    return;
  }
}

const asAgent = ({ id }: TestAgent): As => ({
  tenant: world.operator,
  client: id,
  scopes: ["oid4ac:payment"],
});
/** The same request, at this process: as a client sends it again who got no answer, once the dead have lost their claims. */
async function again({ as, path, body, key }: Asked): Promise<Sent> {
  await world.database.asAdmin(
    "update idempotency_keys set leased_until = clock_timestamp() where answer is null",
  );
  return api.send({ as, method: "POST", path, body: body ?? {}, key });
}

const chargeOf = (body: ChargeRequest): Asked => ({
  as: merchantOf(world),
  path: "/api/v1/charges",
  body,
  key: body.merchant_nonce,
});
const verbOf = (id: unknown, verb: string, body: object = {}, key = `${verb}-${String(id)}`): Asked => ({
  as: merchantOf(world),
  path: `/api/v1/charges/${String(id)}/${verb}`,
  body,
  key,
});

/** Jobs look at every charge of the mandates until all are over. */
async function recovered(chain: readonly IssuedTestMandate[]): Promise<void> {
  for (let look = 0; look < 10; look++) {
    const open = await world.database.asAdmin<{ id: Id<"charge"> }>(
      `select id from charges where mandate_id = any($1)
        and state not in ('captured', 'refunded', 'released', 'declined', 'expired')`,
      [chain.map(({ id }) => id)],
    );
    if (open.length === 0) return;
    for (const { id } of open) await world.charges.recover(world.payer, id);
    world.clock.advance(2 * minuteMs);
  }
  throw new Error("a charge is never over");
}

describe("M01 kill -9 at every step of a tab", () => {
  const offer = { tab: true, tab_minor: 100 };
  const buying = (mandate: IssuedTestMandate, amount = 60) =>
    purchase(world, { mandate, amount, offer, request: { capture: "automatic" } });

  async function withTab(): Promise<{ mandate: IssuedTestMandate; tab: Id<"tab">; charge: Id<"charge"> }> {
    const mandate = await giveMandate(world);
    const { id, tab } = await world.charges.create(asMerchant(world), buying(mandate));
    if (tab === undefined) throw new Error("it is on no tab");
    return { mandate, tab, charge: id };
  }
  const due = (tab: Id<"tab">) =>
    world.database.asAdmin("update tabs set due_at = opened_at where id = $1", [tab]);
  async function settled(tab: Id<"tab">): Promise<{ state: string; generation: number }> {
    for (let look = 0; look < 10; look++)
      if ((await settleTab(world.chargesDeps, world.payer, tab)) === undefined) break;
    const [row] = await world.database.asAdmin<{ state: string; generation: number }>(
      "select state, generation from tabs where id = $1",
      [tab],
    );
    if (row === undefined) throw new Error("there is no such tab");
    return row;
  }

  test("that is opened: the purchase is on it once, or was never made", async () => {
    await killedAtEach(async () => {
      const mandate = await giveMandate(world);
      const request = chargeOf(buying(mandate));
      return {
        act: ({ ask }) => ask(request),
        after: async () => {
          expect((await again(request)).body["status"]).toBe("captured");
          await assertWhole(world, [mandate], { held: 0, spent: 60 });
        },
      };
    }, 3);
  });

  test("that is added to: no purchase is on it twice, none is left out", async () => {
    await killedAtEach(async () => {
      const { mandate } = await withTab();
      const request = chargeOf(buying(mandate, 30));
      return {
        act: ({ ask }) => ask(request),
        after: async () => {
          expect((await again(request)).body["status"]).toBe("captured");
          await assertWhole(world, [mandate], { held: 0, spent: 90 });
        },
      };
    }, 3);
  });

  test("that nobody comes back to: what was not captured is let go of", async () => {
    await killedAtEach(async () => {
      const { mandate } = await withTab();
      const request = buying(mandate, 30);
      return {
        act: ({ ask }) => ask(chargeOf(request)),
        after: async () => {
          await recovered([mandate]);
          const rows = await world.database.asAdmin<{ state: string }>(
            "select state from charges where mandate_id = $1 and amount_minor = 30",
            [mandate.id],
          );
          const spent = rows[0]?.state === "captured" ? 90 : 60;
          await assertWhole(world, [mandate], { held: 0, spent });
        },
      };
    }, 3);
  });

  test("that is settled: it is one payment", async () => {
    await killedAtEach(async () => {
      const { mandate, tab } = await withTab();
      await due(tab);
      return {
        act: ({ carryOut }) => carryOut({ do: "settle_tab", tenant: world.payer, tab }),
        after: async () => {
          expect(await settled(tab)).toEqual({ state: "settled", generation: 1 });
          await assertWhole(world, [mandate], { held: 0, spent: 60 });
        },
      };
    }, 5);
  });

  test("that the card refuses: its mandate is stopped once, and it is paid the next day", async () => {
    await killedAtEach(async () => {
      const { mandate, tab } = await withTab();
      await due(tab);
      world.billing.fail("hold", "declined");
      return {
        act: ({ carryOut }) => carryOut({ do: "settle_tab", tenant: world.payer, tab }),
        after: async () => {
          expect(await settleTab(world.chargesDeps, world.payer, tab)).toBeDefined();
          const [stopped] = await world.database.asAdmin<{ times: number }>(
            "select count(*)::integer as times from audit_rows where subject = $1 and event = 'mandate.suspended'",
            [mandate.id],
          );
          expect(stopped?.times).toBe(1);
          await assertWhole(world, [mandate], { held: 0, spent: 60 });
          world.clock.advance(dayMs);
          expect(await settled(tab)).toEqual({ state: "settled", generation: 2 });
          await assertWhole(world, [mandate], { held: 0, spent: 60 });
        },
      };
    }, 3);
  });

  test.each(["open", "settled"])("of which some is given back while it is %s: once", async (state) => {
    await killedAtEach(async () => {
      const { mandate, tab, charge } = await withTab();
      if (state === "settled") {
        await due(tab);
        await settled(tab);
      }
      const request = verbOf(charge, "refund", { amount_minor: 25 });
      return {
        act: ({ ask }) => ask(request),
        after: async () => {
          await again(request);
          await recovered([mandate]);
          await assertWhole(world, [mandate], { held: 0, spent: 35 });
        },
      };
    }, 3);
  });
});

describe("M01 kill -9 at every step of what is handed on", () => {
  const handing = (from: IssuedTestMandate, by: TestAgent, to: TestAgent, amount: number): Asked => ({
    as: asAgent(by),
    path: `/api/v1/mandates/${from.id}/hand-on`,
    body: { agent_id: to.id, amount_minor: amount },
    key: newId("offer"),
  });
  async function chain(): Promise<[IssuedTestMandate, IssuedTestMandate, IssuedTestMandate]> {
    const root = await giveMandate(world);
    const handed = async (asked: Asked): Promise<IssuedTestMandate> => {
      const { body } = await again(asked);
      return { id: body["id"] as Id<"mandate">, jwt: String(body["mandate_jwt"]) };
    };
    const middle = await handed(handing(root, world.agent, second, 5_000));
    return [root, middle, await handed(handing(middle, second, third, 2_000))];
  }
  const idOf = async (request: ChargeRequest) => (await again(chargeOf(request))).body["id"];

  test("a mandate: there is one more, or none", async () => {
    await killedAtEach(async () => {
      const root = await giveMandate(world);
      const asked = handing(root, world.agent, second, 700);
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          const { status, body } = await again(asked);
          expect(status).toBe(201);
          const below = await world.database.asAdmin<{ id: Id<"mandate"> }>(
            "select id from mandates where ancestors @> array[$1]",
            [root.id],
          );
          expect(below).toEqual([{ id: body["id"] }]);
          await assertWhole(world, [root, ...below], { held: 0, spent: 0 });
        },
      };
    }, 1);
  });

  test("a purchase under the last of three: each budget bears it once", async () => {
    await killedAtEach(async () => {
      const all = await chain();
      const request = purchase(world, { mandate: all[2], agent: third, amount: 1_200 });
      const captured = { amount_minor: 700 };
      const asked = chargeOf({ ...request, capture: "automatic" });
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          const { body } = await again(asked);
          expect(body["status"]).toBe("captured");
          await again(verbOf(body["id"], "refund", captured));
          await assertWhole(world, all, { held: 0, spent: 500 });
        },
      };
    }, 5);
  });

  test("a purchase that is let go of: each budget has it back once", async () => {
    await killedAtEach(async () => {
      const all = await chain();
      const id = await idOf(purchase(world, { mandate: all[2], agent: third, amount: 1_200 }));
      const asked = verbOf(id, "release");
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          await again(asked);
          await recovered(all);
          await assertWhole(world, all, { held: 0, spent: 0 });
        },
      };
    }, 3);
  });

  test("its end from above: all below end with it, once, and what is held under them goes back", async () => {
    await killedAtEach(async () => {
      const all = await chain();
      const id = await idOf(purchase(world, { mandate: all[2], agent: third, amount: 1_200 }));
      const asked = {
        as: walletOf(world),
        path: `/api/v1/mandates/${all[0].id}/revoke`,
        key: newId("offer"),
      };
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          expect((await again(asked)).status).toBe(200);
          expect((await again(verbOf(id, "capture"))).body["code"]).toBe("mandate_revoked");
          await recovered(all);
          await assertWhole(world, all, { held: 0, spent: 0 });
          const ended = await world.database.asAdmin<{ times: number }>(
            "select count(*)::integer as times from audit_rows where subject = any($1) and event = 'mandate.revoked' group by subject",
            [all.map((one) => one.id)],
          );
          expect(ended).toEqual([{ times: 1 }, { times: 1 }, { times: 1 }]);
        },
      };
    }, 1);
  });
});

describe("M01 kill -9 at every step of a dispute", () => {
  const person = { type: "account", id: "acc_ada" } as const;
  const asked = (charge: Id<"charge">): OpenDispute => ({
    tenant: world.payer,
    charge,
    amountMinor: undefined,
    reason: "not_delivered",
    statement: "Nothing came.",
    actor: person,
  });
  async function bought() {
    const mandate = await giveMandate(world);
    const body = purchase(world, { mandate, amount: 1_000, request: { capture: "automatic" } });
    const { id } = await world.charges.create(asMerchant(world), body);
    return { mandate, charge: id };
  }
  async function disputed() {
    const buy = await bought();
    const { id } = await openDispute(disputes, asked(buy.charge));
    return { ...buy, of: { tenant: world.payer, dispute: id } };
  }
  const accepted = async ({ dispute: id }: { dispute: Id<"dispute"> }): Promise<void> => {
    const [dispute] = await ofIds([id]);
    if (dispute?.state !== "needs_response") return;
    await respond(disputes, dispute, { act: "accept", actor: { type: "merchant", id: "shop" } });
  };
  const ofIds = async (ids: readonly Id<"dispute">[]) =>
    Promise.all(
      ids.map(async (id) => {
        const sides = [world.payer, world.payee].map((tenant) =>
          world.db.of(tenant).transaction((tx) => findDispute(tx, id)),
        );
        const [mine, theirs] = await Promise.all(sides);
        expect(theirs).toEqual(mine);
        return mine;
      }),
    );
  async function all(charge: Id<"charge">) {
    const rows = await world.database.asAdmin<{ id: Id<"dispute"> }>(
      "select id from disputes where charge_id = $1 and tenant_id = $2 order by id",
      [charge, world.payer],
    );
    await assertToldOnce(
      world,
      rows.map(({ id }) => id),
    );
    return ofIds(rows.map(({ id }) => id));
  }
  /** Looked after as its job does it, until that comes back at a deadline or never. */
  async function lookedAfter(of: { tenant: Id<"tenant">; dispute: Id<"dispute"> }): Promise<void> {
    for (let look = 0; look < 10; look++) {
      if ((await lookAfter(disputes, of)) === undefined) return;
      world.clock.advance(minuteMs);
    }
    throw new Error("a dispute is never over");
  }

  test("that its principal opens: it is open on both sides, once, or on none", async () => {
    await killedAtEach(async () => {
      const { mandate, charge } = await bought();
      return {
        act: ({ carryOut }) => carryOut({ do: "open_dispute", asked: asked(charge) }),
        after: async () => {
          await openDispute(disputes, asked(charge)).catch((error: unknown) =>
            expect(error).toMatchObject({ code: "dispute_exists" }),
          );
          expect(await all(charge)).toMatchObject([{ state: "needs_response" }]);
          await assertWhole(world, [mandate], { held: 0, spent: 1_000 });
        },
      };
    }, 1);
  });

  test("that its merchant answers and the operator rejects: it is won on both sides, and nothing moves", async () => {
    await killedAtEach(async () => {
      const { mandate, charge, of } = await disputed();
      return {
        act: ({ carryOut }) => carryOut({ do: "reject_dispute", of }),
        after: async () => {
          world.clock.advance(30 * dayMs);
          const [before] = await all(charge);
          await lookedAfter(of);
          const lost = before?.state === "needs_response";
          expect(await all(charge)).toMatchObject([{ state: lost ? "lost" : "won" }]);
          await assertWhole(world, [mandate], { held: 0, spent: lost ? 0 : 1_000 });
        },
      };
    }, 2);
  });

  test("that its merchant accepts, and of what gives it back: the money goes back once", async () => {
    await killedAtEach(async () => {
      const { mandate, charge, of } = await disputed();
      return {
        act: async ({ carryOut }) => {
          await carryOut({ do: "accept_dispute", of });
          await carryOut({ do: "look_after_dispute", of });
        },
        after: async () => {
          await accepted(of);
          await recovered([mandate]);
          await lookedAfter(of);
          expect(await all(charge)).toMatchObject([{ state: "lost", refund: "done", refundMinor: 1_000n }]);
          await assertWhole(world, [mandate], { held: 0, spent: 0 });
        },
      };
    }, 6);
  });

  test("that the card network opens while its principal's is open, and decides: one movement, and both end", async () => {
    await killedAtEach(async () => {
      const { mandate, charge } = await disputed();
      const reported = (status: "needs_response" | "lost") => ({
        id: network,
        charge,
        payer: world.payer,
        payee: world.payee,
        reference: "du_1",
        status,
        reason: "fraudulent",
        amount_minor: 1_000,
        currency: "EUR",
        respond_by: null,
        opened_at: toRfc3339(world.clock.now()),
      });
      const network = newId("dispute");
      return {
        act: async ({ carryOut }) => {
          await carryOut({ do: "take_network_dispute", reported: reported("needs_response") });
          await carryOut({ do: "take_network_dispute", reported: reported("lost") });
        },
        after: async () => {
          await disputes.network.take(reported("lost"));
          const both = (await all(charge)).map((one) => [one?.origin, one?.state, one?.because]);
          expect(both).toEqual([
            ["principal", "withdrawn", "at_network"],
            ["network", "lost", undefined],
          ]);
          await assertWhole(world, [mandate], { held: 0, spent: 1_000 });
        },
      };
    }, 3);
  });
});

describe("M01 kill -9 at every step of an amendment", () => {
  const taxed = (offer: Offer, tax: number): string =>
    signOffer(world.merchant.offerKey, {
      ...offer,
      amount_minor: offer.amount_minor + tax,
      tax_minor: tax,
      issued_at: toRfc3339(world.clock.now()),
      expires_at: toRfc3339(after(world.clock.now(), 5 * minuteMs)),
    });
  async function heldFor() {
    const mandate = await giveMandate(world, { amount_minor: 1_500 });
    const sent = purchase(world, { mandate, amount: 1_000, request: { serve_by_s: 600 } });
    const charge = await world.charges.create(asMerchant(world), sent);
    return {
      mandate,
      asked: verbOf(charge.id, "amend", { offer: taxed(peekOffer(sent.offer), 300) }),
      charge,
    };
  }

  test("that is asked for again: the greater amount is held once, of the budget and of the card, and captured", async () => {
    await killedAtEach(async () => {
      const { mandate, asked, charge } = await heldFor();
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          expect((await again(asked)).body).toMatchObject({ status: "authorized", amount_minor: 1_300 });
          await assertWhole(world, [mandate], { held: 1_300, spent: 0 });
          expect((await again(verbOf(charge.id, "capture"))).body["status"]).toBe("captured");
          await assertWhole(world, [mandate], { held: 0, spent: 1_300 });
          const payments = [...world.billing.payments.values()].filter((row) => row.charge === charge.id);
          expect(payments.map(({ status }) => status).sort()).toEqual(["captured", "released"]);
        },
      };
    }, 5);
  });

  test("that nobody comes back to: nothing stays held, of the budget or of the card", async () => {
    await killedAtEach(async () => {
      const { mandate, asked, charge } = await heldFor();
      return {
        act: ({ ask }) => ask(asked),
        after: async () => {
          world.clock.advance(11 * minuteMs);
          await recovered([mandate]);
          await assertWhole(world, [mandate], { held: 0, spent: 0 });
          for (const { charge: of, status } of world.billing.payments.values())
            if (of === charge.id) expect(status).toBe("released");
        },
      };
    }, 5);
  });

  test("and at every step of capturing what was amended: it is taken once", async () => {
    await killedAtEach(async () => {
      const { mandate, asked, charge } = await heldFor();
      await world.charges.amend(own(world, charge.id), asked.body as { offer: string });
      return {
        act: ({ ask }) => ask(verbOf(charge.id, "capture")),
        after: async () => {
          expect((await again(verbOf(charge.id, "capture"))).body["status"]).toBe("captured");
          await assertWhole(world, [mandate], { held: 0, spent: 1_300 });
        },
      };
    }, 3);
  });
});
