import { randomInt } from "node:crypto";
import { after, minuteMs } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import * as rows from "./merchants.sql.ts";
import { type Deps, type Merchant, readAgain } from "./merchants.ts";

export type ReadingDeps = Deps & { readonly log: Log };

const everyMs = 5 * minuteMs;
/** An origin that is away is asked half as often each time, down to once in 80 minutes. */
const slowerAtMost = 4;
/** In one look, and of those at one moment: what we ask of others' servers is bounded, however many merchants there are. */
const most = 200;
const atOnce = 10;

/** Reads again the keys of merchants that are due. Each is taken before it is asked, so that no two processes ask it. */
export async function readDue(deps: ReadingDeps, signal: AbortSignal): Promise<void> {
  const due = await deps.db.global.transaction((tx) => rows.findDue(tx, { now: deps.clock.now(), most }));
  const waiting = due.values();
  const worker = async (): Promise<void> => {
    for (const merchant of waiting) {
      if (signal.aborted) return;
      await readOne(deps, merchant);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function readOne(deps: ReadingDeps, merchant: Merchant): Promise<void> {
  const { clock, log } = deps;
  const db = deps.db.of(merchant.tenant);
  const now = clock.now();
  const next = after(now, jittered(everyMs));
  const taken = await db.transaction((tx) => rows.takeDue(tx, merchant.id, { now, next }));
  if (taken === undefined) return;
  const failed = await failureOf(() => readAgain(deps, merchant));
  if (failed === undefined && taken.failures === 0) return;
  const failures = failed === undefined ? 0 : taken.failures + 1;
  if (failed !== undefined)
    log.warn({ merchant: merchant.id, code: failed.code, failures }, "a merchant's keys could not be read");
  const slower = 2 ** Math.min(failures, slowerAtMost);
  const later = after(clock.now(), jittered(everyMs * slower));
  await db.transaction((tx) => rows.noteReading(tx, merchant.id, { failures, next: later }));
}

/** What its origin is refused for; anything else is a fault of ours. */
async function failureOf(work: () => Promise<void>): Promise<Problem | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** A fifth up or down: merchants that were registered together are not asked together for ever. */
const jittered = (ms: number): number => Math.round((ms * randomInt(800, 1201)) / 1000);
