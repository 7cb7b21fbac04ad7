import { testClock } from "@remit/testkit";
import { expect, test } from "vitest";
import { type PressureLimits, watchPressure } from "./index.ts";

/** A loop whose ticks come when the test says so. */
function loop(limits: PressureLimits = {}) {
  const clock = testClock();
  let tick = (): void => undefined;
  let heapShare = 0;
  const every = (work: () => void) => {
    tick = work;
    return () => undefined;
  };
  const pressure = watchPressure({ clock, every, heapShare: () => heapShare, ...limits });
  const passes = (ms: number) => {
    clock.advance(ms);
    tick();
  };
  return { clock, pressure, passes, fill: (share: number) => void (heapShare = share) };
}

test("D12 while the loop has stood still for more than 2 s, nothing is added to what waits", () => {
  const { clock, pressure, passes } = loop({ underWayBlocked: 2 });
  pressure.begin();
  const end = pressure.begin();
  clock.advance(2_100);
  expect(pressure.reason("sheddable")).toBeUndefined();
  clock.advance(1);
  expect(pressure.reason("sheddable")).toBe("blocked");
  end();
  expect(pressure.reason("sheddable")).toBeUndefined();
  pressure.begin();
  expect(pressure.reason("sheddable")).toBe("blocked");
  passes(0);
  expect(pressure.reason("sheddable")).toBeUndefined();
});

test("D12 so much is under way and no more, and what has ended makes room", () => {
  const { pressure } = loop({ underWayMax: 3 });
  const ends = [pressure.begin(), pressure.begin(), pressure.begin()];
  expect(pressure.reason("sheddable")).toBe("crowded");
  ends[0]?.();
  expect(pressure.reason("sheddable")).toBeUndefined();
});

test("D12 a heap that is nearly full takes nothing more in until it has been emptied", () => {
  const { pressure, passes, fill } = loop();
  fill(0.96);
  passes(100);
  expect(pressure.reason("sheddable")).toBe("memory");
  fill(0.5);
  passes(100);
  expect(pressure.reason("sheddable")).toBeUndefined();
});

test("D12 what is critical has a higher limit of each kind, and is refused too when that is reached", () => {
  const { clock, pressure, passes, fill } = loop({
    underWayMax: 2,
    underWayBlocked: 1,
    critical: { underWayMax: 3, underWayBlocked: 3 },
  });
  const reasons = () => [pressure.reason("sheddable"), pressure.reason("critical")];
  const ends = [pressure.begin(), pressure.begin()];
  expect(reasons()).toEqual(["crowded", undefined]);
  clock.advance(2_101);
  expect(reasons()).toEqual(["blocked", undefined]);
  ends.push(pressure.begin());
  expect(reasons()).toEqual(["blocked", "blocked"]);
  passes(0);
  expect(reasons()).toEqual(["crowded", "crowded"]);
  for (const end of ends) end();
  fill(0.97);
  passes(100);
  expect(reasons()).toEqual(["memory", undefined]);
  fill(0.99);
  passes(100);
  expect(reasons()).toEqual(["memory", "memory"]);
});
