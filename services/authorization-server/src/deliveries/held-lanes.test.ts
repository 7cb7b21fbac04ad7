import { type Id, newId, systemClock } from "@remit/kernel";
import { expect, test } from "vitest";
import { type Held, HeldLanes } from "./held-lanes.ts";

const now = systemClock.now();
const slots = 256;

/** Lanes whose receivers have answered well so often that each may have 32 attempts at once. */
function wellKnown(lanes: HeldLanes, tenant: Id<"tenant">, count: number): Held[] {
  const known = new Set(lanes.all());
  for (let n = 0; n < count; n++) lanes.add({ webhook: newId("webhook"), tenant, lease: 1n });
  const made = lanes.all().filter((held) => !known.has(held));
  for (const held of made)
    for (let n = 0; n < 32; n++) lanes.answered(held, { well: true, heldUntil: undefined });
  return made;
}

/** Gives away what is free, and has it all used. */
function fill(lanes: HeldLanes): ReadonlyMap<Id<"tenant">, number> {
  const got = new Map<Id<"tenant">, number>();
  for (const room of lanes.rooms(now)) {
    lanes.began(room, room.room);
    got.set(room.held.tenant, (got.get(room.held.tenant) ?? 0) + room.room);
  }
  return got;
}

test("T12 eight lanes of one tenant that answer well, and then hang, leave three quarters of the slots to others", () => {
  const lanes = new HeldLanes(slots);
  const [greedy, ...others] = [1, 2, 3, 4].map(() => newId("tenant"));
  if (greedy === undefined) throw new Error("there are four");
  wellKnown(lanes, greedy, 8);
  expect([...fill(lanes).values()]).toEqual([slots / 4]);
  for (const other of others) wellKnown(lanes, other, 8);
  const got = fill(lanes);
  expect(others.map((other) => got.get(other))).toEqual([slots / 4, slots / 4, slots / 4]);
  expect(got.has(greedy)).toBe(false);
});

test("W07 lanes take a slot each in turn, and who had one comes after all others", () => {
  const lanes = new HeldLanes(8);
  const tenant = newId("tenant");
  const [first, second, third] = wellKnown(lanes, tenant, 3);
  const turn = lanes.rooms(now);
  expect(turn.map(({ held, room }) => [held.webhook, room])).toEqual([
    [first?.webhook, 1],
    [second?.webhook, 1],
  ]);
  for (const room of turn) lanes.began(room, room.room);
  if (first === undefined) throw new Error("there are three");
  lanes.ended(first);
  expect(lanes.rooms(now).map(({ held }) => held.webhook)).toEqual([third?.webhook]);
});

test("W07 a lane that got no slot is given back, proven or not, for another process to take", () => {
  const lanes = new HeldLanes(8);
  const tenant = newId("tenant");
  const [, , third, fourth] = wellKnown(lanes, tenant, 4);
  fill(lanes);
  const given = lanes.takeIdle(now);
  expect(given).toEqual([third, fourth]);
  for (const { heldUntil } of given) expect(Number(heldUntil)).toBeGreaterThan(Number(now));
  expect(lanes.all()).toHaveLength(2);
});
