import { type Clock, minuteMs, monotonicMs, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Asker } from "./askers.ts";

/** Refuses whoever tries token after token (A12). It only refuses earlier: what is answered stays with the database. */
export type ScanGuard = {
  /** Throws `rate_limited` once the asker has missed too often in this minute. */
  check(asker: Asker): void;
  /** Counts a token that is none of ours or none of the asker's business. One that was revoked is not counted. */
  missed(asker: Asker): void;
};

/** The seeds' limit (1.12); an honest resource server checks signature and audience first and never misses. */
const missesMax = 120;
const windowMs = minuteMs;
const askersMax = 10_000;

// Monotonic: a clock that goes back keeps nobody out for an hour (K08).
type Window = { readonly endsAtMs: number; misses: number };

export function createScanGuard(clock: Clock): ScanGuard {
  const windows = new Map<string, Window>();
  const openWindow = (client: string): Window | undefined => {
    const window = windows.get(client);
    return window !== undefined && monotonicMs(clock) < window.endsAtMs ? window : undefined;
  };
  return {
    check({ client }) {
      const window = openWindow(client);
      if (window === undefined || window.misses < missesMax) return;
      const waitS = Math.ceil((window.endsAtMs - monotonicMs(clock)) / secondMs);
      throw new Problem("rate_limited", { headers: { "Retry-After": String(waitS) } });
    },
    missed({ client, isPeer }) {
      if (isPeer) return;
      const window = openWindow(client);
      if (window !== undefined) return void (window.misses += 1);
      windows.delete(client);
      if (windows.size >= askersMax) windows.delete(windows.keys().next().value ?? "");
      windows.set(client, { endsAtMs: monotonicMs(clock) + windowMs, misses: 1 });
    },
  };
}
