import type { Id } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { approvalsChannel } from "./asking.ts";

/** Whoever waits for news of approvals, in this process. */
export type Waiting = {
  /** Resolves at the next change of an approval of this person, here or in another process, or after a second. */
  next(principal: Id<"account">): Promise<void>;
  readonly isClosed: () => boolean;
  /** Lets all who wait go, before the server drains. */
  close(): void;
};

// Where LISTEN is not available, news comes no later than this.
const lookAgainMs = 1_000;

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
    isClosed: () => closed,
    close: () => {
      closed = true;
      stop?.();
      wakeAll();
    },
  };
}
