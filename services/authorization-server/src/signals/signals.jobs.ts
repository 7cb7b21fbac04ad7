import { hourMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { outboxChannel } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { signalsChannel } from "../lanes/index.ts";
import { type FanOutDeps, fanOut } from "./fan-out.ts";
import { createPusher, type PusherDeps } from "./pusher.ts";
import { sweepSignals } from "./waiting.sql.ts";

export type SignalJobsDeps = FanOutDeps & PusherDeps;

const roundsMax = 200;

/** From an event in the outbox to a receiver's word that it has heard, and what is forgotten at last. */
export const signalJobs = (jobs: Jobs, deps: SignalJobsDeps): Jobs =>
  jobs
    .follow(outboxChannel, (asking) => fanOut(deps, asking))
    .follow(signalsChannel, (asking) => createPusher(deps, asking))
    .every("signals.sweep", hourMs, (signal) => sweep(deps.db, signal));

/** Removes what nobody fetched for a week, batch after batch, for a while. */
async function sweep({ relay }: Pick<Database, "relay">, signal: AbortSignal): Promise<void> {
  for (let round = 0; round < roundsMax && !signal.aborted; round++)
    if ((await relay.transaction(sweepSignals)) === 0) return;
}
