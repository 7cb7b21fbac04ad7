import { systemClock } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import { expect, test } from "vitest";
import { countOf } from "../metering/index.ts";
import { flow } from "./flow.ts";
import type { Sink } from "./money.ts";

const reader = (): Sink => ({
  gone: new Promise(() => undefined),
  write: () => Promise.resolve(true),
  end: () => undefined,
  cut: () => undefined,
});
const first = Buffer.from("a");

async function* late(): AsyncGenerator<Uint8Array> {
  await pause(1100);
  yield Buffer.from("b");
}

const flowing = (rest: AsyncIterator<Uint8Array>) => ({
  body: { first, rest },
  most: 0,
  patienceMs: 0,
  keep: () => Promise.resolve(true),
});

test("M12 an upstream that takes its time is no buyer who has gone", async () => {
  expect(await flow(flowing(late()), reader())).toMatchObject({ ending: "whole", given: 2 });
});

test("M13 a buyer that takes nothing has gone, and has been given nothing", async () => {
  const idle: Sink = { ...reader(), write: () => new Promise(() => undefined) };
  expect(await flow(flowing(late()), idle)).toMatchObject({ ending: "gone", given: 0 });
});

test("V12 a last part of which the ceiling leaves something out is no whole answer", async () => {
  const nothing = (async function* (): AsyncGenerator<Uint8Array> {})();
  const meter = { unit: "mb", amountMinor: 1, quantity: 1, leastMinor: 1 } as const;
  const count = countOf(meter, systemClock);
  const body = { first: Buffer.from("abcd"), rest: nothing };
  const flowed = await flow({ ...flowing(nothing), body, count, most: 3 }, reader());
  expect([flowed.ending, flowed.given, count.used()]).toEqual(["ceiling", 3, 3]);
});
