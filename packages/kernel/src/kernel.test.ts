import { inspect } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  after,
  fromNumericDate,
  fromRfc3339,
  type IdKind,
  type Instant,
  InvariantViolation,
  idPattern,
  idPrefixes,
  instantOf,
  invariant,
  momentOf,
  msSince,
  newId,
  parseId,
  Secret,
  systemClock,
  toNumericDate,
  toRfc3339,
  unreachable,
} from "./index.ts";

const kinds = Object.keys(idPrefixes).filter((name): name is IdKind => name in idPrefixes);

describe("ids", () => {
  test("every kind parses its own and no other's", () => {
    for (const kind of kinds) {
      const id = newId(kind);
      expect(kinds.filter((other) => parseId(other, id) !== undefined)).toEqual([kind]);
      expect(id).toMatch(new RegExp(idPattern(kind)));
    }
    expect(new Set(Object.values(idPrefixes)).size).toBe(kinds.length);
  });

  test("are never the same, and follow time", () => {
    const ids = Array.from({ length: 2_000 }, () => newId("charge"));
    expect(new Set(ids).size).toBe(ids.length);
    const milliseconds = ids.map((id) => id.slice(4, 13));
    expect(milliseconds).toEqual(milliseconds.toSorted());
  });

  test.each([
    "",
    "chg_",
    "chg",
    "01j0000000000000000000000",
    "chg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
    "chg_0000000000000000000000000i",
    "chg_000000000000000000000000 0",
    "CHG_00000000000000000000000000",
    "chg_0000000000000000000000000A",
    "chg_000000000000000000000000000",
    "chg_0000000000000000000000000'",
    "chg_00000000000000000000000000\n",
    "mnd_00000000000000000000000000",
    null,
    undefined,
    1,
    {},
  ])("V06 %j is no id of a charge", (text) => {
    expect(parseId("charge", text)).toBeUndefined();
  });

  test("of one millisecond are in the order in which they were minted", () => {
    const real = Date.now;
    const at = real();
    Date.now = () => at;
    try {
      const ids = Array.from({ length: 2_000 }, () => newId("event"));
      expect(ids).toEqual(ids.toSorted());
      expect(new Set(ids).size).toBe(ids.length);
    } finally {
      Date.now = real;
    }
  });

  test("are UUIDs of version 7", () => {
    const bits = newId("event")
      .slice(4)
      .split("")
      .reduce(
        (value, letter) => value * 32n + BigInt("0123456789abcdefghjkmnpqrstvwxyz".indexOf(letter)),
        0n,
      );
    expect((bits >> 76n) & 15n).toBe(7n);
    expect((bits >> 62n) & 3n).toBe(2n);
    expect(Math.abs(Number(bits >> 80n) - systemClock.now())).toBeLessThan(60_000);
  });
});

describe("time", () => {
  test("K08 how long ago something was, no clock that is set back says less of, and one that slept not either", () => {
    let [now, ns] = [instantOf(1_000_000), 5_000_000n];
    const clock = { now: () => now, monotonicNs: () => ns };
    const then = momentOf(clock);
    now = instantOf(400_000);
    ns += 7_000_000n;
    expect(msSince(then, clock)).toBe(7);
    now = instantOf(1_000_900);
    expect(msSince(then, clock)).toBe(900);
  });

  test("RFC 3339 there and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(fromRfc3339(toRfc3339(instantOf(ms)))).toBe(ms);
      }),
    );
    expect(fromRfc3339("2026-11-22T11:00:00+01:00")).toBe(Date.UTC(2026, 10, 22, 10));
    expect(fromRfc3339("2028-02-29T00:00:00Z")).toBe(Date.UTC(2028, 1, 29));
    expect(fromRfc3339("2026-11-22t10:00:00.5z")).toBe(Date.UTC(2026, 10, 22, 10, 0, 0, 500));
  });

  test.each([
    "2026-11-22",
    "2026-11-22T10:00",
    "2026-11-22T10:00:00",
    "2026-11-22 10:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-11-22T25:00:00Z",
    "2026-11-22T10:00:00+25:00",
    "1969-12-31T23:59:59Z",
    "22 November 2026",
    "1763805600",
    "",
  ])("%j is no time", (text) => {
    expect(fromRfc3339(text)).toBeUndefined();
  });

  test("NumericDate is whole seconds, rounded down", () => {
    expect(toNumericDate(instantOf(1_999))).toBe(1);
    expect(fromNumericDate(1)).toBe(1000);
    expect(fromNumericDate(1.9995)).toBe(1999);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 253_402_300_800_000])(
    "%s is no instant",
    (ms) => {
      expect(() => instantOf(ms)).toThrow(RangeError);
      expect(() => after(instantOf(0), ms)).toThrow(RangeError);
    },
  );

  test("the clock moves on", () => {
    const before = systemClock.monotonicNs();
    expect(systemClock.now() > instantOf(Date.UTC(2026, 0))).toBe(true);
    expect(systemClock.monotonicNs() >= before).toBe(true);
  });
});

test("a secret shows itself to nobody who does not ask", () => {
  const secret = new Secret("hunter2");
  expect(
    `${String(secret)}|${JSON.stringify({ secret })}|${inspect({ secret })}|${inspect(secret)}`,
  ).not.toContain("hunter2");
  expect(Object.keys(secret)).toEqual([]);
  expect(secret.reveal()).toBe("hunter2");
});

test("a broken promise of ours is never a refusal of the caller", () => {
  expect(() => invariant(true, "holds")).not.toThrow();
  for (const broken of [false, 0, "", null, undefined])
    expect(() => invariant(broken, "holds")).toThrow(InvariantViolation);
  // A value outside its type can only come from a bug, which is what is tested.
  expect(() => unreachable("x" as never)).toThrow(InvariantViolation);
  const instant: Instant = instantOf(1);
  expect(instant).toBe(1);
});
