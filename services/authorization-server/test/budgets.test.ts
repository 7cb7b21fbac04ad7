import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { BudgetTree, steps } from "./charging/budget-steps.ts";
import { createWorld, type World } from "./charging/world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("I2 I5 whatever happens in whatever order, and whichever transaction dies, every budget of a tree is what it must be", async () => {
  await fc.assert(
    fc.asyncProperty(steps(60), async (all) => {
      const tree = await BudgetTree.plant(world);
      for (const step of all) await tree.take(step);
      await tree.assertWhole();
    }),
    { numRuns: 1 },
  );
});
