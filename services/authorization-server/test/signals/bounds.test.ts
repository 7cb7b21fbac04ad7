import { newId } from "@remit/kernel";
import { freePort } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorld, type World } from "./world.ts";

// What one receiver may take of what all share.

let world: World;
let metricsPort: number;
beforeAll(async () => {
  metricsPort = await freePort();
  world = await startWorld({ metricsPort });
});
afterAll(() => world?.close());

test("D12 a receiver's own words are no series of the metrics, nor does what it never heard count", async () => {
  const stream = await world.make();
  for (const state of ["one", "two"]) await world.verify(stream, state);
  const [one = "", two = ""] = Object.keys((await world.poll(stream)).sets);
  const setErrs = {
    [one]: { err: "invalid_key" },
    [two]: { err: "my own word" },
    [newId("signal")]: { err: "another" },
  };
  await world.poll(stream, { setErrs, maxEvents: 0, returnImmediately: true });
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const counted = text.split("\n").filter((line) => line.startsWith("signal_refusals_total"));
  expect(counted.toSorted()).toEqual([
    'signal_refusals_total{err="invalid_key",service="authorization-server"} 1',
    'signal_refusals_total{err="other",service="authorization-server"} 1',
  ]);
  await world.remove(stream.id);
});

test("D12 an organization's streams share its places for polls that wait", async () => {
  const [one, two] = [await world.make(), await world.make()];
  const polls = Array.from({ length: 21 }, (_, index) =>
    world.ssf.call("POST", (index % 2 === 0 ? one : two).poll, {}),
  );
  // All wait but the one for which there is no place.
  expect(await Promise.race(polls)).toMatchObject({ status: 429, body: { code: "rate_limited" } });
  for (const of of [one, two]) await world.verify(of);
  const statuses = (await Promise.all(polls)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(20);
  for (const of of [one, two]) await world.remove(of.id);
});
