import { Problem } from "@remit/protocol";
import { expect, test } from "vitest";
import { createMemory, createSizes } from "./memory.ts";

test("what is set aside is refused beyond the bound, and free again once nobody holds it", () => {
  const memory = createMemory(100);
  const first = memory.room();
  const [purchase, response] = [first.hold(), first.hold()];
  first.reserve(60);
  const second = memory.room();
  second.hold();
  expect(() => second.reserve(41)).toThrow(Problem);
  purchase();
  purchase();
  expect(() => second.reserve(41)).toThrow(Problem);
  response();
  expect(() => second.reserve(100)).not.toThrow();
});

test("an answer larger than was expected takes more while there is more", () => {
  const memory = createMemory(100);
  const room = memory.room();
  const give = room.hold();
  room.reserve(10);
  expect([room.add(10), room.add(80), room.add(11)]).toEqual([true, true, false]);
  give();
  const next = memory.room();
  next.hold();
  next.reserve(100);
  expect(next.add(100)).toBe(true);
});

test("an answer is expected to be as large as the last ones were", () => {
  const sizes = createSizes();
  const route = {};
  expect(sizes.of(route)).toBe(65_536);
  sizes.saw(route, 1_000_000);
  expect(sizes.of(route)).toBe(1_000_000);
  for (let i = 0; i < 40; i++) sizes.saw(route, 10);
  expect(sizes.of(route)).toBe(65_536);
});

test("what nobody holds takes no room, since nobody would give it back", () => {
  const memory = createMemory(100);
  const gone = memory.room();
  gone.hold()();
  gone.reserve(100);
  expect(gone.add(1000)).toBe(true);
  const next = memory.room();
  next.hold();
  expect(() => next.reserve(100)).not.toThrow();
});
