import { type Id, secondMs } from "@remit/kernel";
import { sql } from "@remit/platform/sql";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Charge, type Charges, createCharges } from "../src/charges/index.ts";
import { settleTab } from "../src/charges/settle-tab.ts";
import { owedAt } from "../src/charges/tabs.sql.ts";
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

// One principal, many mandates, one merchant: what is owed there on tabs is bounded over all of them. Three tabs' limits of 1.00 each.
const least = 50;
const mostMinor = 300;
let world: World;
let charges: Charges;

beforeAll(async () => {
  world = await createWorld();
  world.billing.least = least;
  charges = createCharges({ ...world.chargesDeps, tabCredit: 3 });
});
afterAll(() => world.close());
beforeEach(async () => {
  // Every test's payer is the same one: what another test bought is paid.
  await world.database.asAdmin("update tabs set owed_minor = 0");
});

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

/** Under a mandate of its own. */
async function buy(amount: number, capture: "automatic" | "manual" = "automatic"): Promise<Charge> {
  const mandate = await giveMandate(world);
  const offer = { tab: true, tab_minor: 100 };
  return charges.create(asMerchant(world), purchase(world, { mandate, amount, offer, request: { capture } }));
}
const owed = async (): Promise<number> => {
  const [row] = await world.database.asAdmin<{ owed: number }>(
    "select coalesce(sum(owed_minor), 0)::integer as owed from tabs where state <> 'settled'",
  );
  return row?.owed ?? 0;
};
const settle = (tab: Id<"tab"> | undefined) =>
  tab === undefined ? Promise.reject(new Error("no tab")) : settleTab(world.chargesDeps, world.payer, tab);

describe("C01 what a principal owes a merchant on tabs, under however many mandates", () => {
  test("stays within bounds: of thirty mandates that buy at once as many get one as there is credit for", async () => {
    const sold = await Promise.allSettled(Array.from({ length: 30 }, () => buy(45)));
    const kept = sold.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(kept).toHaveLength(Math.floor(mostMinor / 45));
    for (const one of sold)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "charge_tab_full" });
    expect(await owed()).toBe(kept.length * 45);
  });

  test("leaves no trace of what is refused", async () => {
    for (let count = 0; count < 6; count++) await buy(45);
    const mandate = await giveMandate(world);
    const request = purchase(world, { mandate, amount: 45, offer: { tab: true, tab_minor: 100 } });
    expect(await refusalOf(charges.create(asMerchant(world), request))).toBe("charge_tab_full");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
    const rows = await world.database.asAdmin("select id from charges where mandate_id = $1", [mandate.id]);
    expect(rows).toEqual([]);
  });

  test("is charged by itself beyond that where a card can be charged so little", async () => {
    for (let count = 0; count < 6; count++) await buy(45);
    expect(await buy(least)).toMatchObject({
      state: "captured",
      tab: undefined,
      payment: expect.any(String) as unknown,
    });
    expect(await owed()).toBe(270);
  });

  test("counts what is held and not captured yet, until it is let go of", async () => {
    const held = await Promise.all(Array.from({ length: 6 }, () => buy(45, "manual")));
    expect(await refusalOf(buy(45))).toBe("charge_tab_full");
    const [gone, ...others] = held;
    if (gone === undefined) throw new Error("nothing is held");
    await charges.release(own(world, gone.id), "cancelled");
    expect((await buy(45)).tab).toBeDefined();
    for (const { id } of others) await charges.capture(own(world, id), order);
    expect(await owed()).toBe(270);
    expect(await refusalOf(buy(45))).toBe("charge_tab_full");
  });

  test("is asked for at once when there is no more credit, and there is credit again when it is paid", async () => {
    const kept = await Promise.all([60, 60, 60, 60, 45].map((amount) => buy(amount)));
    const dueNow = async (tab: Id<"tab"> | undefined): Promise<boolean> => {
      const [row] = await world.database.asAdmin<{ due: boolean }>(
        `select due_at <= $2::timestamptz and exists (select from jobs where key = $1 and run_at <= $2::timestamptz) as due
         from tabs where id = $1`,
        [tab, new Date(world.clock.now()).toISOString()],
      );
      return row?.due ?? false;
    };
    expect(await dueNow(kept[0]?.tab)).toBe(false);
    expect(await refusalOf(buy(45))).toBe("charge_tab_full");
    // But for the one that no card can be charged for.
    expect(await Promise.all(kept.map(({ tab }) => dueNow(tab)))).toEqual([true, true, true, true, false]);
    expect(await settle(kept[0]?.tab)).toBeUndefined();
    expect((await buy(45)).tab).toBeDefined();
  });

  test("bounds one mandate as well, whose tabs are being charged while billing does not answer", async () => {
    const mandate = await giveMandate(world);
    const offer = { tab: true, tab_minor: 100 };
    const more = (): Promise<Charge> =>
      charges.create(
        asMerchant(world),
        purchase(world, { mandate, amount: 45, offer, request: { capture: "automatic" } }),
      );
    world.billing.fail("hold", "lost", 100);
    world.billing.fail("read", "lost", 100);
    let sold = 0;
    for (; sold < 20; sold++) {
      const bought = await more().catch((error: unknown) => {
        expect(error).toMatchObject({ code: "charge_tab_full" });
      });
      if (bought === undefined) break;
      await settle(bought.tab);
      world.clock.advance(secondMs);
    }
    expect(sold).toBe(6);
    world.billing.fail("hold", "lost", 0);
    world.billing.fail("read", "lost", 0);
  });

  test("is summed up without reading what other principals owe there, or this one elsewhere", async () => {
    const charge = await buy(45);
    const held = await buy(45, "manual");
    const copy = (table: string, from: string, key: string) =>
      `insert into ${table} select (jsonb_populate_record(t, jsonb_build_object(
        whose, 'another ' || n, 'id', t.id || whose || n, '${key}', whose || n))).*
        from ${table} t, generate_series(1, 2000) n, unnest('{tenant_id,merchant_id}'::text[]) whose where t.id = '${from}'`;
    await world.database.asAdmin(`begin; set local session_replication_role = replica;
      ${copy("tabs", charge.tab ?? "", "charge_id")}; ${copy("charges", held.id, "mandate_id")}; commit;
      analyze tabs; analyze charges`);
    await world.db.of(world.payer).transaction(async (tx) => {
      const read = () =>
        tx.one<{ rows: bigint }>(sql`select sum(seq_tup_read + idx_tup_fetch)::bigint as rows
          from pg_stat_xact_user_tables where relname in ('tabs', 'charges') and schemaname = current_schema()`);
      // Of so few it would read all.
      await tx.run(sql`set local enable_seqscan = off`);
      const before = await read();
      expect(await owedAt(tx, charge)).toBeGreaterThanOrEqual(90n);
      expect((await read()).rows - before.rows).toBeLessThan(1_000n);
    });
  });
});
