import type { Database, RelayTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { type Asked, oneAfterTheOther } from "./one-after-the-other.ts";

/** Work that goes on as long as there is any, in each process: what to share it is the work's own concern. */
export type Follower = {
  /** How often it looks when nothing tells it to; as often as for jobs, unless given. */
  readonly pollMs?: number;
  /** Does what there is to do now. Called again when it was asked meanwhile. */
  look(): Promise<void>;
  /** Lengthens the leases of what it holds, three times in `leaseMs`. */
  renew?(tx: RelayTx): Promise<void>;
  holdsAny?(): boolean;
  /** After the last look: ends what still runs. */
  drained?(): Promise<void>;
};

/** What a follower is given: to be looked again soon, and how long what it holds outlives a process that died. */
export type Asking = { readonly ask: () => void; readonly leaseMs: number };

export type Followers = {
  add(channel: string, make: (asking: Asking) => Follower): void;
  start(): void;
  close(): Promise<void>;
  drained(): Promise<void>;
  holdsAny(): boolean;
  renew(tx: RelayTx): Promise<void>;
};

export type FollowersOptions = {
  readonly db: Pick<Database, "listen">;
  readonly log: Log;
  readonly leaseMs: number;
  readonly pollMs: number;
};

type Followed = { readonly channel: string; readonly follower: Follower; readonly asked: Asked };

export function createFollowers({ db, log, leaseMs, pollMs }: FollowersOptions): Followers {
  const followed: Followed[] = [];
  let ends: (() => void)[] = [];
  return {
    add(channel, make) {
      const asked: Asked = oneAfterTheOther(
        () => follower.look(),
        (error) => log.warn({ error, channel }, "what a channel told of could not be handled"),
      );
      const follower = make({ ask: asked.ask, leaseMs });
      followed.push({ channel, follower, asked });
    },
    start() {
      ends = followed.flatMap(({ channel, follower, asked }) => {
        const timer = setInterval(asked.ask, follower.pollMs ?? pollMs).unref();
        asked.ask();
        return [db.listen(channel, asked.ask), () => clearInterval(timer)];
      });
    },
    async close() {
      for (const end of ends) end();
      await Promise.all(followed.map(({ asked }) => asked.close()));
    },
    async drained() {
      await Promise.all(followed.map(async ({ follower }) => await follower.drained?.()));
    },
    holdsAny: () => followed.some(({ follower }) => follower.holdsAny?.() === true),
    async renew(tx) {
      for (const { follower } of followed) if (follower.holdsAny?.() === true) await follower.renew?.(tx);
    },
  };
}
