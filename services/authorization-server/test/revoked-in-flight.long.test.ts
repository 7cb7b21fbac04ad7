import { type Id, type Instant, systemClock, toNumericDate, toRfc3339 } from "@remit/kernel";
import { payloadOf } from "@remit/protocol";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { checkBudget } from "../src/mandates/index.ts";
import { walletOf } from "./charging/api.ts";
import { type Answer, asMerchantCall, type Charger, call, startCharger } from "./charging/processes.ts";
import {
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  purchase,
  type World,
} from "./charging/world.ts";

// Fifty charges are on their way over three processes while the mandate is revoked at one of them (decision 0078).
const amount = 100;
const [early, racing, late] = [20, 20, 10];

let world: World;
let chargers: Charger[] = [];

beforeAll(async () => {
  world = await createWorld({ billingClock: systemClock });
  chargers = await Promise.all(Array.from({ length: 3 }, () => startCharger(world)));
});
afterAll(async () => {
  await Promise.all(chargers.map(({ process }) => process.kill()));
  await world.close();
});
beforeEach(() => world.clock.set(systemClock.now()));

const chargerAt = (at: number) => (): Charger => {
  const charger = chargers[at % chargers.length];
  if (charger === undefined) throw new Error("no process runs");
  return charger;
};
const asMerchant = (at: number) => asMerchantCall(world, chargerAt(at));

async function holdAll(mandate: IssuedTestMandate, commits: boolean): Promise<Id<"charge">[]> {
  const requests = Array.from({ length: early + racing + late }, () =>
    purchase(world, { mandate, amount, offer: { commits }, request: { serve_by_s: 600 } }),
  );
  const held = await Promise.all(
    requests.map((body) =>
      call({ ...asMerchant(0), path: "/api/v1/charges", body, key: body.merchant_nonce }),
    ),
  );
  expect(held.map(({ body }) => body["status"])).toEqual(held.map(() => "authorized"));
  return held.map(({ body }) => body["id"] as Id<"charge">);
}

const captureAt = (id: Id<"charge">, at: number): Promise<Answer> =>
  call({ ...asMerchant(at), path: `/api/v1/charges/${id}/capture`, key: `capture-${id}` });
const revoke = ({ id }: IssuedTestMandate): Promise<Answer> =>
  call({ at: chargerAt(1), as: walletOf(world), path: `/api/v1/mandates/${id}/revoke`, key: `revoke-${id}` });

/** How many charges of the mandate have passed their commit point. */
const committedOf = async ({ id }: IssuedTestMandate): Promise<number> =>
  (
    await world.database.asAdmin<Row>(
      "select id from charges where mandate_id = $1 and commit_point_at is not null",
      [id],
    )
  ).length;

type Row = { id: Id<"charge">; state: string; commit_point_at: Instant | null; captured_at: Instant | null };

/** Revoked, and whatever was taken passed its commit point before: by the rows, by billing, and by the receipts. */
async function assertBounded(mandate: IssuedTestMandate, answers: ReadonlyMap<Id<"charge">, Answer>) {
  const found = await world.mandates.find(world.payer, mandate.id);
  const revokedAt = found?.mandate.revokedAt;
  if (revokedAt === undefined) throw new Error("the mandate is not revoked");
  const rows = await world.database.asAdmin<Row>(
    "select id, state, commit_point_at, captured_at from charges where mandate_id = $1",
    [mandate.id],
  );
  const taken = rows.filter(({ state }) => state === "captured");
  for (const { id, state, commit_point_at: at } of rows) {
    const money = world.billing.done.filter((line) => line === `capture ${id}`).length;
    const answer = answers.get(id);
    if (state === "captured") {
      expect([money, answer?.status]).toEqual([1, 200]);
      expect(
        at !== null && at <= revokedAt,
        `${id} passed its commit point before ${toRfc3339(revokedAt)}`,
      ).toBe(true);
      const receipt = payloadOf(String(answer?.body["receipt"]));
      expect(receipt?.["commit_point_at"]).toBe(at === null ? undefined : toNumericDate(at));
    } else {
      expect([state, money, at, answer?.body["code"]]).toEqual(["released", 0, null, "mandate_revoked"]);
    }
  }
  const spent = BigInt(taken.length * amount) * 10_000n;
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent });
  expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  return { taken, revokedAt };
}

test("C12 revoked while 50 charges are in flight over three processes: what has passed its commit point is taken, and nothing else", async () => {
  const mandate = await giveMandate(world, { amount_minor: 1_000_000 });
  const ids = await holdAll(mandate, false);
  const resume = world.billing.stall("capture");
  const answers = new Map<Id<"charge">, Answer>();
  const capture = async (some: readonly Id<"charge">[]) => {
    const all = some.map(async (id, at) => void answers.set(id, await captureAt(id, at)));
    await Promise.all(all);
  };
  const first = capture(ids.slice(0, early));
  // Their commit points are passed, and billing is being told: nobody knows yet what became of the money.
  await eventually(async () => expect(await committedOf(mandate)).toBe(early));
  const [revoked, second] = [revoke(mandate), capture(ids.slice(early, early + racing))];
  expect(await revoked).toMatchObject({ status: 200, body: { status: "revoked" } });
  const third = capture(ids.slice(early + racing));
  await third;
  resume();
  await Promise.all([first, second]);
  const { taken, revokedAt } = await assertBounded(mandate, answers);
  const takenIds = new Set(taken.map(({ id }) => id));
  expect(
    ids.slice(0, early).every((id) => takenIds.has(id)),
    "all that had passed it",
  ).toBe(true);
  expect(
    ids.slice(early + racing).some((id) => takenIds.has(id)),
    "none that came after",
  ).toBe(false);
  // The money of the first came after the revocation; the receipt says when it was decided.
  expect(taken.some(({ captured_at: at }) => at !== null && at > revokedAt)).toBe(true);
});

test("C12 revoked while 50 charges are in flight whose goods left first: those that said so before are taken, and nothing else", async () => {
  const mandate = await giveMandate(world, { amount_minor: 1_000_000 });
  const ids = await holdAll(mandate, true);
  const commit = (some: readonly Id<"charge">[]) =>
    Promise.all(
      some.map((id, at) =>
        call({ ...asMerchant(at), path: `/api/v1/charges/${id}/commit`, key: `commit-${id}` }),
      ),
    );
  await commit(ids.slice(0, early));
  const racers = commit(ids.slice(early, early + racing));
  await revoke(mandate);
  await racers;
  const answers = new Map<Id<"charge">, Answer>();
  await Promise.all(ids.map(async (id, at) => void answers.set(id, await captureAt(id, at))));
  const refused = [...answers].filter(([, { body }]) => body["code"] === "charge_state_conflict");
  // A commit that was refused has let its charge go already.
  for (const [id] of refused) answers.set(id, { status: 403, body: { code: "mandate_revoked" } });
  const { taken } = await assertBounded(mandate, answers);
  const receipts = taken.map(({ id }) => payloadOf(String(answers.get(id)?.body["receipt"]))?.["committed"]);
  expect(taken.length).toBeGreaterThanOrEqual(early);
  expect(taken.length).toBeLessThanOrEqual(early + racing);
  expect(new Set(receipts)).toEqual(new Set([true]));
});
