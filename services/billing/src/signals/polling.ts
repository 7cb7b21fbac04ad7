import { dayMs, minuteMs } from "@remit/kernel";
import { Problem, setErrorOf } from "@remit/protocol";
import { PolledStream, type PollStream, pollSetsMax } from "@remit/protocol/contracts";
import { ask, read } from "./asking.ts";
import { hear, type SignalDeps } from "./hearing.ts";
import * as rows from "./signals.sql.ts";

/** A gap for longer than this is one that somebody should know of. */
const gapMsMax = 5 * minuteMs;

/** The issuer keeps what was not acknowledged: what it has not told for so long, it has dropped. */
const lostAfterMs = dayMs;

type Answers = Pick<PollStream, "ack" | "setErrs">;

/**
 * Fetches what the issuer says that a stream of ours has not taken (RFC 8936), until there is no more. False while a place before
 * the furthest is still empty: then it is to be asked again.
 */
export async function fetchMissing(deps: SignalDeps, id: string): Promise<boolean> {
  const stream = await deps.db.global.transaction((tx) => rows.streamById(tx, id));
  // What an ended stream has not told, nobody can tell any more.
  if (stream === undefined || stream.endedAt !== null) return true;
  const poll = { scope: "ssf.read", method: "POST", url: deps.issuer + stream.pollPath } as const;
  let answers: Answers = {};
  for (;;) {
    const body: PollStream = { ...answers, maxEvents: pollSetsMax, returnImmediately: true };
    const { sets } = read(PolledStream, await ask(deps, { ...poll, body }), [200]);
    const tokens = Object.entries(sets);
    if (tokens.length === 0) break;
    answers = await take(deps, stream, tokens);
    // A page of which nothing could be taken would come again for ever.
    if (answers.ack?.length === 0) {
      await ask(deps, { ...poll, body: { ...answers, maxEvents: 0, returnImmediately: true } });
      break;
    }
  }
  return isWhole(deps, id);
}

/** Takes each, and says of each what became of it: what is acknowledged has been committed. */
async function take(
  deps: SignalDeps,
  stream: rows.Stream,
  tokens: readonly (readonly [string, string])[],
): Promise<Answers> {
  const ack: string[] = [];
  const setErrs: NonNullable<PollStream["setErrs"]> = {};
  for (const [jti, token] of tokens) {
    try {
      await hear(deps, token, { by: "poll", stream });
      ack.push(jti);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "invalid_request") throw error;
      const { detail: description } = error;
      setErrs[jti] = { err: setErrorOf(error), ...(description === undefined ? {} : { description }) };
    }
  }
  return { ack, setErrs };
}

async function isWhole(
  { db, clock, log }: Pick<SignalDeps, "db" | "clock" | "log">,
  id: string,
): Promise<boolean> {
  const now = clock.now();
  const [stream, missing] = await db.global.transaction(async (tx) => [
    await rows.streamById(tx, id),
    await rows.missingOf(tx, { id }),
  ]);
  if (stream === undefined || stream.gapSince === null) return true;
  const { whole, furthest, gapSince } = stream;
  const fields = { stream: id, whole, furthest, missing };
  if (now - gapSince > lostAfterMs) {
    log.error(fields, "the issuer has not got a signal any more: it is not waited for");
    await db.global.transaction((tx) => rows.passGap(tx, stream, now));
    return isWhole({ db, clock, log }, id);
  }
  if (now - gapSince > gapMsMax) log.error(fields, "signals stay away: somebody must look");
  return false;
}
