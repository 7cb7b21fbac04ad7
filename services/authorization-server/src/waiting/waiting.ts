import { pause } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";

/** Whoever waits for news of somebody, in this process: of a person's approvals, of a stream's signals. */
export type Waiting = {
  /** Resolves at the next news of this one, here or in another process, or after a second. */
  next(whose: string): Promise<void>;
  /** One of the few places for requests that wait for this one, until what is returned is called; refuses when none is free. */
  take(whose: string): () => void;
  readonly isClosed: () => boolean;
  /** Lets all who wait go, before the server drains. */
  close(): void;
};

// Where LISTEN is not available, news comes no later than this.
const lookAgainMs = 1_000;
// Nobody looks at so many pages; what waits has its connection, and looks again and again.
const placesMax = 20;

/** A notification on the channel says of whom there is news: nobody else is woken. One that says nothing wakes everybody. */
export function createWaiting(db: Pick<Database, "listen">, channel: string): Waiting {
  const waiters = new Map<string, Set<() => void>>();
  const wake = (whose: string): void => {
    for (const go of waiters.get(whose) ?? []) go();
  };
  const wakeAll = (): void => {
    for (const whose of waiters.keys()) wake(whose);
  };
  const leave = (whose: string, go: () => void): void => {
    const all = waiters.get(whose);
    all?.delete(go);
    if (all?.size === 0) waiters.delete(whose);
  };
  const taken = new Map<string, number>();
  let stop: (() => void) | undefined;
  let closed = false;
  return {
    next: async (whose) => {
      if (closed) return;
      stop ??= db.listen(channel, (about) => (about === undefined || about === "" ? wakeAll() : wake(about)));
      const { promise, resolve } = Promise.withResolvers<void>();
      waiters.set(whose, (waiters.get(whose) ?? new Set()).add(resolve));
      await Promise.race([promise, pause(lookAgainMs)]);
      leave(whose, resolve);
    },
    take: (whose) => {
      const before = taken.get(whose) ?? 0;
      if (before >= placesMax) throw new Problem("rate_limited", { headers: { "Retry-After": "2" } });
      taken.set(whose, before + 1);
      return () => {
        const left = (taken.get(whose) ?? 0) - 1;
        if (left > 0) taken.set(whose, left);
        else taken.delete(whose);
      };
    },
    isClosed: () => closed,
    close: () => {
      closed = true;
      stop?.();
      wakeAll();
    },
  };
}
