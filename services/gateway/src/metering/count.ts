import { type Clock, monotonicMs } from "@remit/kernel";
import type { Fields } from "../proxy/index.ts";
import type { Meter } from "./meter.ts";
import { isLastEvent, readUsage, tokensOf } from "./usage.ts";

/** Counts the use of one answer while it passes by. */
export type Count = {
  /** Bytes that the buyer has been given. */
  add(chunk: Uint8Array): void;
  /** Tokens, bytes or milliseconds so far. */
  used(): number;
  /** How much of what comes next may be given while `most` is paid for; nothing once it is used up. */
  within(chunk: Uint8Array, most: number): Uint8Array;
  /** False where use goes on although nothing comes. */
  readonly stopsByItself: boolean;
  /** Reads what is not given any more, where an answer says at its end what it used. */
  readonly readOn?: (chunk: Uint8Array) => void;
};

const nothing = new Uint8Array();
const allOrNothing = (used: () => number): Pick<Count, "within"> => ({
  within: (chunk, most) => (used() < most ? chunk : nothing),
});

/** For an answer that streams: time begins to count now. */
export function countOf({ unit }: Meter, clock: Clock): Count {
  if (unit === "mtok") return eventTokens();
  if (unit === "mb") {
    let bytes = 0;
    return {
      add: ({ length }) => void (bytes += length),
      used: () => bytes,
      within: (chunk, most) => chunk.subarray(0, most - bytes),
      stopsByItself: true,
    };
  }
  const began = monotonicMs(clock);
  const used = (): number => Math.max(0, Math.floor(monotonicMs(clock) - began));
  return { add: () => undefined, used, ...allOrNothing(used), stopsByItself: false };
}

function eventTokens(): Count {
  const reader = readUsage();
  const used = (): number => reader.tokens();
  return {
    add: (chunk) => reader.read(chunk),
    readOn: (chunk) => reader.readOn(chunk),
    used,
    // The mark that nothing follows is no token.
    within: (chunk, most) => (used() < most || isLastEvent(chunk) ? chunk : nothing),
    stopsByItself: true,
  };
}

/** The use of an answer that is whole, and of the time that it took. */
export function useOf(
  { unit }: Meter,
  answer: { readonly fields: Fields; readonly body: Uint8Array; readonly tookMs: number },
): number {
  if (unit === "mtok") return tokensOf(answer);
  return unit === "mb" ? answer.body.length : Math.max(0, Math.ceil(answer.tookMs));
}
