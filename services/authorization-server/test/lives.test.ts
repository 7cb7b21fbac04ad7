import { afterAll, beforeAll, test } from "vitest";
import { live } from "./charging/living.ts";
import { createWorld, type World } from "./charging/world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
  world.billing.least = 50;
});
afterAll(() => world.close());

test("I1 I2 I3 I4 I5 over some steps at random of all that may become of a mandate, tabs, what is handed on, amended, exported and disputed, whoever dies at whichever", async () => {
  await live(world, { lives: 1, steps: 120 });
});
