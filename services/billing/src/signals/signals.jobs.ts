import { dayMs, hourMs, instantOf, minuteMs, secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Metrics } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { fetchQueue, type SignalDeps } from "./hearing.ts";
import { fetchMissing } from "./polling.ts";
import * as rows from "./signals.sql.ts";
import { ensureStream } from "./streams.ts";

const streamQueue = "signals.stream";
const Fetching = z.strictObject({ stream: z.string().max(255) });

// What was lost must come in the end: neither job becomes a dead letter.
const attemptsMax = 1_000_000;
const backoffTo =
  (mostMs: number) =>
  (attempt: number): number =>
    Math.min(mostMs, secondMs * 2 ** Math.min(attempt - 1, 12));

/** A signal may be told for days: what is forgotten sooner would be written down as new where a stream has a gap. */
const rememberedMs = 30 * dayMs;

export function signalJobs(jobs: Jobs, deps: SignalDeps & { readonly metrics: Metrics }): Jobs {
  const missing = deps.metrics.gauge(
    "signals_missing",
    "Signals of the issuer that have not arrived though later ones have.",
  );
  const gapAge = deps.metrics.gauge(
    "signals_gap_age_seconds",
    "How long the first of them has been missing.",
  );
  return (
    jobs
      // What nothing came after is missed by nobody: it is asked for all the same, at each start and every few minutes.
      .on(streamQueue, {
        attemptsMax,
        backoff: backoffTo(minuteMs),
        concurrency: 1,
        handle: async () => {
          await fetchMissing(deps, await ensureStream(deps));
          return { restMs: 5 * minuteMs };
        },
      })
      .on(fetchQueue, {
        attemptsMax,
        backoff: backoffTo(hourMs),
        handle: async ({ payload }) => {
          const { stream } = Fetching.parse(payload);
          if (!(await fetchMissing(deps, stream)))
            throw new Problem("unavailable", { private: { signals: "places stay empty", stream } });
        },
      })
      .everywhere("signals.watch", minuteMs, async () => {
        const seen = await deps.db.global.transaction(async (tx) => {
          const stream = await rows.currentStream(tx);
          return stream && { stream, missing: await rows.missingOf(tx, stream) };
        });
        const since = seen?.stream.gapSince ?? null;
        missing.set(seen?.missing ?? 0);
        gapAge.set(since === null ? 0 : Math.max(0, deps.clock.now() - since) / secondMs);
      })
      .every("signals.forget", hourMs, async (signal) => {
        const before = instantOf(deps.clock.now() - rememberedMs);
        const forget = (): Promise<number> =>
          deps.db.global.transaction((tx) => rows.forgetSignals(tx, before));
        while (!signal.aborted && (await forget()) > 0);
      })
  );
}

/** One job, however many processes start: it makes sure of the stream, and fetches what was told while nobody was here. */
export const listenToIssuer = ({ db }: { readonly db: Database }): Promise<void> =>
  db.global.transaction((tx) => enqueue(tx, { queue: streamQueue, key: "stream", payload: {} }));
