import fc from "fast-check";
import { Life } from "./life.ts";
import { assertEnds } from "./life-ends.ts";
import { lifeSteps } from "./life-steps.ts";
import type { World } from "./world.ts";

/**
 * So many lives of so many steps each. The seed is printed, and what it leads to is found again by REMIT_TEST_SEED; one that fails
 * is told with its steps.
 */
export async function live(world: World, { lives, steps }: { lives: number; steps: number }): Promise<void> {
  const seed = Number(process.env["REMIT_TEST_SEED"] ?? fc.sample(fc.noBias(fc.integer()), 1)[0]);
  process.stdout.write(`${lives} lives of ${steps} steps, REMIT_TEST_SEED=${seed}\n`);
  await fc.assert(
    fc.asyncProperty(lifeSteps(steps), async (all) => {
      const life = await Life.begin(world);
      try {
        for (const step of all) await life.take(step);
        await assertEnds(world, await life.left());
      } finally {
        await life.close();
      }
    }),
    { numRuns: lives, endOnFailure: true, seed },
  );
}
