import { createServer, type Server, type Socket } from "node:net";
import { type Clock, hourMs, minuteMs, secondMs, systemClock } from "@remit/kernel";
import { eventually, testClock } from "@remit/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { createLog } from "../telemetry/index.ts";
import { type Counters, createCounters } from "./index.ts";

const log = createLog({ service: "test", level: "silent" });
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

let named = 0;
const open = (
  redisUrl?: string,
  clock: Clock = systemClock,
  prefix = `t${process.pid}-${named++}`,
): Counters => {
  const counters = createCounters({ redisUrl, prefix, clock, log });
  opened.push(counters);
  return counters;
};

const usedOf = async (counters: Counters, key: string): Promise<number> =>
  (await counters.count(key, minuteMs)).used;

/** Two that count together: with one alone, a Redis that is not asked at all would look the same. */
async function connected(url: string | undefined): Promise<Counters> {
  const prefix = `t${process.pid}-${named++}`;
  const [one, two] = [open(url, systemClock, prefix), open(url, systemClock, prefix)];
  if (url !== undefined)
    await eventually(async () => {
      const key = `together ${named++}`;
      await usedOf(one, key);
      expect(await usedOf(two, key)).toBe(2);
    });
  return one;
}

// `.ci/suites/redis` runs this file once more with a real Redis, and once with a cluster.
const redisUrl = process.env["REMIT_TEST_REDIS_URL"];
const engines = redisUrl === undefined ? ["memory"] : ["memory", redisUrl];

describe.each(engines)("counters in %s", (engine) => {
  const url = engine === "memory" ? undefined : engine;

  test("each key has a count of its own, and a hundred at once are a hundred", async () => {
    const counters = await connected(url);
    expect(await usedOf(counters, "a")).toBe(1);
    const many = await Promise.all(Array.from({ length: 100 }, () => usedOf(counters, "b")));
    expect(new Set(many).size).toBe(100);
    expect(Math.max(...many)).toBe(100);
    expect(await usedOf(counters, "a")).toBe(2);
  });

  test("it says where it counts", async () => {
    expect(await (await connected(url)).state()).toBe(url === undefined ? "own" : "shared");
  });

  test("a count says when its window ends, and all of a window say the same", async () => {
    const counters = await connected(url);
    const first = await counters.count("a", minuteMs);
    const second = await counters.count("a", minuteMs);
    expect(first.endsAt - systemClock.now()).toBeGreaterThan(minuteMs - 5 * secondMs);
    expect(Math.abs(first.endsAt - second.endsAt)).toBeLessThan(2 * secondMs);
  });
});

test("a window that has ended starts again", async () => {
  const clock = testClock();
  const counters = open(undefined, clock);
  await usedOf(counters, "a");
  clock.advance(minuteMs - 1);
  expect(await usedOf(counters, "a")).toBe(2);
  clock.advance(1);
  expect(await usedOf(counters, "a")).toBe(1);
});

test("K08 a clock that goes back an hour keeps nobody out for that hour", async () => {
  const clock = testClock();
  const counters = open(undefined, clock);
  await usedOf(counters, "a");
  clock.jump(-hourMs);
  clock.advance(minuteMs);
  expect(await usedOf(counters, "a")).toBe(1);
});

test("a flood of new keys pushes out the oldest, not our memory", async () => {
  const counters = open();
  await usedOf(counters, "first");
  for (let i = 0; i < 20_000; i++) await counters.count(`flood ${i}`, minuteMs);
  expect(await usedOf(counters, "first")).toBe(1);
  expect(await usedOf(counters, "flood 19999")).toBe(2);
});

/** Something that listens where Redis should be. */
async function listener(
  answer: (socket: Socket) => void,
): Promise<{ url: string; connections: () => number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket.on("error", () => {}));
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  opened.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  });
  return {
    url: `redis://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    connections: () => connections,
  };
}

describe("D05 a Redis that is no help", () => {
  const strangers: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["never answers", () => {}],
    ["hangs up", (socket) => socket.destroy()],
    ["speaks another protocol", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["loads its data", (socket) => socket.on("data", () => socket.write("-LOADING Redis is loading\r\n"))],
  ];

  test.each(strangers)("%s: this process counts for itself, and the limit holds", async (_, answer) => {
    const { url } = await listener(answer);
    const counters = open(url);
    const counts: number[] = [];
    for (let i = 0; i < 20; i++) counts.push(await usedOf(counters, "a"));
    expect(counts).toEqual(Array.from({ length: 20 }, (_unused, i) => i + 1));
    expect(await counters.state()).toBe("away");
  });

  test("one that is not there at all is left alone between two tries", async () => {
    const counters = open("redis://127.0.0.1:1");
    expect(await usedOf(counters, "a")).toBe(1);
    expect(await usedOf(counters, "a")).toBe(2);
  });
});
