import { type Clock, monotonicMs } from "@remit/kernel";
import type { Database, RelayTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import * as rows from "./jobs.sql.ts";

export type Every = (signal: AbortSignal) => Promise<void>;

export type SchedulesOptions = {
  readonly db: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly leaseMs: number;
};

export type NewSchedule = {
  readonly name: string;
  readonly ms: number;
  readonly work: Every;
  /** Run by one process of all, or by each. */
  readonly by: "one" | "each";
};

export type Schedules = {
  add(schedule: NewSchedule): void;
  /** Runs what is due and ours, and tries to take what nobody has. */
  look(): Promise<void>;
  renew(tx: RelayTx): Promise<void>;
  drained(): Promise<void>;
  /** Lets another process take over at once. */
  release(): Promise<void>;
  holdsAny(): boolean;
  /** The shortest period, for whoever calls `look`. */
  shortestMs(): number | undefined;
};

type Schedule = NewSchedule & {
  turn: rows.Turn | undefined;
  /** Monotonic: a clock that goes back lets nothing wait the longer for it (K08). */
  dueAtMs: number;
  lost: AbortController;
  running: Promise<void> | undefined;
};

/**
 * Work that one process of all does. That process holds a lease, keeps it from one run to the next and renews it by a
 * heartbeat; when it dies, another takes over once the lease has run out.
 */
export function createSchedules(options: SchedulesOptions): Schedules {
  const schedules: Schedule[] = [];
  const dueInMs = ({ dueAtMs }: Schedule): number => Math.max(0, dueAtMs - monotonicMs(options.clock));
  const held = (): (Schedule & { turn: rows.Turn })[] => schedules.filter(isHeld);
  return {
    add: (schedule) =>
      void schedules.push({
        ...schedule,
        turn: undefined,
        running: undefined,
        dueAtMs: Number.NEGATIVE_INFINITY,
        lost: new AbortController(),
      }),
    async look() {
      for (const schedule of schedules) await lookAt(options, schedule);
    },
    async renew(tx) {
      for (const schedule of schedules) {
        const { turn } = schedule;
        if (turn === undefined) continue;
        const { leaseMs } = options;
        if (await rows.renewTurn(tx, { ...turn, dueInMs: dueInMs(schedule), leaseMs })) continue;
        schedule.turn = undefined;
        schedule.lost.abort();
      }
    },
    async drained() {
      for (const { running } of schedules) await running;
    },
    async release() {
      const ours = held();
      if (ours.length === 0) return;
      await options.db.relay.transaction(async (tx) => {
        for (const schedule of ours)
          await rows.renewTurn(tx, { ...schedule.turn, dueInMs: dueInMs(schedule), leaseMs: 0 });
      });
    },
    holdsAny: () => held().length > 0,
    shortestMs: () => (schedules.length === 0 ? undefined : Math.min(...schedules.map(({ ms }) => ms))),
  };
}

const isHeld = (schedule: Schedule): schedule is Schedule & { turn: rows.Turn } =>
  schedule.turn !== undefined;

async function lookAt(options: SchedulesOptions, schedule: Schedule): Promise<void> {
  const { db, clock, leaseMs, log } = options;
  if (schedule.running !== undefined || monotonicMs(clock) < schedule.dueAtMs) return;
  if (schedule.by === "one" && schedule.turn === undefined) {
    const taken = await db.relay.transaction((tx) => rows.takeTurn(tx, { name: schedule.name, leaseMs }));
    // Somebody else holds it: ask again when its lease could have run out.
    const waitMs = taken === undefined ? leaseMs : taken.due_in_ms;
    schedule.dueAtMs = monotonicMs(clock) + Math.min(schedule.ms, waitMs);
    schedule.turn = taken;
    schedule.lost = new AbortController();
    if (taken === undefined || monotonicMs(clock) < schedule.dueAtMs) return;
  }
  schedule.dueAtMs = monotonicMs(clock) + schedule.ms;
  schedule.running = schedule
    .work(schedule.lost.signal)
    .catch((error: unknown) => log.warn({ error, schedule: schedule.name }, "scheduled work failed"))
    .finally(() => {
      schedule.running = undefined;
    });
}
