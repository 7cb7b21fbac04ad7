import { after, hourMs, minuteMs, secondMs, systemClock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { eventually, jumpTime, type TestDatabase, testClock, testDatabase } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Database, sql } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { type Again, createJobs, enqueue, type Job, type Jobs } from "./index.ts";

let made: TestDatabase;
let db: Database;
let clock = testClock();
let started: Jobs[] = [];
let lines: string[] = [];
const log: Log = {
  isVerbose: false,
  debug: () => undefined,
  info: () => undefined,
  warn: (_, text) => void lines.push(text),
  error: (_, text) => void lines.push(text),
  child: () => log,
};

beforeAll(async () => {
  made = await testDatabase({ service: "platform" });
  db = made.open({ poolMax: 20 });
});
beforeEach(() => {
  clock = testClock();
  started = [];
  lines = [];
});
afterEach(async () => {
  await Promise.all(started.map((jobs) => jobs.stop()));
  await made.asAdmin("truncate jobs, dead_jobs, schedules");
});
afterAll(() => made?.drop());

const worker = (over: Partial<Parameters<typeof createJobs>[0]> = {}): Jobs => {
  const jobs = createJobs({ db, log, clock, pollMs: 20, ...over });
  started.push(jobs);
  return jobs;
};
const put = (
  payload: unknown,
  over: { key?: string; runAt?: ReturnType<typeof after> } = {},
): Promise<void> => db.global.transaction((tx) => enqueue(tx, { queue: "q", payload, ...over }));
const waiting = (): Promise<unknown[]> =>
  made.asAdmin("select payload, attempts from jobs order by run_at, id");
/** Collects payloads. */
const collect = (into: unknown[]) => ({ handle: async ({ payload }: Job) => void into.push(payload) });

describe("a job", () => {
  test("exists exactly if the change does", async () => {
    const done: unknown[] = [];
    await worker().on("q", collect(done)).start();
    const failing = db.global.transaction(async (tx) => {
      await enqueue(tx, { queue: "q", payload: "lost" });
      await tx.run(sql`select 1 / 0`);
    });
    await expect(failing).rejects.toThrow();
    await put("kept");
    await eventually(() => expect(done).toEqual(["kept"]));
    await eventually(async () => expect(await waiting()).toEqual([]));
  });

  test("runs when it is due and not before", async () => {
    const done: unknown[] = [];
    await put("later", { runAt: after(clock.now(), minuteMs) });
    await worker().on("q", collect(done)).start();
    await put("now");
    await eventually(() => expect(done).toEqual(["now"]));
    clock.advance(minuteMs);
    await eventually(() => expect(done).toEqual(["now", "later"]));
  });

  test("of another queue is left alone", async () => {
    const done: unknown[] = [];
    await db.global.transaction((tx) => enqueue(tx, { queue: "other", payload: 1 }));
    await worker().on("q", collect(done)).start();
    await put(2);
    await eventually(() => expect(done).toEqual([2]));
    expect(await waiting()).toEqual([{ payload: 1, attempts: 0 }]);
  });

  test("is run once by many workers", async () => {
    const done: unknown[] = [];
    await Promise.all([1, 2, 3].map(() => worker().on("q", collect(done)).start()));
    await Promise.all(Array.from({ length: 60 }, (_, i) => put(i)));
    await eventually(async () => expect(await waiting()).toEqual([]));
    expect(done.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 60 }, (_, i) => i));
  });

  test("never runs beside more of its queue than allowed", async () => {
    let [running, most, count] = [0, 0, 0];
    for (let i = 0; i < 12; i++) await put(i);
    const handle = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await db.ping();
      running -= 1;
      count += 1;
    };
    await worker().on("q", { handle, concurrency: 3 }).start();
    await eventually(() => expect(count).toBe(12));
    expect(most).toBe(3);
  });

  test("that asks to run again does so at that time, as one that never failed", async () => {
    const attempts: number[] = [];
    const handle = async ({ attempt }: Job) => {
      attempts.push(attempt);
      return attempts.length < 3 ? { runAt: after(clock.now(), secondMs) } : undefined;
    };
    await put("poll");
    await worker().on("q", { handle }).start();
    await eventually(async () => {
      clock.advance(secondMs);
      expect(await waiting()).toEqual([]);
    });
    expect(attempts).toEqual([1, 1, 1]);
  });
});

describe("K08 the machine's clock jumps", () => {
  let comeBack = (): void => undefined;
  afterEach(() => comeBack());
  const jump = (ms: number): void => {
    comeBack();
    comeBack = jumpTime(ms);
  };

  test.each([hourMs, -hourMs])("K08 by %i ms: what is due runs, and what is not waits", async (ms) => {
    const done: unknown[] = [];
    await put("in half an hour", { runAt: after(systemClock.now(), hourMs / 2) });
    await put("now", { runAt: systemClock.now() });
    jump(ms);
    await worker({ clock: systemClock }).on("q", collect(done)).start();
    await eventually(async () =>
      expect(await waiting()).toEqual([{ payload: "in half an hour", attempts: 0 }]),
    );
    expect(done).toEqual(["now"]);
  });

  test.each(["retry", "rest"])("K08 by an hour while it works: its %s is as long as ever", async (kind) => {
    let attempts = 0;
    const handle = async (): Promise<Again | undefined> => {
      attempts += 1;
      if (attempts > 1) return undefined;
      jump(hourMs);
      if (kind === "rest") return { restMs: 200 };
      throw new RangeError("once");
    };
    await put("tried");
    await worker({ clock: systemClock })
      .on("q", { handle, backoff: () => 200 })
      .start();
    await eventually(async () =>
      expect(await made.asAdmin("select 1 from jobs where lease > 0 and leased_until is null")).toHaveLength(
        1,
      ),
    );
    comeBack();
    await eventually(() => expect(attempts).toBe(2));
  });

  test.each([hourMs, -hourMs])("K08 by %i ms: scheduled work keeps its pace", async (ms) => {
    let runs = 0;
    await worker()
      .every("sweep", minuteMs, async () => void runs++)
      .start();
    await eventually(() => expect(runs).toBe(1));
    clock.jump(ms);
    clock.advance(minuteMs - 1);
    await worker().on("q", collect([])).start();
    expect(runs).toBe(1);
    clock.advance(1);
    await eventually(() => expect(runs).toBe(2));
  });

  test("K08 a process whose clock is known to be wrong takes nothing", async () => {
    const done: unknown[] = [];
    let wrong = true;
    const check = (): void => {
      if (wrong) throw new Problem("unavailable");
    };
    await put("due");
    await worker({ check }).on("q", collect(done)).start();
    await db.ping();
    expect(done).toEqual([]);
    wrong = false;
    await eventually(() => expect(done).toEqual(["due"]));
  });
});

describe("a job with a key", () => {
  test("waits at most once, with the latest payload and the earlier time", async () => {
    const done: unknown[] = [];
    await put("first", { key: "k", runAt: after(clock.now(), minuteMs) });
    await put("second", { key: "k" });
    await worker().on("q", collect(done)).start();
    await eventually(() => expect(done).toEqual(["second"]));
    await eventually(async () => expect(await waiting()).toEqual([]));
  });

  test("that is enqueued while it runs is run once more", async () => {
    const done: unknown[] = [];
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const handle = async ({ payload }: Job): Promise<void> => {
      done.push(payload);
      if (payload === "first") await hold;
    };
    await put("first", { key: "k" });
    await worker().on("q", { handle }).start();
    await eventually(() => expect(done).toEqual(["first"]));
    await put("second", { key: "k" });
    expect(done).toEqual(["first"]);
    letGo();
    await eventually(() => expect(done).toEqual(["first", "second"]));
    await eventually(async () => expect(await waiting()).toEqual([]));
  });
});

describe("a job that fails", () => {
  test("is run again after a growing wait, and then becomes a dead letter with the reason", async () => {
    const at: number[] = [];
    const begun = clock.now();
    const handle = async (): Promise<void> => {
      at.push(clock.now() - begun);
      throw new Problem("upstream_failed", { private: { why: "it is down" } });
    };
    await put("doomed", { key: "k" });
    await worker()
      .on("q", { handle, attemptsMax: 3, backoff: (attempt) => attempt * minuteMs })
      .start();
    await eventually(async () => {
      clock.advance(20 * secondMs);
      expect(await waiting()).toEqual([]);
    });
    expect(at).toHaveLength(3);
    expect(at[1]).toBeGreaterThanOrEqual(0.8 * minuteMs);
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThanOrEqual(1.6 * minuteMs);
    expect(await made.asAdmin("select queue, key, payload, attempts, last_error from dead_jobs")).toEqual([
      {
        queue: "q",
        key: "k",
        payload: "doomed",
        attempts: 3,
        last_error: 'Problem: upstream_failed {"why":"it is down"}',
      },
    ]);
    expect(lines.at(-1)).toBe("a job failed for the last time");
  });

  test("for the last time, and was enqueued again meanwhile, runs once more for that, from the beginning", async () => {
    const done: unknown[] = [];
    const handle = async ({ payload, attempt }: Job): Promise<void> => {
      done.push([payload, attempt]);
      if (payload !== "old") return;
      await put("new", { key: "k" });
      throw new RangeError("bad");
    };
    await put("old", { key: "k" });
    await worker().on("q", { handle, attemptsMax: 1 }).start();
    await eventually(() =>
      expect(done).toEqual([
        ["old", 1],
        ["new", 1],
      ]),
    );
    await eventually(async () => expect(await waiting()).toEqual([]));
    expect(await made.asAdmin("select payload from dead_jobs")).toEqual([]);
  });

  test("does not keep others waiting", async () => {
    const done: unknown[] = [];
    const handle = async ({ payload }: Job): Promise<void> => {
      if (payload === "bad") throw new RangeError("bad");
      done.push(payload);
    };
    await put("bad");
    await put("good");
    await worker().on("q", { handle, concurrency: 1 }).start();
    await eventually(() => expect(done).toEqual(["good"]));
  });

  test("by taking its worker with it every time becomes a dead letter as well", async () => {
    await put("deadly");
    await made.asAdmin("update jobs set attempts = 3, lease = 3, leased_until = now() - interval '1 s'");
    const done: unknown[] = [];
    await worker()
      .on("q", { ...collect(done), attemptsMax: 3 })
      .start();
    await eventually(async () => expect(await made.asAdmin("select payload from dead_jobs")).toHaveLength(1));
    expect(done).toEqual([]);
  });
});

describe("a lease", () => {
  test("that ran out gives the job to another worker, and the late one cannot end it", async () => {
    const runs: Job[] = [];
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: holdNext, resolve: letNextGo } = Promise.withResolvers<void>();
    const handle = async (job: Job): Promise<void> => {
      runs.push(job);
      await (runs.length === 1 ? hold : holdNext);
    };
    await put("stalled");
    await worker({ leaseMs: 60_000 }).on("q", { handle }).start();
    await eventually(() => expect(runs).toHaveLength(1));
    await made.asAdmin("update jobs set leased_until = now() - interval '1 s'");
    await worker({ leaseMs: 60_000 }).on("q", { handle }).start();
    await eventually(() => expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2]));
    letGo();
    await eventually(async () => {
      await db.ping();
      expect(await waiting()).toEqual([{ payload: "stalled", attempts: 2 }]);
    });
    letNextGo();
    await eventually(async () => expect(await waiting()).toEqual([]));
  });

  test("is renewed while the job runs, and its loss is told to the job", async () => {
    const { promise: signal, resolve: tell } = Promise.withResolvers<AbortSignal>();
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const handle = async (job: Job): Promise<void> => {
      tell(job.signal);
      await hold;
    };
    await put("long");
    await worker({ leaseMs: 90 }).on("q", { handle }).start();
    const lost = await signal;
    const leaseOf = async (): Promise<unknown> =>
      (await made.asAdmin("select leased_until::text as until from jobs"))[0];
    const first = await leaseOf();
    await eventually(async () => expect(await leaseOf()).not.toEqual(first));
    expect(lost.aborted).toBe(false);
    await made.asAdmin("update jobs set lease = lease + 1, leased_until = now() + interval '1 h'");
    await eventually(() => expect(lost.aborted).toBe(true));
    letGo();
  });
});

describe("stopping", () => {
  test("lets what runs end, writes that down, and takes no more", async () => {
    const done: unknown[] = [];
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const handle = async ({ payload }: Job): Promise<void> => {
      begin();
      await hold;
      done.push(payload);
    };
    await put("running");
    const jobs = worker().on("q", { handle });
    await jobs.start();
    await begun;
    const stopping = jobs.stop();
    await put("too late");
    letGo();
    await stopping;
    expect(done).toEqual(["running"]);
    expect(await waiting()).toEqual([{ payload: "too late", attempts: 0 }]);
  });
});

describe("scheduled work", () => {
  test("is done by one process of several, every period", async () => {
    const runs: string[] = [];
    const of = (name: string): Jobs => worker().every("sweep", minuteMs, async () => void runs.push(name));
    await of("one").start();
    await of("two").start();
    await eventually(() => expect(runs).toEqual(["one"]));
    clock.advance(minuteMs);
    await eventually(() => expect(runs).toEqual(["one", "one"]));
  });

  test("of each process is done by all, every period", async () => {
    const runs: string[] = [];
    const of = (name: string): Jobs =>
      worker().everywhere("reload", minuteMs, async () => void runs.push(name));
    await Promise.all([of("one").start(), of("two").start()]);
    await eventually(() => expect(runs.toSorted()).toEqual(["one", "two"]));
    clock.advance(minuteMs);
    await eventually(() => expect(runs.toSorted()).toEqual(["one", "one", "two", "two"]));
    expect(await made.asAdmin("select * from schedules")).toEqual([]);
  });

  test("goes on when it failed", async () => {
    let runs = 0;
    const work = async (): Promise<void> => {
      runs += 1;
      throw new RangeError("no");
    };
    await worker().every("sweep", minuteMs, work).start();
    await eventually(() => expect(runs).toBe(1));
    clock.advance(minuteMs);
    await eventually(() => expect(runs).toBe(2));
    expect(lines).toContain("scheduled work failed");
  });

  test("is taken over at once from a process that stopped, and no sooner than it is due", async () => {
    const runs: string[] = [];
    const of = (name: string): Jobs => worker().every("sweep", minuteMs, async () => void runs.push(name));
    const one = of("one");
    await one.start();
    await eventually(() => expect(runs).toEqual(["one"]));
    await one.stop();
    await of("two").start();
    await eventually(async () =>
      expect(await made.asAdmin("select lease from schedules")).toEqual([{ lease: "2" }]),
    );
    expect(runs).toEqual(["one"]);
    clock.advance(minuteMs);
    await eventually(() => expect(runs).toEqual(["one", "two"]));
  });

  test("is taken over from a process that died once its lease has run out, and the dead one learns it", async () => {
    const runs: string[] = [];
    const { promise: signal, resolve: tell } = Promise.withResolvers<AbortSignal>();
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>();
    await worker({ leaseMs: 90 })
      .every("sweep", secondMs, async (lost) => {
        tell(lost);
        await hold;
      })
      .start();
    const lost = await signal;
    await made.asAdmin("update schedules set lease = lease + 1, leased_until = now() - interval '1 s'");
    await worker()
      .every("sweep", secondMs, async () => void runs.push("other"))
      .start();
    await eventually(() => expect(lost.aborted).toBe(true));
    await eventually(() => {
      clock.advance(secondMs);
      expect(runs).not.toEqual([]);
    });
    letGo();
  });
});

describe("a follower", () => {
  test("looks when its channel is told, when it asks itself and after a look that failed, one look at a time", async () => {
    let looks = 0;
    let atOnce = 0;
    let asks = 0;
    const jobs = worker({ pollMs: hourMs }).follow("news", ({ ask }) => ({
      look: async () => {
        atOnce += 1;
        expect(atOnce).toBe(1);
        looks += 1;
        if (asks < 2) {
          asks += 1;
          ask();
        }
        atOnce -= 1;
        if (looks === 2) throw new RangeError("this look failed");
      },
    }));
    await jobs.start();
    await eventually(() => expect(looks).toBeGreaterThanOrEqual(3));
    expect(lines).toContain("what a channel told of could not be handled");
    const before = looks;
    await eventually(async () => {
      await db.global.transaction(async (tx) => tx.notify("news"));
      expect(looks).toBeGreaterThan(before);
    });
  });

  test("keeps the leases of what it holds until that has ended, also while it is stopped", async () => {
    let renewed = 0;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    let holds = true;
    const jobs = worker({ leaseMs: 60 }).follow("news", () => ({
      look: async () => undefined,
      holdsAny: () => holds,
      renew: async () => void (renewed += 1),
      drained: () => ended,
    }));
    await jobs.start();
    const stopping = jobs.stop();
    const before = renewed;
    await eventually(() => expect(renewed).toBeGreaterThan(before + 1));
    holds = false;
    end();
    await stopping;
  });
});

test("D01 a worker outlives a database that is away", async () => {
  const done: unknown[] = [];
  await worker().on("q", collect(done)).start();
  const name = new URL(made.url).pathname.slice(1);
  await made.asAdmin(`revoke connect on database ${name} from ${made.roles.app}`);
  await made.asAdmin(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = $2",
    [made.roles.app, name],
  );
  await eventually(() => expect(lines).toContain("jobs could not be taken"));
  await made.asAdmin(`grant connect on database ${name} to ${made.roles.app}`);
  await eventually(() => put("after"));
  await eventually(() => expect(done).toEqual(["after"]));
});
