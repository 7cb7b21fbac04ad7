import { sql } from "@remit/platform/sql";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
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
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

test("D12 a capture that came in time and stood still until it was late is refused at its commit point, and takes nothing", async () => {
  const mandate = await giveMandate(world);
  const { id, serveBy } = await world.charges.create(asMerchant(world), purchase(world, { mandate }));
  const [held, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const standstill = world.db.of(world.payer).transaction(async (tx) => {
    await tx.one(sql`select 1 from charges where id = ${id} for update`);
    held.resolve();
    await freed.promise;
  });
  await held.promise;
  const capture = refusalOf(world.charges.capture(own(world, id), order));
  await eventually(async () =>
    expect(
      await world.database.asAdmin(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      ),
    ).toHaveLength(1),
  );
  world.clock.set(serveBy);
  freed.resolve();
  await standstill;
  expect(await capture).toBe("charge_capture_too_late");
  expect(world.billing.done.filter((line) => line.endsWith(id))).toEqual([`hold ${id}`, `release ${id}`]);
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n });
});
