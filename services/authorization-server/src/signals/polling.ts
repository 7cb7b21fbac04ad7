import { after, type Clock, secondMs } from "@remit/kernel";
import type { Call } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { type SetError, setErrors } from "@remit/protocol";
import { type PolledStream, type PollStream, pollSetsMax } from "@remit/protocol/contracts";
import type { Waiting } from "../waiting/index.ts";
import { type SigningDeps, tokenOf } from "./signing.ts";
import type { Stream } from "./streams.ts";
import { firstWaiting, forget, type Signal } from "./waiting.sql.ts";

export type PollingDeps = SigningDeps & {
  readonly db: Database;
  readonly clock: Clock;
  /** Whoever waits for news of a stream, in this process. */
  readonly waiting: Waiting;
  /** Told of each signal that a receiver would not take, by the registered word for why: what it writes itself is `other`. */
  readonly refused: (err: SetError | "other") => void;
};

/** How long an answer is held back while there is nothing to say. */
const waitS = 20;

/** RFC 8936 §2: forgets what has come, then answers with what waits, as soon as something does. */
export async function poll(
  deps: PollingDeps,
  { stream, asked, call }: { readonly stream: Stream; readonly asked: PollStream; readonly call: Call },
): Promise<PolledStream> {
  const { db, clock, waiting } = deps;
  const limit = Math.min(asked.maxEvents ?? pollSetsMax, pollSetsMax);
  await take(deps, stream, asked);
  const patient = asked.returnImmediately !== true && limit > 0;
  const until = after(clock.now(), waitS * secondMs);
  let leave: (() => void) | undefined;
  try {
    for (;;) {
      // Asked for before the stream is read: what comes meanwhile wakes us.
      const news = patient ? waiting.next(stream.id) : undefined;
      const found = await db.of(stream.tenant).transaction((tx) => firstWaiting(tx, stream.id, limit + 1));
      if (found.length > 0 || news === undefined || clock.now() >= until || waiting.isClosed())
        return answerOf(deps, stream, { found, limit });
      // An organization's streams share its places; of the platform's each service has its own.
      leave ??= waiting.take(stream.wide ? stream.client : stream.tenant);
      if (!(await call.waits(news))) return { sets: {} };
    }
  } finally {
    leave?.();
  }
}

async function take(
  { db, refused }: PollingDeps,
  { id, tenant }: Stream,
  { ack = [], setErrs = {} }: PollStream,
): Promise<void> {
  const wrong = Object.entries(setErrs);
  if (ack.length + wrong.length === 0) return;
  const jtis = [...ack, ...wrong.map(([jti]) => jti)];
  const gone = await db.of(tenant).transaction((tx) => forget(tx, id, jtis));
  for (const [jti, { err }] of wrong)
    if (gone.has(jti)) refused(setErrors.find((known) => known === err) ?? "other");
}

async function answerOf(
  deps: PollingDeps,
  stream: Stream,
  { found, limit }: { readonly found: readonly Signal[]; readonly limit: number },
): Promise<PolledStream> {
  const sets: Record<string, string> = {};
  for (const signal of found.slice(0, limit)) sets[signal.jti] = await tokenOf(deps, stream, signal);
  return { sets, moreAvailable: found.length > limit };
}
