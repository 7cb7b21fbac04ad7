import { setTimeout as pause } from "node:timers/promises";

const firstPauseMs = 5;
const pauseMsMax = 200;
const totalMsMax = 90_000;

/** Repeats `check` until it neither throws nor returns false, 90 s at most; then throws what it threw last. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (
    let pauseMs = firstPauseMs, totalMs = 0;
    ;
    totalMs += pauseMs, pauseMs = Math.min(pauseMs * 2, pauseMsMax)
  ) {
    try {
      const result = await check();
      if (result !== false) return result;
      if (totalMs >= totalMsMax) return result;
    } catch (error) {
      if (totalMs >= totalMsMax) throw error;
    }
    await pause(pauseMs);
  }
}
