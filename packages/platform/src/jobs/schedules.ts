import { after, type Clock, type Instant, instantOf } from "@remit/kernel";
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
  dueAt: Instant;
  lost: AbortController;
  running: Promise<void> | undefined;
};

/**
 * Work that one process of all does. That process holds a lease, keeps it from one run to the next and renews it by a
 * heartbeat; when it dies, another takes over once the lease has run out.
 */
export function createSchedules(options: SchedulesOptions): Schedules {
  const schedules: Schedule[] = [];
  const held = (): (Schedule & { turn: rows.Turn })[] => schedules.filter(isHeld);
  return {
    add: (schedule) =>
      void schedules.push({
        ...schedule,
        turn: undefined,
        running: undefined,
        dueAt: instantOf(0),
        lost: new AbortController(),
      }),
    async look() {
      for (const schedule of schedules) await lookAt(options, schedule);
    },
    async renew(tx) {
      for (const schedule of schedules) {
        const { turn, dueAt } = schedule;
        if (turn === undefined) continue;
        if (await rows.renewTurn(tx, { ...turn, dueAt, leaseMs: options.leaseMs })) continue;
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
        for (const { turn, dueAt } of ours) await rows.renewTurn(tx, { ...turn, dueAt, leaseMs: 0 });
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
  if (schedule.running !== undefined || clock.now() < schedule.dueAt) return;
  if (schedule.by === "one" && schedule.turn === undefined) {
    const taken = await db.relay.transaction((tx) => rows.takeTurn(tx, { name: schedule.name, leaseMs }));
    // Somebody else holds it: ask again when its lease could have run out.
    schedule.dueAt = taken?.due_at ?? after(clock.now(), Math.min(schedule.ms, leaseMs));
    schedule.turn = taken;
    schedule.lost = new AbortController();
    if (taken === undefined || clock.now() < schedule.dueAt) return;
  }
  schedule.dueAt = after(clock.now(), schedule.ms);
  schedule.running = schedule
    .work(schedule.lost.signal)
    .catch((error: unknown) => log.warn({ error, schedule: schedule.name }, "scheduled work failed"))
    .finally(() => {
      schedule.running = undefined;
    });
}
