import type { Id } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { approvalsChannel } from "./asking.ts";

/** Whoever waits for news of approvals, in this process. */
export type Waiting = {
  /** Resolves at the next change of an approval of this person, here or in another process, or after a second. */
  next(principal: Id<"account">): Promise<void>;
  /** One of the few places for requests of this person that wait, until what is returned is called; refuses when none is free. */
  take(principal: Id<"account">): () => void;
  readonly isClosed: () => boolean;
  /** Lets all who wait go, before the server drains. */
  close(): void;
};

// Where LISTEN is not available, news comes no later than this.
const lookAgainMs = 1_000;
// Nobody looks at so many pages; what waits has its connection, and looks again and again.
const placesMax = 20;

/** A notification says whose approvals have changed: nobody else is woken. One that says nothing wakes everybody. */
export function createWaiting(db: Pick<Database, "listen">): Waiting {
  const waiters = new Map<string, Set<() => void>>();
  const wake = (principal: string): void => {
    for (const go of waiters.get(principal) ?? []) go();
  };
  const wakeAll = (): void => {
    for (const principal of waiters.keys()) wake(principal);
  };
  const leave = (principal: string, go: () => void): void => {
    const all = waiters.get(principal);
    all?.delete(go);
    if (all?.size === 0) waiters.delete(principal);
  };
  const taken = new Map<string, number>();
  let stop: (() => void) | undefined;
  let closed = false;
  return {
    next: async (principal) => {
      if (closed) return;
      stop ??= db.listen(approvalsChannel, (about) =>
        about === undefined || about === "" ? wakeAll() : wake(about),
      );
      const { promise, resolve } = Promise.withResolvers<void>();
      waiters.set(principal, (waiters.get(principal) ?? new Set()).add(resolve));
      await Promise.race([promise, pause(lookAgainMs)]);
      leave(principal, resolve);
    },
    take: (principal) => {
      const before = taken.get(principal) ?? 0;
      if (before >= placesMax) throw new Problem("rate_limited", { headers: { "Retry-After": "2" } });
      taken.set(principal, before + 1);
      return () => {
        const left = (taken.get(principal) ?? 0) - 1;
        if (left > 0) taken.set(principal, left);
        else taken.delete(principal);
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
