import { after, type Clock, type Instant } from "@remit/kernel";
import type { Counters } from "./counters.ts";

type Window = { readonly endsAt: Instant; used: number };

const windowsMax = 20_000;

/** Counters of this process. Bounded: whoever floods with new keys pushes out the oldest, not our memory. */
export function memoryCounters(clock: Clock): Counters {
  const windows = new Map<string, Window>();
  const open = (key: string, windowMs: number): Window => {
    const now = clock.now();
    const found = windows.get(key);
    if (found !== undefined && found.endsAt > now) return found;
    windows.delete(key);
    if (windows.size >= windowsMax) windows.delete(windows.keys().next().value ?? "");
    const window = { endsAt: after(now, windowMs), used: 0 };
    windows.set(key, window);
    return window;
  };
  return {
    async count(key, windowMs) {
      const window = open(key, windowMs);
      window.used += 1;
      return { used: window.used, endsAt: window.endsAt };
    },
    close: async () => {},
  };
}
