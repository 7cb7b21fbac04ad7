import { getHeapStatistics } from "node:v8";
import type { Clock } from "@remit/kernel";

/** How late a request is refused when there is no room: what ends, gives back or finishes is `critical`, and refused last. */
export type Criticality = "sheddable" | "critical";

/** Whether this process can do more than it does. */
export type Pressure = {
  /** Why nothing more of this kind should be begun now; undefined when there is room. */
  readonly reason: (criticality: Criticality) => "blocked" | "crowded" | "memory" | undefined;
  /** One more is under way, until what is returned is called. */
  readonly begin: () => () => void;
  readonly stop: () => void;
};

/** Of everything under way, whatever its kind. */
export type Most = {
  /** How much is begun all the same once the loop stands; 64. A few who wait are served sooner than they are sent away. */
  readonly underWayBlocked: number;
  /** How much may be under way at once; 5,000. */
  readonly underWayMax: number;
  /** Which part of the heap may be full; 0.95. */
  readonly heapShareMax: number;
};

export type PressureLimits = Partial<Most> & {
  /** How long the loop may have stood still, in ms; 2 s. */
  readonly blockedMsMax?: number;
  /** The same for what is critical: 256, 7,500 and 0.98. */
  readonly critical?: Partial<Most>;
};

type Deps = PressureLimits & {
  readonly clock: Pick<Clock, "monotonicNs">;
  /** Runs it again and again; returns what stops it. */
  readonly every?: (work: () => void, ms: number) => () => void;
  /** The part of the heap that is full. */
  readonly heapShare?: () => number;
};

const tickMs = 100;

const everyTick = (work: () => void, ms: number): (() => void) => {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
};

const heapShareNow = (): number => {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
};

/**
 * Watches the loop by a tick: whoever is asked while the last one is long ago knows that everything before it has waited, and
 * that most of those who wait have gone (D12). The heap is looked at by the tick, since looking costs.
 */
export function watchPressure({
  clock,
  blockedMsMax = 2_000,
  critical,
  every = everyTick,
  heapShare = heapShareNow,
  ...sheddable
}: Deps): Pressure {
  const most: Readonly<Record<Criticality, Most>> = {
    sheddable: { underWayBlocked: 64, underWayMax: 5_000, heapShareMax: 0.95, ...sheddable },
    critical: { underWayBlocked: 256, underWayMax: 7_500, heapShareMax: 0.98, ...critical },
  };
  let tickedAt = clock.monotonicNs();
  let share = 0;
  let underWay = 0;
  const stop = every(() => {
    tickedAt = clock.monotonicNs();
    share = heapShare();
  }, tickMs);
  return {
    reason(criticality) {
      const { underWayBlocked, underWayMax, heapShareMax } = most[criticality];
      const lateMs = Number((clock.monotonicNs() - tickedAt) / 1_000_000n) - tickMs;
      if (lateMs > blockedMsMax && underWay >= underWayBlocked) return "blocked";
      if (share > heapShareMax) return "memory";
      return underWay >= underWayMax ? "crowded" : undefined;
    },
    begin() {
      underWay += 1;
      return () => void (underWay -= 1);
    },
    stop,
  };
}
