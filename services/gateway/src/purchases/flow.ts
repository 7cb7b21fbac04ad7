import { createHash } from "node:crypto";
import { secondMs } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { Count } from "../metering/index.ts";
import type { Sink } from "./money.ts";

/** The body of an answer, of which the first part is there. */
export type Flowing = {
  /** Undefined when the answer has no body. */
  readonly first: Uint8Array | undefined;
  readonly rest: AsyncIterator<Uint8Array>;
};

export type Flow = {
  readonly body: Flowing;
  /** Absent for a fixed price. */
  readonly count?: Count;
  /** How much use is paid for. */
  readonly most: number;
  /** True once the payment is good for no longer than it takes to settle. */
  readonly isTimeUp?: () => boolean;
  /** A buyer that takes nothing for so long has gone. */
  readonly patienceMs: number;
  /** Writes down what has been given so far; false when the answer is not ours to give any more. */
  readonly keep: () => Promise<boolean>;
};

export type Flowed = {
  /** `whole`, or who ended it: the upstream, the buyer, the ceiling, or another process that has taken it over. */
  readonly ending: "whole" | "cut" | "gone" | "ceiling" | "lost";
  readonly given: number;
  readonly digest: string;
};

/** Design, "Delivery": use is journalled every second or 64 KiB, so that at most so much is given and not written down. */
const keptBytes = 64 * 1024;
const tickMs = secondMs;

type Event =
  | { readonly kind: "tick" | "end" | "cut" | "gone" }
  | { readonly kind: "chunk" | "written"; readonly chunk: Uint8Array };

/** Gives an answer to its buyer part by part, counts what was given, and stops at the ceiling. */
export async function flow(of: Flow, to: Sink): Promise<Flowed> {
  const { count, most, keep } = of;
  const digest = createHash("sha256");
  const events = inbox();
  let given = 0;
  let unkept = 0;
  /** What is being given, and for how long already. */
  let leaving: Uint8Array | undefined;
  let waitedMs = 0;
  let isUsedUp = false;
  const ended = (ending: Flowed["ending"]): Flowed => ({ ending, given, digest: digest.digest("base64url") });
  events.expect(coming(of.body.first));
  events.expect(to.gone.then(() => ({ kind: "gone" })));
  events.expect(ticking());
  for (;;) {
    const came = await events.next();
    switch (came.kind) {
      case "end":
        return ended("whole");
      case "cut":
        return ended("cut");
      case "gone":
        if (given > 0 && count?.readOn !== undefined) await readOn(of, events, leaving);
        return ended("gone");
      case "tick":
        // An upstream that takes its time is no buyer who does.
        waitedMs = leaving === undefined ? 0 : waitedMs + tickMs;
        if (waitedMs > of.patienceMs) return ended("gone");
        if (!(await keep())) return ended("lost");
        unkept = 0;
        if (of.isTimeUp?.() === true) return ended("ceiling");
        if (count?.stopsByItself === false && count.used() >= most) return ended("ceiling");
        events.expect(ticking());
        break;
      case "chunk": {
        const part = count === undefined ? came.chunk : count.within(came.chunk, most);
        if (part.length === 0) return ended("ceiling");
        // What it leaves out is missing, even if nothing follows it.
        isUsedUp = part.length < came.chunk.length;
        leaving = part;
        waitedMs = 0;
        events.expect(writing(to, part));
        break;
      }
      case "written":
        leaving = undefined;
        count?.add(came.chunk);
        digest.update(came.chunk);
        given += came.chunk.length;
        unkept += came.chunk.length;
        if (isUsedUp) return ended("ceiling");
        if (count !== undefined && unkept >= keptBytes) {
          if (!(await keep())) return ended("lost");
          unkept = 0;
        }
        events.expect(next(of.body.rest));
    }
  }
}

const readOnTicks = 5;

/** The buyer has gone before the answer said what it used: for some seconds it may still say so, to us alone. */
async function readOn(
  { body: { rest }, count, keep }: Flow,
  events: ReturnType<typeof inbox>,
  leaving: Uint8Array | undefined,
): Promise<void> {
  if (leaving !== undefined) {
    count?.readOn?.(leaving);
    events.expect(next(rest));
  }
  for (let ticks = 0; ticks < readOnTicks; ) {
    const came = await events.next();
    if (came.kind === "end" || came.kind === "cut") return;
    if (came.kind === "chunk") {
      count?.readOn?.(came.chunk);
      events.expect(next(rest));
    }
    if (came.kind !== "tick") continue;
    ticks += 1;
    if (!(await keep())) return;
    events.expect(ticking());
  }
}

/** Events in the order in which they come about. A race of promises would remember each of them until all are over. */
function inbox() {
  const here: Event[] = [];
  let wake = (): void => undefined;
  return {
    expect: (event: Promise<Event>): void =>
      void event.then((came) => {
        here.push(came);
        wake();
      }),
    next: async (): Promise<Event> => {
      for (;;) {
        const came = here.shift();
        if (came !== undefined) return came;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const ticking = (): Promise<Event> => pause(tickMs).then(() => ({ kind: "tick" }));
const coming = (chunk: Uint8Array | undefined): Promise<Event> =>
  Promise.resolve(chunk === undefined ? { kind: "end" } : { kind: "chunk", chunk });

const writing = (to: Sink, chunk: Uint8Array): Promise<Event> =>
  to.write(chunk).then((isThere) => (isThere ? { kind: "written", chunk } : { kind: "gone" }));

const next = (rest: AsyncIterator<Uint8Array>): Promise<Event> =>
  rest.next().then(
    (step): Event => (step.done === true ? { kind: "end" } : { kind: "chunk", chunk: step.value }),
    (): Event => ({ kind: "cut" }),
  );
