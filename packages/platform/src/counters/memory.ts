import { after, type Clock, monotonicMs } from "@remit/kernel";
import type { Counters } from "./counters.ts";

type Window = { readonly endsAtMs: number; used: number };

const windowsMax = 20_000;

/** Counters of this process, whose windows no jump of the clock lengthens (K08). Bounded: whoever floods with new keys pushes out the oldest, not our memory. */
export function memoryCounters(clock: Clock): Counters {
  const windows = new Map<string, Window>();
  const open = (key: string, windowMs: number): Window => {
    const nowMs = monotonicMs(clock);
    const found = windows.get(key);
    if (found !== undefined && found.endsAtMs > nowMs) return found;
    windows.delete(key);
    if (windows.size >= windowsMax) windows.delete(windows.keys().next().value ?? "");
    const window = { endsAtMs: nowMs + windowMs, used: 0 };
    windows.set(key, window);
    return window;
  };
  return {
    async count(key, windowMs) {
      const window = open(key, windowMs);
      window.used += 1;
      const leftMs = Math.ceil(window.endsAtMs - monotonicMs(clock));
      return { used: window.used, endsAt: after(clock.now(), Math.max(leftMs, 1)) };
    },
    state: async () => "own",
    close: async () => {},
  };
}
