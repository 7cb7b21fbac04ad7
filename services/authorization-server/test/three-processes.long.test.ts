import { systemClock } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { checkBudget } from "../src/mandates/index.ts";
import { asMerchantCall, type Charger, call, startCharger } from "./charging/processes.ts";
import {
  budgetOf,
  type ChargeRequest,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  type Purchase,
  purchase,
  type TestAgent,
  type World,
} from "./charging/world.ts";

// A hundred who buy at once, over three processes of one installation. What a mandate is charged on: the card, a tab, or a
// transfer of tokens at par.
const buyersCount = 100;
const rails = ["card", "tab", "x402"] as const;
type Rail = (typeof rails)[number];

const token = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const network = "eip155:84532";
const atPar = [{ asset: `${network}/erc20:${token}`, peg: "USD" }] as const;
const inTokens = { currency: "USD", rails: ["x402"], also_accepts: atPar } as const;

/** What a mandate is given that is to be charged on this rail. */
const termsOf = (rail: Rail) => (rail === "x402" ? inTokens : {});

let world: World;
let chargers: Charger[] = [];
let second: TestAgent;
let before = 0;

beforeAll(async () => {
  // Billing is talked to by processes that have the machine's own time.
  world = await createWorld({ billingClock: systemClock });
  second = await newAgent(world.db, world);
  const sells = { rails: ["card", "x402"], currencies: ["EUR", "USD"] };
  world.directory.merchant = { ...world.directory.merchant, ...sells };
  chargers = await Promise.all(Array.from({ length: 3 }, () => startCharger(world)));
});
afterAll(async () => {
  await Promise.all(chargers.map(({ process }) => process.kill()));
  await world.close();
});
beforeEach(() => {
  world.clock.set(systemClock.now());
  before = capturedAtBilling();
});

const capturedAtBilling = (): number =>
  [...world.billing.payments.values()].reduce((sum, { captured }) => sum + captured, 0);
const chargerAt = (at: number) => (): Charger => {
  const charger = chargers[at % chargers.length];
  if (charger === undefined) throw new Error("no process runs");
  return charger;
};
const post = (body: ChargeRequest, { at, key }: { at: number; key: string }) =>
  call({ ...asMerchantCall(world, chargerAt(at)), path: "/api/v1/charges", body, key });

/** On a tab nothing is asked of billing until it is full, which it never gets here. */
const onRail = (rail: Rail, amount: number): Pick<Purchase, "amount" | "offer" | "request"> => ({
  amount,
  request: { capture: "automatic" },
  ...(rail === "tab" ? { offer: { tab: true, tab_minor: 1_000_000 } } : {}),
  ...(rail === "x402" ? { offer: { currency: "USD", transfer: transferOf(amount) } } : {}),
});

const transferOf = (minor: number) => ({
  network,
  asset: token,
  amount: String(minor * 10_000),
  pay_to: `0x${"5e".repeat(20)}`,
  name: "USDC",
  version: "2",
});

/** How many were sold, and why the others were not. */
async function buyAtOnce(wanted: (at: number) => Purchase) {
  const requests = Array.from({ length: buyersCount }, (_, at) => purchase(world, wanted(at)));
  const sent = await Promise.all(
    requests.map((request, at) => post(request, { at, key: `buy-${request.merchant_nonce}` })),
  );
  const refused = sent.filter(({ status }) => status !== 201);
  return {
    sold: sent.length - refused.length,
    because: [...new Set(refused.map(({ body }) => body["code"]))],
  };
}

/** Spent to the cent by the budget, by the sum of its holds, and by what was taken of the card or stands on the tab. */
async function assertSpent(mandate: IssuedTestMandate, spentMinor: number, rail: Rail): Promise<void> {
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: BigInt(spentMinor) * 10_000n });
  expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  expect(capturedAtBilling() - before).toBe(rail === "tab" ? 0 : spentMinor);
  if (rail === "tab") expect(await owedOf(mandate)).toBe(spentMinor);
}

async function owedOf(mandate: IssuedTestMandate): Promise<number> {
  const rows = await world.database.asAdmin<{ owed: number }>(
    `select coalesce(sum(owed_minor), 0)::integer as owed from tabs where mandate_id in (
       select id from mandates where id = $1 or ancestors @> array[$1])`,
    [mandate.id],
  );
  return rows[0]?.owed ?? 0;
}

test.each(rails)(
  "C01 100 at once over three processes, by %s, under a cap for 10: exactly 10",
  async (rail) => {
    const mandate = await giveMandate(world, { ...termsOf(rail), amount_minor: 10_000 });
    const outcome = await buyAtOnce(() => ({ mandate, ...onRail(rail, 1_000) }));
    expect(outcome).toEqual({ sold: 10, because: ["mandate_cap_exceeded"] });
    await assertSpent(mandate, 10_000, rail);
  },
);

test.each(rails)(
  "C01 100 at once over three processes, by %s, every other one above the limit for one charge: exactly the others",
  async (rail) => {
    const mandate = await giveMandate(world, {
      ...termsOf(rail),
      amount_minor: 1_000_000,
      per_charge_minor: 100,
    });
    const outcome = await buyAtOnce((at) => ({ mandate, ...onRail(rail, 100 + (at % 2)) }));
    expect(outcome).toEqual({ sold: 50, because: ["charge_offer_amount_exceeds_mandate"] });
    await assertSpent(mandate, 5_000, rail);
  },
);

test.each(rails)(
  "C01 100 at once over three processes, by %s, in a day for 5.00, and in one for 7 uses: exactly 5, exactly 7",
  async (rail) => {
    for (const [velocity, sold] of [
      [{ period: "day", amount_minor: 500, count: 7 }, 5],
      [{ period: "day", amount_minor: 1_000, count: 7 }, 7],
    ] as const) {
      before = capturedAtBilling();
      const mandate = await giveMandate(world, {
        ...termsOf(rail),
        amount_minor: 100_000,
        velocity: [velocity],
      });
      const outcome = await buyAtOnce(() => ({ mandate, ...onRail(rail, 100) }));
      expect(outcome).toEqual({ sold, because: ["mandate_velocity_exceeded"] });
      await assertSpent(mandate, sold * 100, rail);
    }
  },
);

test.each(rails)(
  "C01 100 at once over three processes, by %s, for a single use: exactly one",
  async (rail) => {
    const mandate = await giveMandate(world, { ...termsOf(rail), amount_minor: 100_000, uses: "single" });
    const outcome = await buyAtOnce(() => ({ mandate, ...onRail(rail, 100) }));
    expect(outcome).toEqual({ sold: 1, because: ["mandate_uses_exhausted"] });
    await assertSpent(mandate, 100, rail);
  },
);

test.each(rails)(
  "C01 100 at once over three processes, by %s, under a chain of three whose root has room for 10: exactly 10",
  async (rail) => {
    const root = await giveMandate(world, { ...termsOf(rail), amount_minor: 1_000 });
    const [one, other] = [
      await handOn(root, rail, [world.agent, second]),
      await handOn(root, rail, [world.agent, second]),
    ];
    const leaf = await handOn(one, rail, [second, world.agent]);
    const buyers = [
      { mandate: root, agent: world.agent },
      { mandate: other, agent: second },
      { mandate: leaf, agent: world.agent },
    ];
    const outcome = await buyAtOnce((at) => ({ ...buyerAt(buyers, at), ...onRail(rail, 100) }));
    expect(outcome).toEqual({ sold: 10, because: ["mandate_cap_exceeded"] });
    await assertSpent(root, 1_000, rail);
    for (const { id } of [one, other, leaf])
      expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, id))).toBe(true);
  },
);

type Buyer = { readonly mandate: IssuedTestMandate; readonly agent: TestAgent };
function buyerAt(buyers: readonly Buyer[], at: number): Buyer {
  const buyer = buyers[at % buyers.length];
  if (buyer === undefined) throw new Error("nobody buys");
  return buyer;
}

async function handOn(
  parent: IssuedTestMandate,
  rail: Rail,
  [by, to]: readonly [TestAgent, TestAgent],
): Promise<IssuedTestMandate> {
  return world.db.of(world.payer).transaction((tx) =>
    world.mandates.handOnWithin(tx, {
      parent: parent.id,
      by: by.id,
      to: { agent: to.id, tenant: world.operator, holder: publicJwkOf(to.dpop) },
      asked: {},
      more: rail === "x402" ? { also_accepts: atPar } : {},
      now: world.clock.now(),
    }),
  );
}

test("C06 one presentation posted 50 times with 50 keys, over three processes: one charge, and all are told of it", async () => {
  const mandate = await giveMandate(world);
  const request = purchase(world, { mandate, ...onRail("card", 1_000) });
  const sent = await Promise.all(
    Array.from({ length: 50 }, (_, at) => post(request, { at, key: `hostile-${at}` })),
  );
  expect(new Set(sent.map(({ body }) => body["id"])).size).toBe(1);
  const told = sent.map(({ status, body }) => `${status} ${String(body["status"])}`);
  expect(new Set(told)).toEqual(new Set(["201 captured"]));
  expect(await budgetOf(world, mandate.id)).toMatchObject({ uses: 1 });
  await assertSpent(mandate, 1_000, "card");
});
