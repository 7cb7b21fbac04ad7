import { invariant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { settledWithin } from "../host/index.ts";
import { offTrail } from "../trail/index.ts";

/** Work of many requests that goes to the database together: one batch is there while the next one gathers. */
export type Batches<T, R> = {
  /** The answer to this item, once the batch it went with has committed; `unavailable` when that failed or is late. */
  readonly add: (item: T) => Promise<R>;
};

export type BatchesOptions<T, R> = {
  /** Carries out a batch and answers each item, in order. What it throws refuses all of them. */
  readonly commit: (items: readonly T[]) => Promise<readonly R[]>;
  /** Items of one batch at most; 256 by default. */
  readonly sizeMax?: number;
  /** Items that may wait for the next batch; 4,096 by default. */
  readonly queueMax?: number;
  /** How long a batch may take before its items are refused; 1.5 s by default. */
  readonly waitMsMax?: number;
};

type Waiting<T, R> = {
  readonly item: T;
  readonly resolve: (answer: R) => void;
  readonly reject: (error: unknown) => void;
};

const sizeMaxDefault = 256;
const queueMaxDefault = 4_096;
const waitMsMaxDefault = 1_500;
const retryAfterS = 2;

/**
 * Group commit: many items pay for one round trip and one write to disk. It waits for nothing: whoever comes alone goes
 * at once. When a batch fails, so does what gathered behind it: a database that is away would make it wait as long again.
 */
export function createBatches<T, R>(options: BatchesOptions<T, R>): Batches<T, R> {
  const { sizeMax = sizeMaxDefault, queueMax = queueMaxDefault } = options;
  let gathering: Waiting<T, R>[] = [];
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (gathering.length > 0) {
      const batch = gathering.splice(0, sizeMax);
      try {
        const answers = await commitInTime(options, batch);
        for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer);
      } catch (error) {
        const refused = [...batch, ...gathering];
        gathering = [];
        for (const each of refused) each.reject(error);
      }
    }
    running = false;
  };
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        if (gathering.length >= queueMax) return reject(unavailable("too many requests wait for a batch"));
        gathering.push({ item, resolve, reject });
        if (!running) void offTrail(run);
      }),
  };
}

/** What comes late is not waited for; it may still commit, and then nobody was told so: it has been refused. */
async function commitInTime<T, R>(
  { commit, waitMsMax = waitMsMaxDefault }: BatchesOptions<T, R>,
  batch: readonly Waiting<T, R>[],
): Promise<readonly R[]> {
  const committing = commit(batch.map(({ item }) => item));
  if (!(await settledWithin(committing, waitMsMax))) throw unavailable("a batch took too long");
  const answers = await committing;
  invariant(answers.length === batch.length, "a batch answers each of its items");
  return answers;
}

const unavailable = (why: string): Problem =>
  new Problem("unavailable", { private: { why }, headers: { "retry-after": String(retryAfterS) } });
