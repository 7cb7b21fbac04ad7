import { minuteMs } from "@remit/kernel";
import { setFailpoint } from "@remit/platform/failpoint";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type MeteredWorld, type Paying, startMeteredWorld } from "./metered-world.ts";
import { openStream } from "./streams.ts";
import type { World } from "./world.ts";

let shop: MeteredWorld;
let world: World;

beforeAll(async () => {
  shop = await startMeteredWorld();
  world = shop.world;
});

afterAll(() => shop.close());
beforeEach(() => shop.clean());
afterEach(() => setFailpoint(undefined));

const byMandate: Paying = (unpaid) => shop.byMandate(unpaid);
const byCard: Paying = (unpaid) => shop.byCard(unpaid);
const rails = [
  ["a mandate", byMandate],
  ["a card", byCard],
] as const;
const taken: MeteredWorld["taken"] = () => shop.taken();
const begin: MeteredWorld["begin"] = (target, pay) => shop.begin(target, pay);
const ended: MeteredWorld["ended"] = (state) => shop.ended(state);

const kib64 = "x".repeat(65_536);

describe.each(rails)("a price by use, by %s, broken off", (_rail, pay) => {
  test("M13 killed while it streams: what was written down is taken, and nothing before anything was", async () => {
    world.upstream.answer = (_, res) => void res.write(kib64);
    setFailpoint({ name: "gateway.journalled", does: "error" });
    const { stream } = await begin("/bytes", pay);
    expect(await stream.over).toBe("cut");
    await ended("captured");
    expect(await taken()).toEqual({ minor: [50], held: 0 });
    expect(await world.claims()).toMatchObject([{ used: "65536", captured_minor: "50" }]);
  });

  test.each(["gateway.charged", "gateway.serving", "gateway.streaming"])(
    "M13 killed at %s: nothing was given, and nothing is taken",
    async (name) => {
      world.upstream.answer = (_, res) => void res.end(kib64);
      setFailpoint({ name, does: "error" });
      const headers = await pay(await world.ask("/bytes"));
      expect((await world.ask("/bytes", { headers })).status).toBe(500);
      await ended("released");
      expect(await taken()).toEqual({ minor: [], held: 0 });
    },
  );

  test.each(["gateway.capturing", "gateway.captured"])(
    "M13 killed at %s: what was given is taken once, and to the cent",
    async (name) => {
      world.upstream.answer = (_, res) => void res.end("x".repeat(900_001));
      setFailpoint({ name, does: "error" });
      const { stream } = await begin("/bytes", pay);
      expect(await stream.over).toBe("cut");
      await ended("captured");
      expect(await taken()).toEqual({ minor: [91], held: 0 });
    },
  );
});

describe.each(rails)("a fixed price for what streams, by %s, broken off", (_rail, pay) => {
  test.each([
    ["gateway.serving", "released", []],
    ["gateway.capturing", "released", []],
    ["gateway.captured", "owed", [500]],
  ])("M13 killed at %s: %s, and never paid without a claim to the goods", async (name, state, minor) => {
    world.upstream.answer = (_, res) => void res.end("all");
    setFailpoint({ name, does: "error" });
    const headers = await pay(await world.ask("/whole"));
    expect((await world.ask("/whole", { headers })).status).toBe(500);
    if (state === "owed") world.clock.advance(minuteMs);
    else await ended(state);
    expect(await taken()).toEqual({ minor, held: 0 });
    if (state === "owed") {
      const again = await openStream(world.address, "/whole", { headers });
      expect([await again.over, again.body()]).toEqual(["whole", "all"]);
      expect(await taken()).toEqual({ minor, held: 0 });
    }
  });
});
