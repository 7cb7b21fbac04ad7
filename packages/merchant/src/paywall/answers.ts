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
  /** Of a captured charge, whose answer may have been dropped since. */
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

const keptMax = 20_000;
const bytesMax = 64 * 1024 * 1024;
const sweepMs = secondMs;

type Entry = { readonly purchase: KeptPurchase; readonly until: Instant; readonly untilMs: number };

/**
 * For a single process, in 64 MiB of bodies. Full, it drops the bodies of what was sold longest ago, whose payers are told that it
 * is paid, and shown the receipt; of what is not decided yet it forgets nothing, and refuses before it must.
 */
export function createAnswerMemory(clock: Clock): AnswerStore {
  const kept = new Map<string, Entry>();
  let size = 0;
  let sweptMs = monotonicMs(clock);
  const put = (key: string, entry: Entry): void => {
    size += sizeOf(entry.purchase) - sizeOf(kept.get(key)?.purchase);
    kept.set(key, entry);
  };
  const drop = (key: string): void => {
    size -= sizeOf(kept.get(key)?.purchase);
    kept.delete(key);
  };
  const sweep = (): void => {
    const nowMs = monotonicMs(clock);
    if (nowMs - sweptMs <= sweepMs) return;
    sweptMs = nowMs;
    for (const [key, { until, untilMs }] of kept) if (until <= clock.now() && untilMs <= nowMs) drop(key);
  };
  /** Oldest first, and some more than must be, so that not every purchase looks through all. */
  const makeRoom = (): void => {
    if (size >= bytesMax)
      for (const [key, entry] of kept) {
        if (size <= bytesMax * roomShare) break;
        if (entry.purchase.state === "captured") put(key, { ...entry, purchase: bodiless(entry.purchase) });
      }
    if (kept.size >= keptMax)
      for (const [key, { purchase }] of kept) {
        if (kept.size <= keptMax * roomShare) break;
        if (isSpare(key, purchase)) drop(key);
      }
  };
  return {
    claim(key, fresh, until) {
      const known = kept.get(key);
      if (known !== undefined) return known.purchase;
      sweep();
      makeRoom();
      if (kept.size >= keptMax || size >= bytesMax)
        throw new Problem("unavailable", { headers: { "Retry-After": "1" } });
      const untilMs = monotonicMs(clock) + Math.max(0, until - clock.now());
      put(key, { purchase: fresh, until, untilMs });
      return undefined;
    },
    find: (key) => kept.get(key)?.purchase,
    keep(key, purchase) {
      const known = kept.get(key);
      if (known === undefined) return;
      put(key, { ...known, purchase });
      makeRoom();
    },
    forget: drop,
  };
}

const roomShare = 0.9;
const sizeOf = (purchase: KeptPurchase | undefined): number => purchase?.answer?.body.length ?? 0;
const bodiless = ({ request, charge, receipt, state }: KeptPurchase): KeptPurchase => ({
  request,
  state,
  ...(charge !== undefined && { charge }),
  ...(receipt !== undefined && { receipt }),
});

/** What is captured, and what only leads to a charge: the authorization server knows both. */
const isSpare = (key: string, { state, charge }: KeptPurchase): boolean =>
  state === "captured" || (charge !== undefined && charge !== key);
