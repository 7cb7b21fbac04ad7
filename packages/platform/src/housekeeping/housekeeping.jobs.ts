import { type Clock, dayMs, type Instant, instantOf, minuteMs } from "@remit/kernel";
import { sweepIdempotencyKeys } from "../idempotency/index.ts";
import type { Jobs } from "../jobs/index.ts";
import { sweepFirstUses } from "../once/index.ts";
import { trimOutbox } from "../outbox/index.ts";
import type { Database } from "../sql/index.ts";

const outboxKeptMs = 7 * dayMs;
const roundsMax = 20;

/** Removes what has had its time from the platform's own tables, so that what they cost does not grow with history. */
export function keepHouse(jobs: Jobs, { db, clock }: { readonly db: Database; readonly clock: Clock }): void {
  jobs.every("platform.first-uses", minuteMs, (signal) =>
    untilDone(signal, () => sweepFirstUses(db.global, clock.now())),
  );
  jobs.every("platform.idempotency-keys", 10 * minuteMs, (signal) =>
    untilDone(signal, () => sweepIdempotencyKeys(db.relay)),
  );
  jobs.every("platform.outbox", 10 * minuteMs, (signal) =>
    untilDone(signal, () => trimOutbox(db.relay, before(clock.now()))),
  );
}

const before = (now: Instant): Instant => instantOf(Math.max(0, now - outboxKeptMs));

/** Batch after batch, for a while: the rest waits for the next turn. */
async function untilDone(signal: AbortSignal, sweep: () => Promise<number>): Promise<void> {
  for (let round = 0; round < roundsMax && !signal.aborted; round++) if ((await sweep()) === 0) return;
}
