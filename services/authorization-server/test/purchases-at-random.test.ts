import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { purchaseSteps, Shop } from "./charging/purchase-steps.ts";
import { createWorld, type World } from "./charging/world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("I2 I3 I4 I5 over some steps at random no credential is used twice, and what is delivered was taken at every one", async () => {
  await fc.assert(
    fc.asyncProperty(purchaseSteps(120), async (steps) => {
      const shop = await Shop.open(world);
      for (const step of steps) await shop.take(step);
      await shop.assertWhole();
    }),
    { numRuns: 1, endOnFailure: true },
  );
});
