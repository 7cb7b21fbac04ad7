import { type Clock, type Id, type Instant, monotonicMs, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";

/** An answer as it is sent: headers in order, and the whole body. */
export type Answer = {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
};

/** What is known of a purchase: which request it is for, its charge once there is one, and what the handler has answered. */
export type KeptPurchase = {
  readonly request: string;
  readonly charge?: Id<"charge">;
  readonly answer?: Answer;
  /** Of a captured charge. */
  readonly receipt?: string;
  readonly state: "open" | "served" | "captured";
};

/** Remembers purchases. Several processes of one shop share one, or a handler could run once at each. */
export type AnswerStore = {
  /** Undefined for the first caller with this key, who owns it then; what is known of it for every other. */
  claim(
    key: string,
    fresh: KeptPurchase,
    until: Instant,
  ): KeptPurchase | undefined | Promise<KeptPurchase | undefined>;
  find(key: string): KeptPurchase | undefined | Promise<KeptPurchase | undefined>;
  keep(key: string, purchase: KeptPurchase): void | Promise<void>;
  /** Nothing was paid: the key is free again. */
  forget(key: string): void | Promise<void>;
};

const keptMax = 10_000;
const bytesMax = 64 * 1024 * 1024;
const sweepMs = secondMs;

/** For a single process. Full, it refuses rather than forgets what somebody has paid for. */
export function createAnswerMemory(clock: Clock): AnswerStore {
  const kept = new Map<string, { purchase: KeptPurchase; until: Instant; untilMs: number }>();
  let size = 0;
  let sweptMs = monotonicMs(clock);
  const sizeOf = ({ answer }: KeptPurchase): number => answer?.body.length ?? 0;
  const drop = (key: string): void => {
    const known = kept.get(key);
    if (known === undefined) return;
    size -= sizeOf(known.purchase);
    kept.delete(key);
  };
  return {
    claim(key, fresh, until) {
      const nowMs = monotonicMs(clock);
      const known = kept.get(key);
      if (known !== undefined) return known.purchase;
      if (nowMs - sweptMs > sweepMs) {
        sweptMs = nowMs;
        for (const [old, entry] of kept)
          if (entry.until <= clock.now() && entry.untilMs <= nowMs && entry.purchase.state !== "served")
            drop(old);
      }
      if (kept.size >= keptMax || size >= bytesMax)
        throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
      kept.set(key, { purchase: fresh, until, untilMs: nowMs + Math.max(0, until - clock.now()) });
      return undefined;
    },
    find: (key) => kept.get(key)?.purchase,
    keep(key, purchase) {
      const known = kept.get(key);
      if (known === undefined) return;
      size += sizeOf(purchase) - sizeOf(known.purchase);
      kept.set(key, { ...known, purchase });
    },
    forget: drop,
  };
}
