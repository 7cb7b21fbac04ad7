import { randomInt } from "node:crypto";
import type { Clock } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import { Problem } from "@remit/protocol";

/** How long one request is tried again before its buyer is told to come back. */
export type Patience = {
  /** Waits a little, with jitter; false once it has waited enough. */
  again(): Promise<boolean>;
};

const delayMsMin = 100;
const delayMsMax = 500;

export function patience(ms: number, clock: Clock): Patience {
  const until = clock.now() + ms;
  let waited = 0;
  return {
    again: async () => {
      const delayMs = randomInt(delayMsMin, delayMsMax);
      if (waited + delayMs > ms || clock.now() + delayMs > until) return false;
      waited += delayMs;
      await pause(delayMs);
      return true;
    },
  };
}

/** Does work that is safe to repeat again while the database has no room for it. */
export async function whenAvailable<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof Problem && error.code === "unavailable";
      if (!isBusy || !(await patience.again())) throw error;
    }
  }
}
