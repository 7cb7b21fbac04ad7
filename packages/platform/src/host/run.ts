import { setTimeout as wait } from "node:timers/promises";
import { secondMs, systemClock } from "@remit/kernel";
import { StartRefused } from "./start-refused.ts";

/** What `start` gave back: closed once, when the process is told to stop. */
export type Running = { close(): Promise<void> };

export type RunOptions = {
  /** Stop when the process that started us is gone (a launcher killed with -9 tells nobody). Off by default. */
  readonly stopWithParent?: boolean;
  /** What SIGHUP means, such as reading a file again. Without it SIGHUP stops. */
  readonly onHangup?: () => void;
  /** A line for the operator. Standard error by default. */
  readonly say?: (line: string) => void;
};

export const exitCodes = { stopped: 0, failed: 1, refused: 2 } as const;

const drainMs = 30 * secondMs;
const parentPollMs = 500;
// A terminal sends Ctrl-C to the whole group, and npm sends it on: what arrives within 2 s is one wish.
const repeatMs = 2 * secondMs;

/**
 * Runs a service until SIGINT, SIGTERM or SIGHUP, then closes it and exits: 0 stopped, 1 failed, 2 refused to start.
 * A second signal, more than 2 s after the first, or a drain beyond 30 s, ends the process at once with 1. An error that
 * nobody caught stops it as a signal does, with 1.
 */
export function run(start: () => Promise<Running>, options: RunOptions = {}): void {
  const say = options.say ?? ((line) => void process.stderr.write(`${line}\n`));
  const stop = new AbortController();
  outliveReaders();
  listenForSignals(stop, { say, onHangup: options.onHangup });
  if (options.stopWithParent === true) void watchParent(stop);
  const failed = listenForFailures(stop, say);
  void live(start, stop.signal).then(
    () => process.exit(failed() ? exitCodes.failed : exitCodes.stopped),
    (error: unknown) => process.exit(explain(error, say)),
  );
}

async function live(start: () => Promise<Running>, stop: AbortSignal): Promise<void> {
  const starting = start();
  // Told to stop before it runs, it gets the time of a drain to come up and go down again.
  void aborted(stop)
    .then(() =>
      settledWithin(
        starting.catch(() => undefined),
        drainMs,
      ),
    )
    .then((came) => {
      if (!came) process.exit(exitCodes.failed);
    });
  const running = await starting;
  await aborted(stop);
  if (!(await settledWithin(running.close(), drainMs)))
    throw new StartRefused(
      "did not stop within 30 s",
      "Open work was cut off; it is recovered at the next start.",
    );
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/**
 * Who read our output may be gone before us. Without a listener each lost line would be an uncaught error, and telling of
 * that error the next one, for ever.
 */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

function listenForSignals(
  stop: AbortController,
  { say, onHangup }: { say: (line: string) => void; onHangup: (() => void) | undefined },
): void {
  let firstAt: number | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    const now = systemClock.now();
    firstAt ??= now;
    if (!stop.signal.aborted) return stop.abort(name);
    if (now - firstAt < repeatMs) return;
    say(`${name} again: ending at once`);
    process.exit(exitCodes.failed);
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  process.on("SIGHUP", onHangup ?? onSignal);
}

/** Aborts once our parent is another process than at first: the one we had is gone. */
export async function watchParent(stop: AbortController): Promise<void> {
  const parent = process.ppid;
  while (!stop.signal.aborted) {
    if (process.ppid !== parent) return stop.abort("parent gone");
    await wait(parentPollMs, undefined, { ref: false });
  }
}

/**
 * An error that nobody caught ends the process, but not before what it started (a database, perhaps) is closed as well;
 * should that hang, it ends after the time of a drain all the same. The result tells whether it happened.
 */
function listenForFailures(stop: AbortController, say: (line: string) => void): () => boolean {
  let failed = false;
  const onFailure = (reason: unknown) => {
    if (failed) return;
    failed = true;
    explain(reason, say);
    stop.abort("failure");
    void wait(drainMs, undefined, { ref: false }).then(() => process.exit(exitCodes.failed));
  };
  process.on("uncaughtException", onFailure);
  process.on("unhandledRejection", onFailure);
  return () => failed;
}

function explain(error: unknown, say: (line: string) => void): number {
  if (error instanceof StartRefused) {
    say(`Remit ${error.message}`);
    say(error.remedy);
    return exitCodes.refused;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCodes.failed;
}

/** True when the work settled in time; it goes on otherwise, and its failure is then nobody's. */
export async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const settled = work.then(() => true as const);
  settled.catch(() => undefined);
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
