import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { BudgetTree, steps } from "./charging/budget-steps.ts";
import { createWorld, type World } from "./charging/world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("I2 I5 over 10,000 steps every budget of a tree is what it must be, whichever transactions die", async () => {
  await fc.assert(
    fc.asyncProperty(steps(500), async (all) => {
      const tree = await BudgetTree.plant(world);
      for (const step of all) await tree.take(step);
      await tree.assertWhole();
    }),
    { numRuns: 20 },
  );
});
