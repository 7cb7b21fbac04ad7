import { pause } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { approvalsChannel } from "./asking.ts";

/** Whoever waits for news of approvals, in this process. */
export type Waiting = {
  /** Resolves at the next change of any approval, here or in another process, or after a second. */
  next(): Promise<void>;
  readonly isClosed: () => boolean;
  /** Lets all who wait go, before the server drains. */
  close(): void;
};

// Where LISTEN is not available, news comes no later than this.
const lookAgainMs = 1_000;

export function createWaiting(db: Pick<Database, "listen">): Waiting {
  let news = Promise.withResolvers<void>();
  const wake = (): void => {
    news.resolve();
    news = Promise.withResolvers();
  };
  let stop: (() => void) | undefined;
  let closed = false;
  return {
    next: async () => {
      if (closed) return;
      stop ??= db.listen(approvalsChannel, wake);
      await Promise.race([news.promise, pause(lookAgainMs)]);
    },
    isClosed: () => closed,
    close: () => {
      closed = true;
      stop?.();
      wake();
    },
  };
}
