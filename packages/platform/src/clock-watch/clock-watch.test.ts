import { hourMs, minuteMs, secondMs, systemClock } from "@remit/kernel";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog } from "../telemetry/index.ts";
import { createClockWatch } from "./index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ service: "clock" });
});
afterAll(() => database.drop());

/** The machine's clock, set wrong by some time that may change. */
function wrongClock(offMs: number) {
  const clock = { offMs, now: () => systemClock.now(), monotonicNs: () => systemClock.monotonicNs() };
  clock.now = () => (systemClock.now() + clock.offMs) as ReturnType<typeof systemClock.now>; // whole milliseconds, like the addends
  return clock;
}

const watchOf = (clock: ReturnType<typeof wrongClock>) => {
  const lines: string[] = [];
  const log = createLog({
    service: "test",
    level: "info",
    destination: { write: (line: string) => void lines.push(line) },
  });
  return { watch: createClockWatch({ db: database.open(), clock, log }), lines };
};

test.each([0, 50 * secondMs, -50 * secondMs])("K07 a clock that is %s ms off is borne", async (offMs) => {
  const { watch } = watchOf(wrongClock(offMs));
  await watch.check();
  expect(() => watch.require()).not.toThrow();
});

test.each([5 * minuteMs, -5 * minuteMs, -hourMs])(
  "K07 a clock that is %s ms off signs nothing and is not ready",
  async (offMs) => {
    const { watch, lines } = watchOf(wrongClock(offMs));
    await expect(watch.check()).rejects.toMatchObject({ status: 503 });
    expect(lines.filter((line) => line.includes("clock is wrong"))).toHaveLength(1);
    expect(() => watch.require()).toThrow(expect.objectContaining({ code: "unavailable" }));
  },
);

test("K07 before the first comparison nothing is trusted", () => {
  const { watch } = watchOf(wrongClock(0));
  expect(() => watch.require()).toThrow(expect.objectContaining({ code: "unavailable" }));
});

test("K08 a jump between two comparisons is seen at once by the clock that does not jump, and its end as well", async () => {
  const clock = wrongClock(0);
  const { watch } = watchOf(clock);
  await watch.check();
  clock.offMs = -hourMs;
  expect(() => watch.require()).toThrow(expect.objectContaining({ code: "unavailable" }));
  clock.offMs = 10 * secondMs;
  expect(() => watch.require()).not.toThrow();
  await watch.check();
});
