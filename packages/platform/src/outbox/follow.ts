import { type Asking, type Follower, pause } from "../jobs/index.ts";

/** Reading again at once would be a transaction per event. */
const gatherMs = 50;
/** Not everything that records an event says so: tokens are issued in batches of their own. */
const pollMs = 400;

/** Reads on as events are recorded, and again at once after a batch that was full. `read` returns how many it has read. */
export const followOutbox = (
  { ask }: Pick<Asking, "ask">,
  { read, batchMax }: { readonly read: () => Promise<number>; readonly batchMax: number },
): Follower => ({
  pollMs,
  async look() {
    await pause(gatherMs);
    if ((await read()) === batchMax) ask();
  },
});
